"""`noisebench detect` on data with thousands of classes."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from noisebench.records.folders import ResultsFolder
from tests.command import noisebench_here

CLASSES, OF_CLASS, PLANTED = 2000, 5, 400
QUICK = ("--loss", "CE", "--model", "linear", "--set", "training.epochs=6", "--inline")
OPTIONS = (*QUICK, "--set", "training.learning_rate=0.02")


def written(file: Path) -> set[str]:
    """Write feature vectors around a centre for each class, some with a wrong label; return those ids."""
    rng = np.random.default_rng(0)
    true = np.repeat(np.arange(CLASSES), OF_CLASS)
    features = rng.normal(size=(CLASSES, 64))[true] + rng.normal(scale=0.4, size=(len(true), 64))
    wrong = rng.choice(len(true), PLANTED, replace=False)
    given = true.copy()
    given[wrong] = (given[wrong] + rng.integers(1, CLASSES, PLANTED)) % CLASSES
    np.savez(file, X=features.astype(np.float32), y=given)
    return {f"{number:04}" for number in wrong}


@pytest.mark.slow
def test_thousands_of_classes(tmp_path: Path) -> None:
    wrong = written(tmp_path / "many.npz")
    results = tmp_path / "results"
    done = noisebench_here("detect", "many.npz", *OPTIONS, results=results, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    files = ResultsFolder(results).sweep("many")
    suspects = set(pd.read_csv(files.suspects / "suspects.csv", dtype=str)["id"])
    assert len(suspects & wrong) >= 0.8 * PLANTED
    assert len(suspects & wrong) >= 0.9 * len(suspects)
    # A table of 2,000 lines would hide the rest.
    lines = done.stdout.splitlines()
    assert lines[1] == "the 20 classes with the most suspects, of 2,000:"
    assert lines[22] == "most confused (given -> suggested):"
    again = noisebench_here("detect", "many.npz", *OPTIONS, "--json", results=results, cwd=tmp_path)
    assert len(json.loads(again.stdout)["by_class"]) == CLASSES
