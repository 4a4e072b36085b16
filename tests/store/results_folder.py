"""A results folder written by hand, as workers and drivers write one."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from noisebench.catalogue.component import Component
from noisebench.records.attempts import Ended, Epoch, Record, Result, Started, Status
from noisebench.records.folders import ResultsFolder
from noisebench.records.lines import encode, with_checksum
from noisebench.sweep.trial import Training, Trial

TRAINING = Training(
    model="small-cnn",
    pretrained=False,
    optimizer="adam",
    learning_rate=1e-3,
    momentum=0.9,
    weight_decay=0.0,
    schedule=Component.of("constant"),
    epochs=2,
    batch_size=64,
    augmentation="none",
    input_scale="unit",
    precision="reference",
)
BASE = Trial(
    dataset=Component.of("digits", samples=None),
    corruption=Component.of("uniform", rate=0.2, exact=False),
    loss=Component.of("CE", delay=0),
    detector=Component.of("confident-learning", folds=5, prune="both"),
    training=TRAINING,
    dynamics=False,
    seed=0,
)


def trial(loss: str = "CE", seed: int = 0, *, eta: float = 0.2, delay: int = 0, **parameters: Any) -> Trial:
    """Return a trial on digits with uniform corruption."""
    return replace(
        BASE,
        loss=Component.of(loss, delay=delay, **parameters),
        corruption=Component.of("uniform", rate=eta, exact=False),
        seed=seed,
    )


def started(trial: Trial, attempt: str, at: int = 0, **changes: Any) -> dict[str, Any]:
    """Return the members of a `started` line of `trial`, `at` seconds after ten o'clock."""
    record = Started(
        attempt_id=attempt,
        trial_id=trial.trial_id,
        sweep="paper",
        config=trial.as_fields(),
        started_at=time(at),
        worker="node1-17",
        host="node1",
        pid=17,
        device="cpu",
        commit="abc",
        versions={"python": "3.11"},
    )
    return {**members(record), **changes}


def ended(trial: Trial, attempt: str, at: int = 10, f1: float | None = 0.9, **changes: Any) -> dict[str, Any]:
    """Return the members of a completed `ended` line of `trial` with the given F1."""
    record = Ended(
        attempt_id=attempt,
        trial_id=trial.trial_id,
        sweep="paper",
        status=Status.COMPLETED,
        ended_at=time(at),
        seconds=10.0,
        result=Result(precision=0.5, flagged=7, noise_hash="ff", seconds=9.5),
        epochs=tuple(Epoch(0, epoch, loss=1.0 / (1 + epoch), accuracy=0.5) for epoch in range(2)),
    )
    line = members(record)
    line["result"]["f1"] = f1
    return {**line, **changes}


def unsuccessful(
    trial: Trial, attempt: str, at: int = 10, status: str = "failed", **changes: Any
) -> dict[str, Any]:
    """Return an `ended` record of an attempt that did not complete."""
    kind = "exception" if status == "failed" else "node-lost"
    plain = {"status": status, "error_kind": kind, "error": "boom", "result": None, "epochs": []}
    return ended(trial, attempt, at, **{**plain, **changes})


def time(seconds: int) -> datetime:
    """Return the time `seconds` after ten o'clock."""
    return datetime(2026, 11, 20, 10, 0, 0, 500_000, UTC) + timedelta(seconds=seconds)


def moment(seconds: int) -> str:
    """Return the time `seconds` after ten o'clock as records hold it."""
    return time(seconds).isoformat(timespec="microseconds")


def members(record: Record) -> dict[str, Any]:
    """Return the members of a record's line, without its checksum."""
    line: dict[str, Any] = json.loads(encode(record))
    del line["crc32"]
    return line


def line_of(record: dict[str, Any]) -> bytes:
    """Return the line with these members, with its checksum."""
    return with_checksum(json.dumps(record, separators=(",", ":")).encode())


@dataclass
class Folder:
    """A results folder with its journal and manifests."""

    root: Path
    results: ResultsFolder = field(init=False)

    def __post_init__(self) -> None:
        self.results = ResultsFolder(self.root)

    def journal(self, *records: dict[str, Any] | bytes, file: str = "node1-a", sweep: str = "paper") -> Path:
        """Append records, or raw bytes, to one journal file."""
        path = self.results.journal / sweep / f"{file}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab") as stream:
            for record in records:
                stream.write(record if isinstance(record, bytes) else line_of(record))
        return path

    def manifest(
        self, blocks: dict[str, Iterable[Trial]], seeds_asked: int = 2, sweep: str = "paper"
    ) -> Path:
        """Write a sweep's manifest."""
        path = self.results.sweep(sweep).manifest
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = [
            json.dumps(
                {
                    "block": block,
                    "seeds_asked": seeds_asked,
                    "trial_id": trial.trial_id,
                    "config": trial.as_fields(),
                }
            )
            for block, trials in blocks.items()
            for trial in trials
        ]
        path.write_text("".join(line + "\n" for line in lines))
        return path
