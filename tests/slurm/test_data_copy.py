"""The data on a node's own disk: what the sweep reads, nothing else, gone afterwards."""

from dataclasses import replace
from pathlib import Path

import pytest

from noisebench.errors import EnvironmentFault
from noisebench.records.folders import ResultsFolder
from noisebench.records.manifest import keep_sweep
from noisebench.slurm.data_copy import node_data
from noisebench.slurm.site import parse_site
from noisebench.slurm.submission import Submission, submission_for
from tests.trials import sweep_of

SITE = "site: x\ndriver: {{minutes: 60}}\nworkers: {{minutes: 30, count: 1}}\nfolders: {folders}\n"


@pytest.fixture
def submission(tmp_path: Path, real_data: Path) -> Submission:
    """A sweep over real MNIST, to be copied to the folder `disk`."""
    (tmp_path / "disk").mkdir()
    results = ResultsFolder(tmp_path / "results")
    sweep = sweep_of(dataset="MNIST")
    keep_sweep(results.sweep(sweep.name), sweep)
    site = parse_site(SITE.format(folders=f"{{copy_data: true, scratch: {tmp_path / 'disk'}}}"), "x.yaml")
    return submission_for(results.sweep(sweep.name), sweep.trials(), site, real_data)


@pytest.mark.data
def test_what_the_sweep_reads_is_copied(submission: Submission, tmp_path: Path, real_data: Path) -> None:
    with node_data(submission) as copy:
        assert copy is not None
        assert copy.is_relative_to(tmp_path / "disk")
        found = sorted(path.relative_to(copy) for path in copy.rglob("*") if path.is_file())
        assert {path.parts[0] for path in found} == {"MNIST"}
        assert len(found) >= 4
        for path in found:
            assert (copy / path).read_bytes() == (real_data / path).read_bytes()
    assert list((tmp_path / "disk").iterdir()) == []


@pytest.mark.data
def test_a_scratch_folder_that_is_missing(submission: Submission, tmp_path: Path) -> None:
    (tmp_path / "disk").rmdir()
    with (
        pytest.raises(EnvironmentFault, match=r"no such folder on this node; correct `folders.scratch`"),
        node_data(submission),
    ):
        pass


@pytest.mark.data
def test_without_a_copy_the_shared_folder_is_read(submission: Submission, real_data: Path) -> None:
    site = parse_site(SITE.format(folders="{copy_data: false}"), "x.yaml")
    with node_data(replace(submission, site=site)) as folder:
        assert folder == real_data
