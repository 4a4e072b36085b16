"""What the database costs, beside its peers: ingestion, and cells over a million trials.

Every figure is CPU seconds of this process; each row has its peer in the same run. Run as
`python benchmarks/store.py [--records N] [--trials N]`.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from noisebench.spec.trial import Component, Training, Trial
from noisebench.store import database
from noisebench.store.ingest import ingest
from noisebench.store.query import query
from noisebench.trial.layout import ResultsFolder

SEEDS = 20
WORKERS = 64
EPOCH_ROWS = 50  # five folds of ten epochs
METRICS = ("precision", "recall", "f1", "specificity", "balanced_accuracy", "realised_rate", "clean_accuracy")
BASE = Trial(
    dataset=Component.of("MNIST", samples=None),
    corruption=Component.of("uniform", rate=0.1, exact=False),
    loss=Component.of("CE", delay=0),
    detector=Component.of("confident-learning", folds=5, prune="both"),
    training=Training(
        model="small-cnn",
        pretrained=False,
        optimizer="adam",
        learning_rate=1e-3,
        momentum=0.0,
        weight_decay=0.0,
        schedule=Component.of("constant"),
        epochs=10,
        batch_size=64,
        augmentation="none",
        input_scale="standard",
        precision="reference",
    ),
    dynamics=False,
    seed=0,
)


def cpu_seconds(work: Callable[[], Any], repeats: int = 1) -> float:
    """Return the CPU seconds, of all threads, of the cheapest of some runs of `work`."""

    def once() -> float:
        start = time.process_time()
        work()
        return time.process_time() - start

    return min(once() for _ in range(repeats))


def record_pair(number: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the started and the ended record of a trial, as long as real ones."""
    gamma = number // SEEDS / 1000
    trial = replace(BASE, loss=Component.of("BL", gamma=gamma, form="detached", delay=0), seed=number % SEEDS)
    attempt = {"attempt_id": f"{number:032x}", "trial_id": trial.trial_id, "sweep": "paper"}
    started = {
        "event": "started",
        **attempt,
        "config": trial.as_fields(),
        "started_at": "2026-11-20T09:44:00.123456+00:00",
        "worker": f"node1-{number % WORKERS}",
        "host": "node1",
        "pid": 4711,
        "device": "cuda:0 NVIDIA V100",
        "slurm_job_id": "1234_5",
        "commit": "0" * 40,
        "versions": {"python": "3.11.2", "torch": "2.13.0"},
        "log": None,
    }
    epochs = [
        {"fold": row // 10, "epoch": row % 10, "loss": 1 / (row + 1.7), "accuracy": 0.97, "held_out_loss": 0.1}
        for row in range(EPOCH_ROWS)
    ]
    result = {name: 0.9 + number % 97 / 1000 for name in METRICS}
    counts = {"flagged": 6000, "correct": 5500, "wrong_labels": 6100, "samples": 60000}
    ended = {
        "event": "ended",
        **attempt,
        "status": "completed",
        "ended_at": "2026-11-20T09:45:00.123456+00:00",
        "seconds": 60.0,
        "peak_memory_mb": 512.0,
        "result": {**result, **counts, "noise_hash": "0123456789abcdef", "seconds": 60.0},
        "epochs": epochs,
    }
    return started, ended


def write_inputs(results: ResultsFolder, parquet: Path, records: int) -> None:
    """Write the same attempts as a journal of some workers, and as one Parquet file each."""
    folder = results.journal / "paper"
    folder.mkdir(parents=True)
    parquet.mkdir()
    journals = [(folder / f"node1-{worker}.jsonl").open("w") for worker in range(WORKERS)]
    for number in range(records):
        started, ended = record_pair(number)
        journals[number % WORKERS].write(json.dumps(started) + "\n" + json.dumps(ended) + "\n")
        row = {key: value for key, value in {**started, **ended}.items() if key not in ("config", "versions")}
        row["config"] = json.dumps(started["config"])
        pq.write_table(pa.Table.from_pylist([row]), parquet / f"{number}.parquet")
    for journal in journals:
        journal.close()


def ingestion(folder: Path, records: int) -> tuple[float, float]:
    """Return the CPU seconds of our ingestion of `records` attempts, of read_parquet over as many files."""
    results, parquet = ResultsFolder(folder / "results"), folder / "parquet"
    write_inputs(results, parquet, records)
    ours = cpu_seconds(lambda: ingest(results))
    assert query(results, "SELECT count(*) FROM runs").rows() == [(records,)]

    def peer() -> None:
        with duckdb.connect(folder / "peer.duckdb") as connection:
            connection.execute(f"CREATE TABLE runs AS FROM read_parquet('{parquet}/*.parquet')")

    return ours, cpu_seconds(peer)
