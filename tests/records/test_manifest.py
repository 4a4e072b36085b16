"""A sweep is stored as submitted; another sweep of the same name replaces it only on request."""

from pathlib import Path

import pytest

from noisebench.errors import InputError
from noisebench.records.folders import ResultsFolder, SweepFolder
from noisebench.records.manifest import keep_sweep, kept_trials
from tests.trials import sweep_of


@pytest.fixture
def folder(tmp_path: Path) -> SweepFolder:
    return ResultsFolder(tmp_path).sweep("test")


def test_another_sweep_of_the_same_name_is_refused_with_the_difference(folder: SweepFolder) -> None:
    keep_sweep(folder, sweep_of("[CE, GCE]", seeds="2"))
    before = (folder.spec.read_text(), folder.manifest.read_text())
    with pytest.raises(InputError, match=r"2 trials that this one lacks \(2 of block grid; for") as refused:
        keep_sweep(folder, sweep_of("[CE, FL]", seeds="2"))
    assert "this one has 2 that it lacks" in str(refused.value)
    assert "--replace" in str(refused.value)
    assert (folder.spec.read_text(), folder.manifest.read_text()) == before


def test_a_sweep_is_replaced_on_request(folder: SweepFolder) -> None:
    keep_sweep(folder, sweep_of("[CE, GCE]", seeds="2"))
    other = sweep_of("FL")
    keep_sweep(folder, other, replace=True)
    assert kept_trials(folder.manifest) == {("grid", trial.trial_id) for trial in other.trials()}


def test_a_sweep_with_more_seeds_and_another_comment_is_the_same_sweep(folder: SweepFolder) -> None:
    keep_sweep(folder, sweep_of(seeds="2"))
    keep_sweep(folder, sweep_of(seeds="3", more="# a comment"))
    assert len(kept_trials(folder.manifest)) == 3
    assert "# a comment" in folder.spec.read_text()
