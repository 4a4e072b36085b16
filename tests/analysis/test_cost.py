"""Minutes, memory and hours beside the published ones."""

import pytest

from analysis.cost import INFERRED_HOURS, PUBLISHED_HOURS, Published, listings, main, published_cost
from noisebench.records.folders import ResultsFolder
from noisebench.store.store import open_store
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
    text = "".join(listing.markdown() for listing in listings(open_store(folder.results)))
    assert "| digits | confident-learning | small-cnn | cpu | 1 | 2.00 | – | – | – |" in text
    assert "| paper | grid | 1/2 | 0.00 | – | 1.03 |" in text


@pytest.mark.parametrize(
    ("dataset", "detector", "dynamics", "minutes", "memory_gb"),
    [
        ("MNIST", "confident-learning", False, 5, 6),
        ("CIFAR-100N", "confident-learning", False, 15, 6),
        ("MNIST", "confident-learning", True, 60, 3),
        ("CIFAR-100", "confident-learning", True, 240, 6),
        ("CIFAR-100-cleaned-test", "confident-learning", False, None, 3),
        ("CIFAR-100", "aum", False, 150, 7),
    ],
)
def test_the_published_cost_is_that_of_appendix_a1(
    dataset: str, detector: str, dynamics: bool, minutes: float | None, memory_gb: float
) -> None:
    assert published_cost(dataset, detector, dynamics) == Published(minutes, memory_gb)


def test_a_part_of_a_data_set_has_no_published_cost() -> None:
    assert published_cost("MNIST:3000", "confident-learning", False) is None


def test_hours_of_a_block_are_labelled_as_inferred_and_sum_to_the_printed_total(folder: Folder) -> None:
    folder.manifest({"grid": [trial()]})
    _, hours = listings(open_store(folder.results))
    assert "V100-hours, inferred" in hours.heads
    assert hours.notes[0].startswith("Of the published hours only the total is printed, 1,800 V100-hours.")
    assert sum(INFERRED_HOURS.values()) == pytest.approx(PUBLISHED_HOURS, rel=0.01)
