"""Files that ended sweeps no longer need, and the disk space that results take."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Container, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from itertools import product
from pathlib import Path

from noisebench.engine.scratch import abandoned_folders
from noisebench.errors import InputError
from noisebench.records.durable import folder_inside, open_of_sweep, remove_inside
from noisebench.records.folders import ResultsFolder, SweepFolder
from noisebench.records.heartbeats import fresh_workers
from noisebench.records.manifest import kept_trials, manifest_trials
from noisebench.records.scores import score_files
from noisebench.store.states import trial_states
from noisebench.store.store import open_store


class Kind(StrEnum):
    """What can be removed: the records, the journal and the database, never is."""

    CHECKPOINTS = "checkpoints"
    LOGS = "logs"
    SCRATCH = "scratch"
    SCORES = "scores"
    EVIDENCE = "evidence"


# What the jobs of a submitted sweep printed.
_JOB_LOGS = ("*_log.out", "*_log.err")

# Scores are results, and evidence that is left is kept on purpose: they go only if the user names them.
DEFAULT_KINDS = (Kind.CHECKPOINTS, Kind.LOGS, Kind.SCRATCH)


@dataclass(frozen=True)
class Removable:
    """Files of one kind: of one sweep, or of none in particular."""

    kind: Kind
    sweep: str | None
    paths: tuple[Path, ...]
    size: int


def removable(results: ResultsFolder, sweeps: Sequence[str], kinds: Sequence[Kind]) -> list[Removable]:
    """Return what can be removed of these sweeps, with scratch folders of processes that were killed.

    The checkpoints of pending trials stay, and so do the files of other sweeps. Raises InputError if a
    sweep still runs.
    """
    for name in sweeps:
        if is_live(results.sweep(name)):
            raise InputError(f"sweep '{name}' is running; `noisebench status {name}` shows how far it is")
    groups: list[tuple[Kind, str | None, list[Path]]] = []
    ended = _ended_trials(results, sweeps) if Kind.CHECKPOINTS in kinds else frozenset()
    for name, kind in product(sweeps, kinds):
        if kind is not Kind.SCRATCH:
            groups.append((kind, name, _paths(results.sweep(name), kind, ended)))
    if Kind.SCRATCH in kinds:
        groups.append((Kind.SCRATCH, None, list(abandoned_folders())))
    return [
        Removable(kind, name, tuple(paths), sum(map(disk_use, paths)))
        for kind, name, paths in groups
        if paths
    ]


def remove(results: ResultsFolder, items: Sequence[Removable]) -> None:
    """Remove the files; raise OSError for the first that cannot be removed, or to which a link leads."""
    for item in items:
        for path in item.paths:
            root = path.parent if item.kind is Kind.SCRATCH else results.root
            remove_inside(root, path.relative_to(root).as_posix())


def is_live(folder: SweepFolder) -> bool:
    """Return whether a process holds the sweep's lock, or one of its workers was alive a minute ago."""
    if fresh_workers(folder):
        return True
    try:
        with open_of_sweep(folder.lock) as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except FileNotFoundError:
        return _is_locked(folder)
    return False


def _is_locked(folder: SweepFolder) -> bool:
    """Return whether a process holds the sweep's folder: its lock file may have been deleted."""
    inside = folder.path.relative_to(folder.results.root).as_posix()
    try:
        with folder_inside(folder.results.root, inside) as descriptor:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # no such folder, or one that NFS cannot lock
        return False
    return False


def disk_use(path: Path) -> int:
    """Return the bytes that a file, or all files below a folder, take on the disk; links are not followed."""
    total = 0
    with suppress(OSError):  # removed meanwhile
        total += path.lstat().st_blocks * 512
        if path.is_dir() and not path.is_symlink():
            with os.scandir(path) as entries:
                total += sum(disk_use(Path(entry.path)) for entry in entries)
    return total


def results_disk_use(results: ResultsFolder) -> dict[str, int]:
    """Return the bytes on the disk of each part of a results folder."""
    with suppress(FileNotFoundError):
        return {path.name: disk_use(path) for path in sorted(results.root.iterdir())}
    return {}


def _ended_trials(results: ResultsFolder, sweeps: Sequence[str]) -> frozenset[str]:
    """Return the ids of the trials of these sweeps that have completed or failed."""
    with open_store(results) as store:
        states = [trial_states(store, name) for name in sweeps]
    each_state = (item for of_sweep in states for item in of_sweep.items())
    return frozenset(trial_id for trial_id, state in each_state if state in ("completed", "failed"))


def _paths(folder: SweepFolder, kind: Kind, ended: Container[str]) -> list[Path]:
    if kind is Kind.LOGS:
        of_jobs = [path for pattern in _JOB_LOGS for path in (folder.slurm / "jobs").glob(pattern)]
        return ([folder.logs] if folder.logs.is_dir() else []) + sorted(of_jobs)
    return list(_files_of_trials(folder, kind, ended))


def _evidence_ids(folder: SweepFolder) -> Iterator[str]:
    """Yield the evidence of the sweep's trials; none of a trial whose fields are damaged."""
    for trial in manifest_trials(folder.manifest):
        with suppress(ValueError, LookupError, TypeError, AttributeError, ArithmeticError, InputError):
            evidence_id = trial.evidence_id
            yield evidence_id


def _files_of_trials(folder: SweepFolder, kind: Kind, ended: Container[str]) -> Iterator[Path]:
    results = folder.results
    if kind is Kind.EVIDENCE:
        # The sweep's own code may be gone, but not its trials.
        ids = set(_evidence_ids(folder))
        yield from (path for path in map(results.evidence, sorted(ids)) if path.is_file())
        return
    trial_ids = sorted({trial_id for _, trial_id in kept_trials(folder.manifest)})
    if kind is Kind.SCORES:
        yield from (path for trial_id in trial_ids for path in score_files(results, trial_id))
        return
    checkpoints = (results.checkpoint(trial_id) for trial_id in trial_ids if trial_id in ended)
    yield from (path for path in checkpoints if path.is_dir())
