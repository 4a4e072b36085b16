"""A results folder written by hand, as workers and drivers write one."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from noisebench.catalogue.component import Component
from noisebench.records.folders import ResultsFolder
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
    """Return a `started` record of `trial`, `at` seconds after ten o'clock."""
    return {
        "event": "started",
        "attempt_id": attempt,
        "trial_id": trial.trial_id,
        "sweep": "paper",
        "config": trial.as_fields(),
        "started_at": moment(at),
        "worker": "node1-17",
        "host": "node1",
        "pid": 17,
        "device": "cpu",
        "slurm_job_id": None,
        "commit": "abc",
        "versions": {"python": "3.11"},
        "log": None,
        **changes,
    }


def ended(trial: Trial, attempt: str, at: int = 10, f1: float | None = 0.9, **changes: Any) -> dict[str, Any]:
    """Return a completed `ended` record of `trial` with the given F1."""
    return {
        "event": "ended",
        "attempt_id": attempt,
        "trial_id": trial.trial_id,
        "sweep": "paper",
        "status": "completed",
        "error_kind": None,
        "error": None,
        "traceback": None,
        "ended_at": moment(at),
        "seconds": 10.0,
        "fast_path": None,
        "peak_memory_mb": None,
        "result": {"f1": f1, "precision": 0.5, "flagged": 7, "noise_hash": "ff", "seconds": 9.5},
        "epochs": [
            {"fold": 0, "epoch": epoch, "loss": 1.0 / (1 + epoch), "accuracy": 0.5, "held_out_loss": None}
            for epoch in range(2)
        ],
        **changes,
    }


def unsuccessful(
    trial: Trial, attempt: str, at: int = 10, status: str = "failed", **changes: Any
) -> dict[str, Any]:
    """Return an `ended` record of an attempt that did not complete."""
    kind = "exception" if status == "failed" else "node-lost"
    plain = {"status": status, "error_kind": kind, "error": "boom", "result": None, "epochs": []}
    return ended(trial, attempt, at, **{**plain, **changes})


def moment(seconds: int) -> str:
    """Return the time `seconds` after ten o'clock as records hold it."""
    return f"2026-11-20T10:{seconds // 60:02d}:{seconds % 60:02d}.500000+00:00"


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
                stream.write(record if isinstance(record, bytes) else json.dumps(record).encode() + b"\n")
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
