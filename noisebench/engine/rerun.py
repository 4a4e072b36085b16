"""Repeats finished trials aside and compares their results with the recorded ones."""

from __future__ import annotations

import math
import random
import tempfile
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from noisebench.records.attempts import Ended, Epoch, Result, Started, Status
from noisebench.records.folders import ResultsFolder, SweepFolder
from noisebench.records.journal import JournalWriter, records
from noisebench.sweep.trial import Trial

# How far two results may differ that another device or other versions computed: this much of a number, and
# at least this much where it is below 1. Numbers of the data are equal everywhere.
TOLERANCE = 0.05
_OF_THE_DATA = ("samples", "wrong_labels", "realised_rate", "noise_hash", "transition")


@dataclass(frozen=True)
class Repetition:
    """A finished trial with its recorded and its repeated attempt.

    `exact`: device and versions are equal and the device is a CPU, so all numbers have to be equal.
    `differences`: field name to (recorded, repeated).
    """

    trial_id: str
    attempt_id: str
    exact: bool
    recorded: dict[str, Any]
    repeated: dict[str, Any]
    differences: dict[str, tuple[Any, Any]] = field(default_factory=dict)


def rerun(
    folder: SweepFolder, trials: Sequence[Trial], count: int, seed: int, data_dir: Path | None
) -> list[Repetition]:
    """Repeat a sample of `count` of the sweep's finished `trials` in this process, in a temporary folder.

    `seed` chooses the sample. A trial that has several results is compared with the first of them.
    """
    from noisebench.trial.device import visible_device
    from noisebench.trial.runner import Runner

    starts, ends = _completed(folder)
    finished = sorted((trial for trial in trials if trial.trial_id in ends), key=lambda trial: trial.trial_id)
    sample = random.Random(seed).sample(finished, min(count, len(finished)))
    repetitions = []
    with tempfile.TemporaryDirectory(prefix="noisebench-") as root:
        aside = ResultsFolder(Path(root)).sweep(folder.name)
        aside.results.own_data.symlink_to(folder.results.own_data.absolute())
        with JournalWriter(aside.journal, "rerun") as journal:
            device = visible_device(gpu=True)
            runner = Runner(aside.results, aside.name, "rerun", data_dir, device, journal)
            for trial in sample:
                end = ends[trial.trial_id]
                attempt_id = uuid.uuid4().hex
                runner.attempt(trial, attempt_id)
                # Reused evidence has the digits of the machine that trained it.
                trained = starts.get(end.evidence_attempt or end.attempt_id)
                repetitions.append(
                    _compared(trained or starts[end.attempt_id], end, *_pair(aside, attempt_id))
                )
    return repetitions


def _completed(folder: SweepFolder) -> tuple[dict[str, Started], dict[str, Ended]]:
    """Return the starts by attempt, and the first completed end of each trial that has a start."""
    starts: dict[str, Started] = {}
    completed: list[Ended] = []
    for record in records(folder.journal):
        if isinstance(record, Started):
            starts.setdefault(record.attempt_id, record)
        elif record.status == Status.COMPLETED:
            completed.append(record)
    ends: dict[str, Ended] = {}
    for end in sorted(completed, key=lambda end: (end.ended_at, end.attempt_id)):
        if end.attempt_id in starts:
            ends.setdefault(end.trial_id, end)
    return starts, ends


def _pair(folder: SweepFolder, attempt_id: str) -> tuple[Started, Ended]:
    start: Started | None = None
    for record in records(folder.journal):
        if record.attempt_id == attempt_id and isinstance(record, Ended):
            assert start is not None
            return start, record
        if record.attempt_id == attempt_id and isinstance(record, Started):
            start = record
    raise AssertionError(f"attempt {attempt_id} left no end")


def _compared(start: Started, end: Ended, again: Started, repeated: Ended) -> Repetition:
    recorded_on, repeated_on = _environment(start, end), _environment(again, repeated)
    exact = recorded_on == repeated_on and start.device == "cpu"
    if repeated.status != Status.COMPLETED:
        differences: dict[str, tuple[Any, Any]] = {"status": (end.status.value, f"{repeated.error}")}
    else:
        assert end.result is not None
        assert repeated.result is not None
        differences = _differences(end.result, repeated.result, exact)
        if exact and end.epochs != repeated.epochs:
            differences["epochs"] = _first_epochs(end.epochs, repeated.epochs)
    return Repetition(end.trial_id, end.attempt_id, exact, recorded_on, repeated_on, differences)


def _environment(start: Started, end: Ended) -> dict[str, Any]:
    """Return what a result may depend on beside its trial: device, fast path and versions."""
    versions = {name: text for name, text in (start.versions or {}).items() if name != "noisebench"}
    return {"device": start.device, "fast_path": end.fast_path, **versions}


def _differences(recorded: Result, repeated: Result, exact: bool) -> dict[str, tuple[Any, Any]]:
    return {
        name: (before, after)
        for name, before in vars(recorded).items()
        if name != "seconds"
        and not _agree(before, after := getattr(repeated, name), exact or name in _OF_THE_DATA)
    }


def _agree(before: Any, after: Any, exact: bool) -> bool:
    if exact or before == after:
        return bool(before == after)
    if isinstance(before, int | float) and isinstance(after, int | float):
        return math.isclose(before, after, rel_tol=TOLERANCE, abs_tol=TOLERANCE)
    return not isinstance(before, int | float) and not isinstance(after, int | float)


def _first_epochs(before: tuple[Epoch, ...], after: tuple[Epoch, ...]) -> tuple[Any, Any]:
    """Return the first epochs that differ; None where one attempt has no more."""
    length = max(len(before), len(after))
    padded = zip(
        (*before, *[None] * (length - len(before))), (*after, *[None] * (length - len(after))), strict=True
    )
    one, other = next(pair for pair in padded if pair[0] != pair[1])
    return (None if one is None else vars(one)), (None if other is None else vars(other))
