"""`noisebench detect --site`: the suspects are those of a run on one machine."""

from pathlib import Path

import numpy as np
import pytest

from tests.command import noisebench
from tests.data.own.pictures import checkers
from tests.slurm.devcluster import Devcluster
from tests.slurm.submitted import Submitted

SITE = """\
site: small
signal_seconds: 30
driver: {cpus: 1, memory_gb: 3, minutes: 30}
workers: {cpus: 2, memory_gb: 4, minutes: 30, count: 1}
"""
ARGUMENTS = ("detect", "stripes", "--set", "training.epochs=15")


@pytest.mark.slurm
@pytest.mark.slow
def test_a_cluster_finds_the_same_suspects_as_one_machine(cluster: Devcluster, tmp_path: Path) -> None:
    _, wrong = checkers(tmp_path / "stripes", 120, 8)
    sweep = Submitted(cluster, tmp_path, "stripes")
    (tmp_path / "site.yaml").write_text(SITE)
    on_site = (*ARGUMENTS, "--site", "site.yaml", "--results", "results")
    assert "driver" in sweep.must(*on_site)
    suspects = sweep.results.sweep("stripes").suspects / "suspects.csv"
    assert not suspects.exists()
    sweep.await_end()
    assert "labels are suspected" in sweep.must(*on_site)
    done = noisebench(*ARGUMENTS, "--inline", results=tmp_path / "local", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    local = tmp_path / "local" / suspects.relative_to(sweep.results.root)
    assert suspects.read_bytes() == local.read_bytes()
    lines = suspects.read_text().splitlines()[1:]
    assert wrong <= {line.split(",")[1] for line in lines}


@pytest.mark.slurm
@pytest.mark.slow
def test_status_warns_of_a_model_that_does_not_learn_on_a_cluster(
    cluster: Devcluster, tmp_path: Path
) -> None:
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "noise.npz", X=rng.normal(size=(60, 3)), y=rng.integers(0, 2, 60))
    sweep = Submitted(cluster, tmp_path, "noise")
    (tmp_path / "site.yaml").write_text(SITE)
    losses = ("--loss", "[CE, {name: BL, gamma: 0.4}]", "--set", "training.epochs=2")
    sweep.must("detect", "noise.npz", *losses, "--site", "site.yaml", "--results", "results")
    sweep.await_end()
    assert "warning: after the first of 2 trials, the model does not learn: CE" in sweep.must(
        "status", "noise", "--results", "results"
    )
