"""The rows of measured results in the repository."""

from pathlib import Path

import pytest

from noisebench.store.query import named, query
from tests.store.results_folder import Folder, ended, started, trial

PUBLISHED = Path(__file__).parents[2] / "analysis" / "published.csv"


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """Two seeds of two losses, measured by two commits on two kinds of hardware."""
    found = Folder(tmp_path / "results")
    trials = [trial(loss, seed) for loss in ("CE", "GCE") for seed in (0, 1)]
    found.manifest({"first": trials})
    cpu = {"versions": {"python": "3.11", "cpu": "Some CPU"}}
    for each in trials:
        name = f"{each.loss.name}-{each.seed}"
        where = cpu if each.seed == 0 else {"device": "cuda:0 Some GPU", "commit": "def"}
        result = {"f1": 0.8 + 0.1 * each.seed, "balanced_accuracy": 0.7}
        found.journal(started(each, name, **where), ended(each, name, result=result))
    return found


@pytest.mark.slow
def test_a_row_has_the_result_the_machine_and_the_command_that_repeats_it(folder: Folder) -> None:
    answer = query(folder.results, named("measured"))
    rows = [dict(zip(answer.columns, row, strict=True)) for row in answer.rows()]
    assert [(row["loss"], row["metric"]) for row in rows] == [
        (loss, metric) for loss in ("CE", "GCE") for metric in ("balanced_accuracy", "f1")
    ]
    row = rows[1]
    assert (row["source"], row["block"], row["seeds"]) == ("paper", "first", 2)
    assert (row["mean"], row["std"]) == (0.85, 0.070711)
    assert (row["learning_rate"], row["input_scale"], row["batch_size"]) == ("0.001", "unit", "64")
    assert row["commit"] == "abc def"
    assert row["hardware"] == "cuda:0 Some GPU; one thread of Some CPU"
    assert row["command"] == "noisebench run sweeps/paper.yaml --data DIR"


def test_a_row_has_the_columns_of_the_published_numbers(folder: Folder) -> None:
    measured = query(folder.results, named("measured")).columns
    published = PUBLISHED.read_text().partition("\n")[0].split(",")
    assert measured[: len(published)] == published
