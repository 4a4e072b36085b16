"""Row 11: ten detectors on one evidence beside one of them, and beside the same trials trained separately.

Digits, and 3,000 images of MNIST; CPU seconds, one thread. Where the ten take less than 20 s on one evidence,
they are measured in five rounds between the separate trials, and medians are compared. The bar: ten detectors
cost at most 1.1 trainings, and their results are equal to those of separate trials to the last bit. `--rows
TEXT` measures the rows whose names contain it. `--shared` trains once: no separate trials, and the first of
the ten counts as a training.
`python -m benchmarks.evidence [--data DIR] [--epochs N] [--rows TEXT] [--shared]`
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import torch

from benchmarks.row import Row, at_most, not_measured, print_rows
from noisebench.engine.evidence_groups import EvidenceGroups
from noisebench.records.evidence import EvidenceFile, Sharing
from noisebench.records.folders import ResultsFolder
from noisebench.sweep.sweep import parse_sweep
from noisebench.sweep.trial import Trial
from noisebench.trial.measurement import Measurement, measure

BAR = 1.1
CPU = torch.device("cpu")
# Ten detectors on one evidence are measured in several rounds where they take less.
SHORT_SECONDS = 20
ROUNDS = 5
PLANS = {
    "a single run": "[{name: small-loss, traces: in-passing}, {name: ctrl, traces: in-passing}, mean-margin, "
    "confidence, variability, correctness, hard-to-learn, forgetting, selfie, crssc]",
    "five folds": "[{name: confident-learning, prune: [both, class, noise-rate]}, predicted-not-given, "
    "{name: self-confidence, flag: [estimated, mixture]}, "
    "{name: normalized-margin, flag: [estimated, mixture]}, "
    "{name: confidence-weighted-entropy, flag: [estimated, mixture]}]",
}
DATASETS = {"digits": "digits", "MNIST:3000": "{name: MNIST, samples: 3000}"}


@dataclass(frozen=True)
class Timed:
    """Measurements of trials, with the CPU seconds of each."""

    measured: list[Measurement]
    seconds: list[float]


def trials_of(dataset: str, detectors: str, epochs: int | None) -> list[Trial]:
    """Return one trial for each detector, on one training."""
    training = "{}" if epochs is None else f"{{epochs: {epochs}}}"
    text = f"""
sweep: evidence
blocks:
  one:
    dataset: {dataset}
    corruption: {{kind: uniform, rate: 0.2}}
    loss: CE
    detector: {detectors}
    training: {training}
    seeds: 1
"""
    return list(parse_sweep(text, "benchmarks/evidence.py").trials())


def timed(trials: Sequence[Trial], data: Path | None, *, shared: bool) -> Timed:
    """Measure trials one after another, on one evidence or each with a training of its own."""
    measured, seconds = [], []
    with tempfile.TemporaryDirectory(prefix="noisebench-") as root:
        results = ResultsFolder(Path(root))
        groups = EvidenceGroups(trials, results.sweep("evidence"))
        for number, trial in enumerate(trials):
            sharing = groups.sharing(trial) if shared else Sharing()
            file = EvidenceFile(results.evidence(trial.evidence_id), str(number), sharing)
            began = time.process_time()
            measured.append(measure(trial, data, CPU, evidence=file))
            seconds.append(time.process_time() - began)
    return Timed(measured, seconds)


def equal(one: Measurement, other: Measurement) -> bool:
    """Whether two measurements have the same numbers, to the last bit."""
    arrays = {name: array.tobytes() for name, array in one.samples.items()}
    others = {name: array.tobytes() for name, array in other.samples.items()}
    return (repr(one.result), one.epochs, arrays) == (repr(other.result), other.epochs, others)


def rows(data: Path | None, epochs: int | None, only: str, *, shared: bool) -> Iterator[Row]:
    """Measure each data set and plan."""
    for name, dataset in DATASETS.items():
        for plan, detectors in PLANS.items():
            what = f"ten detectors on the evidence of {plan}, {name}"
            if only not in what:
                continue
            if name != "digits" and data is None:
                yield not_measured("11", what, f"<= {BAR:g} trainings", "needs --data")
                continue
            # The first trials of a process import what their detectors use, and read the data.
            timed(trials_of(dataset, detectors, 1), data, shared=True)
            trials = trials_of(dataset, detectors, epochs)
            yield _shared_row(what, trials, data) if shared else _row(what, trials, data)


def _row(what: str, trials: list[Trial], data: Path | None) -> Row:
    """Measure shared and separate trials in turn."""
    shared = [timed(trials, data, shared=True)]
    rounds = ROUNDS if sum(shared[0].seconds) < SHORT_SECONDS else 1
    separate: list[Timed] = []
    for number in range(rounds):
        if number:
            shared.append(timed(trials, data, shared=True))
        start, end = (len(trials) * each // rounds for each in (number, number + 1))
        separate.append(timed(trials[start:end], data, shared=False))
    alone = [measured for part in separate for measured in part.measured]
    same = all(all(map(equal, each.measured, alone)) for each in shared)
    together = median(sum(each.seconds) for each in shared)
    training = median(seconds for part in separate for seconds in part.seconds)
    equality = "equal to the last bit" if same else "DIFFER"
    figures = f"{together:.2f} s of CPU, a separate trial {training:.2f} s; results {equality}"
    return at_most("11", what, figures, together / training if same else float("inf"), BAR)


def _shared_row(what: str, trials: list[Trial], data: Path | None) -> Row:
    """Measure shared trials; the first one trains."""
    first, *others = timed(trials, data, shared=True).seconds
    figures = f"{first:.1f} s of CPU for the first, {sum(others):.1f} s for the others; results not compared"
    return at_most("11", what, figures, (first + sum(others)) / first, BAR)


def main() -> None:
    """Print the rows."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path)
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--rows", default="", help="measure the rows whose names contain this")
    parser.add_argument("--shared", action="store_true", help="train once, without separate trials")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    measured = rows(options.data, options.epochs, options.rows, shared=options.shared)
    print_rows(measured, as_json=options.json)


if __name__ == "__main__":
    main()
