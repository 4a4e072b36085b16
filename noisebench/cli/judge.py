"""`noisebench judge`: detectors on probabilities that were computed elsewhere, without training."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from noisebench.cli.options import Json
from noisebench.errors import InputError

if TYPE_CHECKING:
    from noisebench.data.given_probabilities import GivenProbabilities
    from noisebench.detectors.judgement import Judgement

METRICS = ("auroc", "average_precision", "precision", "recall", "f1")


def judge(
    probabilities: Annotated[
        Path, typer.Argument(help="Out-of-fold probabilities [N, K], .npy or .npz.", dir_okay=False)
    ],
    labels: Annotated[Path, typer.Argument(help="Given labels [N], whole numbers from 0.", dir_okay=False)],
    detector: Annotated[
        list[str] | None,
        typer.Option("--detector", metavar="NAME", help="Run only this one; repeatable. Default: all."),
    ] = None,
    truth: Annotated[
        Path | None, typer.Option("--truth", help="True labels [N], to score the detectors.", dir_okay=False)
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Write the flagged samples to this CSV file.", dir_okay=False)
    ] = None,
    as_json: Json = False,
) -> None:
    """Judge given labels by given probabilities; no model is trained.

    The probabilities of a sample must come from a model that was not trained on it.
    """
    from noisebench.data.given_probabilities import read
    from noisebench.detectors import given as given_detectors

    known = given_detectors.detectors()
    names = list(dict.fromkeys(given_detectors.ALIASES.get(name, name) for name in detector or known))
    for name in names:
        if name not in known:
            raise InputError(f"--detector {name}: unknown here; known: {', '.join(known)}")
    given = read(probabilities, labels, truth)
    judgements = {
        name: given_detectors.judge(known[name], given.labels, given.probabilities) for name in names
    }
    if out is not None:
        _write_flagged(out, given, judgements)
    rows = [{"detector": name, **_row(given, judgement)} for name, judgement in judgements.items()]
    if as_json:
        samples, classes = given.probabilities.shape
        print(json.dumps({"samples": samples, "classes": classes, "detectors": rows}))
    else:
        _print_table(rows)


def _row(given: GivenProbabilities, judgement: Judgement) -> dict[str, Any]:
    """The number flagged; with true labels also the metrics, None where one is undefined."""
    from noisebench.science.metrics import detection_metrics, ranking_metrics

    detection = judgement.detection
    assert detection is not None
    row: dict[str, Any] = {"flagged": int(detection.flagged.sum()), "knows_rate": judgement.knows_rate}
    if given.truth is None:
        return row
    wrong = given.labels != given.truth
    metrics = {**ranking_metrics(detection.suspicion, wrong), **detection_metrics(detection.flagged, wrong)}
    row["wrong_labels"] = metrics["wrong_labels"]
    return row | {name: None if math.isnan(metrics[name]) else metrics[name] for name in METRICS}


def _print_table(rows: list[dict[str, Any]]) -> None:
    """One line for each detector, columns aligned."""
    columns = ["detector", "flagged", *(name for name in METRICS if name in rows[0])]
    lines = [columns, *([_text(row[column]) for column in columns] for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(columns))]
    for first, *others in lines:
        cells = (cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True))
        print("  ".join([first.ljust(widths[0]), *cells]))


def _text(value: Any) -> str:
    return "–" if value is None else f"{value:.4f}" if isinstance(value, float) else str(value)


def _write_flagged(path: Path, given: GivenProbabilities, judgements: dict[str, Judgement]) -> None:
    """A row for each detector and sample that it flags, the most suspect first; samples count from 0."""
    import numpy as np

    predicted = given.probabilities.argmax(axis=1)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["detector", "sample", "given", "predicted", "suspicion"])
        for name, judgement in judgements.items():
            detection = judgement.detection
            assert detection is not None
            flagged = np.flatnonzero(detection.flagged)
            for sample in flagged[np.argsort(-detection.suspicion[flagged], kind="stable")].tolist():
                suspicion = f"{detection.suspicion[sample]:.6g}"
                table.writerow([name, sample, int(given.labels[sample]), int(predicted[sample]), suspicion])
