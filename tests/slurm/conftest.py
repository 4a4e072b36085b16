"""What every test on a real Slurm begins with: its packages, one cluster for the session."""

import os
import shutil
import tempfile
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from tests.packages import need
from tests.slurm.devcluster import SCRIPT, Devcluster

PACKAGES = (
    "slurm-wlm",
    "slurm-wlm-basic-plugins",
    "munge",
    "slurmdbd",
    "slurm-wlm-mysql-plugin",
    "mariadb-server-core",
    "mariadb-client-core",
)
COMMANDS = ("munged", "slurmctld", "slurmd", "sbatch", "slurmdbd", "mariadbd", "mariadb-install-db")


@pytest.fixture(scope="session")
def _slurm() -> None:
    """Slurm's daemons on this machine, by Debian's packages where we may; else the tests are skipped."""
    need(COMMANDS, PACKAGES)


@pytest.fixture(scope="session")
def cluster(_slurm: None) -> Iterator[Devcluster]:
    """Four nodes of four fake V100s each, up for the whole session; leave them as you found them."""
    # pytest's own folders are too deep for Slurm's sockets.
    with tempfile.TemporaryDirectory(prefix="slurm") as parent:
        yield from _raised(Devcluster(Path(parent) / "c"), nodes=4)


@pytest.fixture
def cluster_of_nobody(_slurm: None) -> Iterator[Devcluster]:
    """One node raised entirely by an ordinary user."""
    if os.geteuid() != 0:
        pytest.skip(
            "only root can become another user; without root, `cluster` is an ordinary user's already"
        )
    with tempfile.TemporaryDirectory(prefix="slurm") as parent:
        # The checkout may lie where nobody else can read.
        script = Path(shutil.copytree(SCRIPT.parent, Path(parent) / "script")) / SCRIPT.name
        shutil.chown(parent, "nobody")
        yield from _raised(Devcluster(Path(parent) / "c", script, "nobody"), nodes=1)


def _raised(cluster: Devcluster, nodes: int) -> Iterator[Devcluster]:
    try:
        cluster.must("up", str(nodes))
        yield cluster
    finally:
        cluster.must("down")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Function,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show what Slurm says beside a failure."""
    report = yield
    for cluster in getattr(item, "funcargs", {}).values():
        if report.failed and isinstance(cluster, Devcluster) and cluster.folder.exists():
            report.sections.append(("Slurm", cluster.report()))
    return report
