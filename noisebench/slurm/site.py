"""A site: the profile of one Slurm cluster, read from YAML."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from noisebench.catalogue.models import MODELS
from noisebench.catalogue.parameters import REQUIRED, choice, flag, integer, number, text
from noisebench.errors import InputError
from noisebench.slurm.job import DRIVER_FIELDS, WORKER_FIELDS, DriverJob, WorkerJob, gpus_of
from noisebench.sweep.nodes import Node, Problems, read_nodes, read_text
from noisebench.sweep.schema import (
    Fields,
    defaults,
    named,
    read_fields,
    section,
    several,
    show,
)


@dataclass(frozen=True, kw_only=True)
class Mail:
    """The address to which Slurm sends mail, and at which events; no events: never."""

    user: str
    events: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Folders:
    """Folders: `results` and `data` as all nodes see them; `scratch` on each node, with $VARIABLES.

    None leaves `results` and `data` to the command line, `scratch` to the node's TMPDIR.
    """

    results: str | None
    data: str | None
    scratch: str | None
    copy_data: bool


@dataclass(frozen=True, kw_only=True)
class Container:
    """An image, and the command that runs another one in it."""

    image: str
    command: str


@dataclass(frozen=True, kw_only=True)
class Limits:
    """The most tasks an array may have, the most jobs a user may have at once."""

    array_size: int
    jobs: int


@dataclass(frozen=True, kw_only=True)
class Site:
    """One cluster, as its profile describes it.

    `workers`: the pools of workers, in the order in which they are filled.
    `signal_seconds`: how long before its end a job gets a signal. `interface`: the network interfaces
    whose address the nodes use among themselves, by name or network; a node takes the first that it has;
    none: the address of the hostname. `setup`: shell lines run before
    noisebench starts on a node. `python`: the Python of the jobs; None: the one that submits, in a container
    python3. `srun_options`: further options of the srun that starts it. `trials_per_gpu`: how many trials of
    a model share one GPU; where it is absent, as many as were measured, or one. `mps`: whether they share it
    through a daemon of NVIDIA's Multi-Process Service that each worker starts. `allowance_minutes`: how long
    a trial may take; None: ten times its estimate, at least 10. `idle_minutes`, `head_wait_minutes`: how long
    a worker keeps its GPUs without a trial, without a driver. `text` is the profile's YAML.
    """

    site: str
    description: str
    account: str | None
    requeue: bool
    signal_seconds: int
    mail: Mail | None
    driver: DriverJob
    workers: tuple[WorkerJob, ...]
    interface: tuple[str, ...]
    folders: Folders
    setup: tuple[str, ...]
    python: str | None
    srun_options: tuple[str, ...]
    container: Container | None
    trials_per_gpu: Mapping[str, int]
    mps: bool
    allowance_minutes: float | None
    idle_minutes: float
    head_wait_minutes: float
    limits: Limits
    text: str = field(default="", compare=False, repr=False)


_MAIL_EVENTS = (
    *("BEGIN", "END", "FAIL", "REQUEUE", "INVALID_DEPEND", "STAGE_OUT", "ALL"),
    *("TIME_LIMIT", "TIME_LIMIT_90", "TIME_LIMIT_80", "TIME_LIMIT_50", "ARRAY_TASKS"),
)
_SHARED = {"pattern": "/.*", "right": "the whole path of a folder that every node sees, from / on"}
_OCTET = r"(25[0-5]|2[0-4]\d|1?\d?\d)"
_FOLDERS: Fields = {
    "results": text(**_SHARED),
    "data": text(**_SHARED),
    "scratch": text(pattern="[/$].*", right="the path of a folder of each node, from / or a $VARIABLE on"),
    "copy_data": flag(False),
}
_LIMITS: Fields = {"array_size": integer(1000, 1), "jobs": integer(100, 3)}
_FIELDS: Fields = {
    "site": text(
        REQUIRED,
        pattern=r"[A-Za-z0-9][A-Za-z0-9._-]*",
        right="a name of letters, digits, '.', '_' and '-', such as my-cluster",
    ),
    "description": text(""),
    "account": text(),
    "requeue": flag(True),
    "signal_seconds": integer(120, 10),
    "mail": section(
        Mail,
        {
            "user": text(REQUIRED, right="a mail address"),
            "events": several(choice(REQUIRED, *_MAIL_EVENTS)),
        },
        None,
    ),
    "driver": section(DriverJob, DRIVER_FIELDS),
    "workers": replace(
        several(section(WorkerJob, WORKER_FIELDS)),
        right=f"a mapping of {', '.join(WORKER_FIELDS)}, or a list of such pools",
        default=REQUIRED,
    ),
    "interface": several(
        text(
            pattern=rf"[A-Za-z][\w.@-]*|{_OCTET}(\.{_OCTET}){{3}}/(3[0-2]|[12]?\d)",
            right="the name of a network interface, such as ib0, or a network, such as 10.1.0.0/16",
        )
    ),
    "folders": section(Folders, _FOLDERS, Folders(**defaults(_FOLDERS))),
    "setup": several(text(right="one line of shell")),
    "python": text(right="the path of a Python that has noisebench"),
    "srun_options": several(
        text(pattern="--[a-z].*", right="an option of srun, such as --container-image=/shared/image.sqsh")
    ),
    "container": section(
        Container,
        {"image": text(REQUIRED, right="a path or an address"), "command": text("apptainer exec --nv")},
        None,
    ),
    "trials_per_gpu": named(integer(REQUIRED, 1), MODELS, "model"),
    "mps": flag(False),
    "allowance_minutes": number(None, 0, open_low=True),
    "idle_minutes": number(5, 0),
    "head_wait_minutes": number(15, 1),
    "limits": section(Limits, _LIMITS, Limits(**defaults(_LIMITS))),
}


def load_site(path: Path) -> Site:
    """Read the profile at `path`.

    Raises InputError with every problem of the file, one line each: `file:line path: what was seen, what is
    right, the nearest valid name`.
    """
    return parse_site(read_text(path), str(path))


def parse_site(content: str, file: str) -> Site:
    """Read a profile's YAML text; `file` names it in messages."""
    problems = Problems(file)
    root = read_nodes(content, problems, "the file is empty; it needs `site:`, `driver:` and `workers:`")
    if not root.is_mapping:
        raise InputError(
            f"{file}:{root.line} a site is a mapping with `site:`, `driver:` and `workers:`, "
            f"not {show(root.plain())}"
        )
    values = read_fields(root, _FIELDS, problems)
    problems.raise_if_any()
    site = Site(**values, text=content)
    _check_together(site, root.value, problems)
    problems.raise_if_any()
    return site


def _check_together(site: Site, nodes: dict[str, Node], problems: Problems) -> None:
    """Add the problems of fields that are valid alone, but not together."""
    workers = nodes["workers"]
    pools = list(workers.value) if workers.is_list else [workers]
    if not pools:
        problems.add(workers, "is an empty list, but must have at least one pool of workers")
        return
    for node, job in zip([nodes["driver"], *pools], [site.driver, *site.workers], strict=True):
        if 60 * job.minutes <= site.signal_seconds:
            problems.add(
                node.value["minutes"],
                f"is {job.minutes}, but must be more than signal_seconds, which is {site.signal_seconds}",
            )
    gpus = gpus_of(site.workers[0])
    for node, job in zip(pools, site.workers, strict=True):
        if bool(gpus_of(job)) != bool(gpus):
            problems.add(node, "differs from the first pool: either all pools have GPUs, or none has")
    if site.mps and not gpus:
        problems.add(nodes["mps"], "is true, but no pool has a gpu_request")
    # The driver and the standby behind it are jobs as well.
    most, count = site.limits.jobs - 2, sum(job.count for job in site.workers)
    if count > most:
        where = " in all pools" if len(pools) > 1 else ""
        problems.add(
            pools[0].value["count"],
            f"is {count}{where}, but must be at most {most}: limits.jobs is {site.limits.jobs}, "
            "and the driver and its standby are jobs, too",
        )
