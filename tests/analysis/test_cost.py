"""Minutes, memory and hours beside the published ones."""

import pytest

from analysis.cost import listings, main, published_cost
from noisebench.records.folders import ResultsFolder
from tests.store.results_folder import Folder, ended, started, trial, unsuccessful


def test_the_published_cost_stands_beside_ours(
    paper: ResultsFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--results", str(paper.root)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "| CIFAR-100 | aum | resnet-32 | SYNTHETIC-V100 | 72 | 150 | 150 | 6.84 | 7.00 |" in lines
    assert "| paper | table1 | 7680/7680 | 1,280 | 1,280 | 0.00 |" in lines
    assert "| paper | table5 | 36/36 | 90.00 | 90.00 | 0.00 |" in lines


def test_failed_attempts_cost_hours_but_no_minutes_a_trial(folder: Folder) -> None:
    folder.manifest({"grid": [trial(), trial(seed=1)]})
    folder.journal(started(trial(), "a"), unsuccessful(trial(), "a", seconds=3600.0))
    folder.journal(started(trial(), "b", 20), ended(trial(), "b", 30, seconds=120.0))
    text = "".join(listing.markdown() for listing in listings(folder.results))
    assert "| digits | confident-learning | small-cnn | cpu | 1 | 2.00 | – | – | – |" in text
    assert "| paper | grid | 1/2 | 0.00 | – | 1.03 |" in text


def test_a_part_of_a_data_set_has_no_published_cost() -> None:
    assert published_cost("MNIST:3000", "confident-learning", False) is None
    dynamics = published_cost("CIFAR-100", "confident-learning", True)
    assert dynamics is not None
    assert dynamics.minutes == 240
