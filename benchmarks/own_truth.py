"""What `noisebench detect` found, beside the true labels; and a review that answers with the true labels."""

from __future__ import annotations

import csv
import json
import resource
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import psutil

from noisebench.cli.judged import completed_trials, has_probabilities, scores_of
from noisebench.data.own.read import read_source
from noisebench.records.folders import ResultsFolder
from noisebench.records.manifest import kept_sweep
from noisebench.review.decisions import Verdict, View
from noisebench.review.files import SuspectFiles
from noisebench.science.metrics import detection_metrics, ranking_metrics
from noisebench.sweep.components import describe
from noisebench.sweep.detect_sweep import BLOCK

PRECISION, FIRST = 0.9, 100
COMMAND = [sys.executable, "-m", "noisebench"]

Labels = npt.NDArray[np.int64]


class CpuSeconds(threading.Thread):
    """Adds up the CPU time of a process and its descendants, those of Ray included, until it ends.

    The time of a process after the last look at it is lost: at most `EVERY` seconds.
    """

    EVERY = 0.5

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self.root, self.seen = psutil.Process(pid), dict[tuple[int, float], float]()

    def run(self) -> None:
        """Look at all processes until the first one has ended."""
        while self.root.is_running() and self.root.status() != psutil.STATUS_ZOMBIE:
            try:
                for each in (self.root, *self.root.children(recursive=True)):
                    times = each.cpu_times()
                    self.seen[each.pid, each.create_time()] = times.user + times.system
            except psutil.NoSuchProcess:
                pass
            time.sleep(self.EVERY)

    @property
    def total(self) -> float:
        """The seconds so far."""
        return sum(self.seen.values())


def found_beside_truth(data: Path, true: Labels, results: Path, options: list[str]) -> dict[str, Any]:
    """Run `detect` on data of which the sample named k, or k.png, has the label `true[k]`; compare both."""
    began = time.perf_counter()
    command = [*COMMAND, "detect", str(data), "--results", str(results), "--json", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        cpu = CpuSeconds(process.pid)
        cpu.start()
        answer = process.communicate()[0]
        seconds = time.perf_counter() - began
        cpu.join()
    if process.returncode:
        raise SystemExit(f"detect failed with {process.returncode}")
    summary = json.loads(answer)
    folder = ResultsFolder(results.absolute()).sweep(summary["sweep"])
    table = pd.read_parquet(SuspectFiles(folder.suspects).all)
    right = true[[int(Path(name).stem) for name in table["id"]]].astype(str)
    wrong, suspects = table["given"].to_numpy() != right, summary["suspects"]
    return {
        **_ranked(table["suspicion"].to_numpy(), wrong, suspects),
        "f1_by_loss": _by_loss(data, true, results, summary["sweep"]),
        "bracket": summary["bracket"],
        "review": _reviewed(table, right, results, summary["sweep"]),
        "wall_seconds": seconds,
        "cpu_seconds": cpu.total,
        "peak_memory_mb": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024,
    }


def _ranked(
    suspicion: npt.NDArray[np.float64], wrong: npt.NDArray[np.bool_], suspects: int
) -> dict[str, Any]:
    """Return the metrics of samples by rank, of which the first `suspects` are flagged."""
    hits = np.cumsum(wrong)
    precise = np.flatnonzero(hits / np.arange(1, len(hits) + 1) >= PRECISION)
    flagged = detection_metrics(np.arange(len(wrong)) < suspects, wrong)
    return {
        "wrong": int(wrong.sum()),
        "suspects": suspects,
        **{name: flagged[name] for name in ("precision", "recall", "f1")},
        "recall_at_90_precision": hits[precise[-1]] / wrong.sum() if len(precise) else 0.0,
        "auroc": ranking_metrics(suspicion, wrong)["auroc"],
        "precision_at_100": hits[FIRST - 1] / FIRST,
    }


def _by_loss(data: Path, true: Labels, results: Path, name: str) -> dict[str, float]:
    """Return the F1 of each loss alone, as one training of it judges."""
    root = ResultsFolder(results.absolute())
    source = read_source(str(data))
    right = true[[int(Path(each).stem) for each in source.ids]].astype(str)
    wrong = np.array(source.classes)[source.labels] != right
    trials = completed_trials(kept_sweep(root.sweep(name)), root, BLOCK)
    return {
        describe(trial.loss): detection_metrics(scores_of(trial, root)["flagged"], wrong)["f1"]
        for trial in trials
        if has_probabilities(trial)
    }


def _reviewed(table: pd.DataFrame, right: npt.NDArray[np.str_], results: Path, name: str) -> dict[str, Any]:
    """Return what `review` estimates after the true labels have answered all random cards."""
    files = SuspectFiles(ResultsFolder(results.absolute()).sweep(name).suspects)
    cards = json.loads(files.report.read_text(encoding="utf-8"))["cards"]
    decisions = results / f"decisions-{name}.csv"
    with decisions.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("id", "sha256", "given", "verdict", "corrected", "view", "cards"))
        for row in (rank - 1 for rank in cards["drawn"]):
            sample, is_wrong = table.iloc[row], table["given"].iloc[row] != right[row]
            verdict, label = (Verdict.RELABEL, right[row]) if is_wrong else (Verdict.KEEP, "")
            fields = (
                sample["id"],
                sample["sha256"],
                sample["given"],
                verdict.value,
                label,
                View.RANDOM.value,
                cards["hash"],
            )
            writer.writerow(fields)
    command = [*COMMAND, "review", name, "--decisions", str(decisions), "--results", str(results), "--json"]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE)
    return {"cards": len(cards["drawn"]), "wrong": json.loads(done.stdout)["total"]}
