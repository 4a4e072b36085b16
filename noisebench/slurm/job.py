"""What the jobs of a site request from Slurm."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from noisebench.catalogue.parameters import REQUIRED, integer, text
from noisebench.slurm.sbatch_options import SBATCH_OPTIONS, OptionValue
from noisebench.sweep.schema import Fields


@dataclass(frozen=True, kw_only=True)
class DriverJob:
    """What the driver's job requests; None leaves a choice to Slurm.

    `memory_gb` is for the whole job on a node, in GiB; 0 asks for all the node has. `minutes` is the job's
    time limit. `sbatch_extra` holds further long options of sbatch, without dashes; True: no value.
    """

    partition: str | None
    qos: str | None
    constraint: str | None
    exclude: str | None
    reservation: str | None
    cpus: int
    memory_gb: int | None
    minutes: int
    sbatch_extra: Mapping[str, OptionValue]


@dataclass(frozen=True, kw_only=True)
class WorkerJob(DriverJob):
    """What each worker's job, on one node, asks for.

    `gpu_request` is an option of sbatch as the site writes it, such as --gres=gpu:v100:4. `count` is how many
    worker jobs are submitted at most, `at_once` how many workers of one array may run at a time; None: all.
    Workers beyond `limits.array_size`, and those that `scale` adds, are further arrays.
    `trials_factor` is how many times as many trials share a GPU of this pool as the site's `trials_per_gpu`
    says.
    """

    gpu_request: str | None
    count: int
    at_once: int | None
    trials_factor: int


DRIVER_FIELDS: Fields = {
    "partition": text(),
    "qos": text(),
    "constraint": text(),
    "exclude": text(),
    "reservation": text(),
    "cpus": integer(2, 1),
    "memory_gb": integer(None, 0),
    "minutes": integer(REQUIRED, 1),
    "sbatch_extra": SBATCH_OPTIONS,
}
WORKER_FIELDS: Fields = {
    **DRIVER_FIELDS,
    "gpu_request": text(
        pattern=r"--(gres|gpus|gpus-per-node|gpus-per-task)=\S+",
        right="an option of sbatch, such as --gres=gpu:v100:4 or --gpus-per-node=4",
    ),
    "count": integer(REQUIRED, 1),
    "at_once": integer(None, 1),
    "trials_factor": integer(1, 1),
}


def gpus_of(job: WorkerJob) -> int:
    """Return how many GPUs a worker asks for, as far as its `gpu_request` shows."""
    if job.gpu_request is None:
        return 0
    option, value = job.gpu_request.removeprefix("--").split("=", 1)
    kinds = [kind for kind in value.split(",") if option != "gres" or kind.split(":")[0] == "gpu"]
    counts = [kind.rsplit(":", 1)[-1] for kind in kinds]
    return sum(int(count) if count.isdecimal() else 1 for count in counts)


def gpu_kind(request: str) -> str | None:
    """Return the kind of GPU that an option of sbatch names: v100 of --gres=gpu:v100:4; None for any."""
    option, value = request.removeprefix("--").split("=", 1)
    parts = value.split(",")[0].split(":")[1 if option == "gres" else 0 :]
    return next((part for part in parts if not part.isdecimal()), None)
