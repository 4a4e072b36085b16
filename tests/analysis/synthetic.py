"""A complete but SYNTHETIC results folder of both papers' grids, drawn from their published numbers.

Never results: host and commit of every attempt say "synthetic". Each published cell has its printed mean
and deviation exactly; every other cell is plausible and worse, so that the best parameters are the
published ones.
"""

import csv
import itertools
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet
from numpy.typing import NDArray

from noisebench.records.attempts import Ended, Epoch, Record, Result, Started, Status
from noisebench.records.folders import ResultsFolder
from noisebench.records.lines import encode
from noisebench.records.manifest import keep_sweep
from noisebench.sweep.block import Block
from noisebench.sweep.sweep import Sweep, load_sweep
from noisebench.sweep.trial import Trial
from tests.analysis.synthetic_training import aum_scores, epoch_rows

ROOT = Path(__file__).parents[2]
# The two papers print different numbers for the same trials. Here those of the preliminary paper have another
# input scale, so that each published number has trials of its own.
SPECS = {
    "paper.yaml": [],
    "preliminary.yaml": ["blocks.preliminary.training.input_scale=unit"],
    "bl-forms.yaml": [],
}
PUBLISHED = ROOT / "analysis" / "published.csv"

# Which published source gives a block's numbers, by metric.
SOURCES = {
    "table1": {"f1": "table1", "balanced_accuracy": "table2"},
    "table3": {"f1": "table3"},
    "table4": {"f1": "table4"},
    "table5": {"f1": "table5", "cohens_d": "figure6", "wasserstein": "figure6"},
    "fig2": {"f1": "table1"},
    "fig5": {"f1": "table1"},
    "bl-delay": {"f1": "table1"},
    "preliminary": {"f1": "preliminary-table1"},
    "clean": {"clean_test_accuracy": "text"},
    "overfitting": {},
    "forms": {"f1": "table1"},
    "forms-aum": {"f1": "table5"},
}
HUMAN_RATES = {"CIFAR-10N-aggregate": 0.09, "CIFAR-10N-worst": 0.4, "CIFAR-100N": 0.4}
HARDWARE = "cuda:0 SYNTHETIC-V100"
SPREAD = 0.002  # where the papers print no deviation
STEP = 0.004  # what one step of a parameter's grid away from the best one costs
NO_DELAY = 0.08  # what PZ loses without its epoch of CE

Key = tuple[Any, ...]
Cells = dict[Key, list[dict[str, Any]]]


def write_results(root: Path, seed: int = 0) -> ResultsFolder:
    """Write manifest, journal, scores of both papers' finished sweeps below `root`; equal for equal seeds."""
    results, done = ResultsFolder(root), set[str]()
    for name, overrides in SPECS.items():
        sweep = load_sweep(ROOT / "sweeps" / name, overrides)
        keep_sweep(results.sweep(sweep.name), sweep)
        folder = results.sweep(sweep.name).journal
        folder.mkdir(parents=True)
        for block in sweep.blocks:
            lines = [encode(record) for record in block_lines(sweep, block, seed, results, done)]
            done |= {trial.trial_id for trial in block.trials}
            (folder / f"synthetic-{block.name}.jsonl").write_bytes(b"".join(lines))
    return results


def block_lines(
    sweep: Sweep, block: Block, seed: int, results: ResultsFolder, done: set[str]
) -> Iterator[Record]:
    """Yield the records of a block without the trials that are already completed."""
    rng = np.random.default_rng([seed, sweep.blocks.index(block)])
    published = cells_by_source()
    for _, group in itertools.groupby(
        block.trials, key=lambda trial: (trial.dataset, trial.corruption, trial.loss)
    ):
        trials = list(group)
        measured = draws(block.name, trials, published, rng)
        for number, trial in enumerate(trials):
            if trial.trial_id not in done:
                result = {name: float(values[number]) for name, values in measured.items()}
                yield from attempt_lines(sweep.name, block.name, trial, completed(trial, result), results)


def cells_by_source() -> Cells:
    """Return the published rows by (source, dataset, eta, loss, metric)."""
    drawn: Cells = {}
    with PUBLISHED.open() as file:
        for row in csv.DictReader(file):
            eta = float(row["eta"]) if row["eta"] else None
            drawn.setdefault((row["source"], row["dataset"], eta, row["loss"], row["metric"]), []).append(row)
    return drawn


def draws(
    block: str, trials: list[Trial], published: Cells, rng: np.random.Generator
) -> dict[str, NDArray[np.float64]]:
    """Return one value a seed for each published metric of a configuration."""
    first, drawn = trials[0], {}
    eta = 0.0 if first.corruption.name == "none" else first.corruption.get("rate")
    # Seeds make the same noise for all losses, so their values go together.
    shared = np.random.default_rng([7, *map(ord, f"{first.dataset.name}{eta}")]).normal(size=len(trials))
    for metric, source in SOURCES[block].items():
        rows = published.get((source, first.dataset.name, eta, first.loss.name, metric))
        if rows is None:
            continue
        mean, std = target(first, rows[0])
        noise = shared + rng.normal(size=len(trials))
        noise = (noise - noise.mean()) / noise.std(ddof=1) if len(trials) > 1 else np.zeros(1)
        drawn[metric] = mean + std * noise
    return drawn


def target(trial: Trial, row: dict[str, Any]) -> tuple[float, float]:
    """Return mean and deviation: the printed ones at the printed parameter, something worse elsewhere."""
    mean, std = float(row["mean"]), float(row["std"] or SPREAD)
    parameter, delay = row["parameter"], int(row["delay"] or trial.loss["delay"])
    if row["value"] and trial.loss[parameter] != float(row["value"]):
        ratio = trial.loss[parameter] / float(row["value"])
        mean -= STEP + STEP * 2 * abs(np.log2(ratio)) + std
    if trial.loss["delay"] != delay:
        mean -= STEP + STEP / 2 * abs(trial.loss["delay"] - delay) + std
        if trial.loss.name == "PZ" and trial.loss["delay"] == 0:
            mean -= NO_DELAY
    return mean, std


def completed(trial: Trial, result: dict[str, float]) -> dict[str, Any]:
    """Return a whole `results` row around the drawn values."""
    samples = (
        9_415 if "cleaned" in trial.dataset.name else 60_000 if "MNIST" in trial.dataset.name else 50_000
    )
    eta = trial.corruption.get("rate") or HUMAN_RATES.get(trial.dataset.name, 0.0)
    wrong = round(eta * samples)
    whole: dict[str, Any] = {**result, "samples": samples, "wrong_labels": wrong, "realised_rate": eta}
    whole["noise_hash"] = f"{trial.dataset.name}-{eta}-{trial.seed}"
    whole["clean_accuracy"] = 1 - eta / 4
    if "f1" in result:
        recall, precision = operating_point(result["f1"], result.get("balanced_accuracy"), eta)
        correct = round(recall * wrong)
        specificity = 1 - eta * recall * (1 - precision) / (precision * (1 - eta))
        whole |= {"recall": recall, "precision": precision, "specificity": specificity}
        whole |= {"correct": correct, "flagged": round(correct / precision)}
        whole.setdefault("balanced_accuracy", (recall + specificity) / 2)
    return whole


def operating_point(f1: float, balanced_accuracy: float | None, eta: float) -> tuple[float, float]:
    """Return the recall and precision that give F1 and balanced accuracy at a share `eta` of wrong labels."""
    if balanced_accuracy is None:
        recall = f1 + (1 - f1) / 3
    else:
        recall = f1 * ((1 - eta) * (1 - 2 * balanced_accuracy) + eta) / (2 * eta - f1)
    recall = min(max(recall, f1 / (2 - f1) + 1e-3), 0.999)
    return recall, f1 * recall / (2 * recall - f1)


def attempt_lines(
    sweep: str, block: str, trial: Trial, result: dict[str, Any], results: ResultsFolder
) -> Iterator[Record]:
    """Yield the two records of an attempt, whose scores are written where a figure reads them."""
    attempt = f"synthetic-{trial.trial_id}"
    yield Started(
        attempt_id=attempt,
        trial_id=trial.trial_id,
        sweep=sweep,
        config=trial.as_fields(),
        started_at=moment(trial.seed, 0),
        worker="synthetic-1",
        host="synthetic",
        pid=1,
        device=HARDWARE,
        commit="synthetic",
        versions={"synthetic": "yes"},
    )
    if block == "table5" and trial.seed == 0 and trial.corruption["rate"] == 0.1:
        path = results.scores(trial.trial_id)
        path.parent.mkdir(parents=True, exist_ok=True)
        pyarrow.parquet.write_table(pa.table(aum_scores(trial.loss.name)), path)
    seconds = 9_000.0 if trial.detector.name == "aum" else 300.0 if "MNIST" in trial.dataset.name else 900.0
    memory = (
        7_000.0 if trial.detector.name == "aum" else 3_000.0 if "MNIST" in trial.dataset.name else 6_000.0
    )
    yield Ended(
        attempt_id=attempt,
        trial_id=trial.trial_id,
        sweep=sweep,
        status=Status.COMPLETED,
        ended_at=moment(trial.seed, 1),
        seconds=seconds,
        peak_memory_mb=memory,
        result=Result.of({**result, "seconds": seconds}),
        epochs=tuple(map(Epoch.of, epoch_rows(trial))) if trial.dynamics else (),
    )


def moment(seed: int, minutes: int) -> datetime:
    """Return a time on the first day of 2026."""
    return datetime(2026, 1, 1, seed, minutes, tzinfo=UTC)
