"""Fixtures of the tests on a real Slurm: its packages, one cluster for the session."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests import faulty_losses
from tests.packages import need
from tests.slurm.devcluster import SCRIPT, Devcluster, raised
from tests.slurm.submitted import Submitted
from tests.trials import sweep_text

PACKAGES = (
    "slurm-wlm",
    "slurm-wlm-basic-plugins",
    "munge",
    "slurmdbd",
    "slurm-wlm-mysql-plugin",
    "mariadb-server-core",
    "mariadb-client-core",
)
# Two trials side by side have 1.5 GB each, one alone 3 GB; Ray takes one.
FAULTY_SITE = """\
site: small
signal_seconds: 30
allowance_minutes: 1.5
driver: {cpus: 1, memory_gb: 3, minutes: 30}
workers: {cpus: 2, memory_gb: 4, minutes: 30, count: 1}
"""
COMMANDS = ("munged", "slurmctld", "slurmd", "sbatch", "slurmdbd", "mariadbd", "mariadb-install-db")


@pytest.fixture(scope="session")
def _slurm() -> None:
    """Slurm's daemons on this machine, installed where that is allowed; else the tests are skipped."""
    need(COMMANDS, PACKAGES)


@pytest.fixture(scope="session")
def cluster(_slurm: None) -> Iterator[Devcluster]:
    """Four nodes of four fake V100s each, up for the whole session; tests restore what they break."""
    # The paths of pytest's folders are too long for Slurm's sockets.
    with tempfile.TemporaryDirectory(prefix="slurm") as parent:
        cluster = Devcluster(Path(parent) / "c")
        # Nodes do not see what is mounted after they have started.
        with _small_file_system(cluster.small), raised(cluster, nodes=4):
            yield cluster


@pytest.fixture(autouse=True)
def _whole_nodes(request: pytest.FixtureRequest) -> None:
    """No node of the cluster is drained; some may be down, where a test wants it so."""
    if "cluster" in request.fixturenames:
        request.getfixturevalue("cluster").resume_drained()


@contextmanager
def _small_file_system(folder: Path) -> Iterator[None]:
    """Mount 64 MB as root; else it is an ordinary folder."""
    folder.mkdir()
    if os.geteuid() != 0:
        yield
        return
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "small", folder], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


@pytest.fixture(scope="module")
def submitted(
    cluster: Devcluster, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[str], Submitted]]:
    """Make the sweep of a name in a folder of its own; what its tests leave is cancelled after the module.

    All nodes take jobs before the module's other fixtures run.
    """
    cluster.await_whole()
    made = []

    def make(name: str) -> Submitted:
        made.append(Submitted(cluster, tmp_path_factory.mktemp(name), name))
        return made[-1]

    yield make
    for sweep in made:
        sweep.cancel_rest()


@pytest.fixture(scope="session")
def faulty_trials(cluster: Devcluster, tmp_path_factory: pytest.TempPathFactory) -> Submitted:
    """A submitted sweep whose trials each fail in a different way; it runs for minutes beside other tests."""
    cluster.await_whole()
    sweep = Submitted(cluster, tmp_path_factory.mktemp("faulty"), "faulty")
    shutil.copy(faulty_losses.__file__, sweep.folder)
    faulty = [f'"faulty_losses:{name}"' for name in ("raises", "is_nan", "hangs", "allocates_memory")]
    sweep.send(sweep_text(f"[{', '.join(faulty)}, CE, {{name: BL, gamma: 0.4}}]", name="faulty"), FAULTY_SITE)
    return sweep


@pytest.fixture
def cluster_of_nobody(_slurm: None) -> Iterator[Devcluster]:
    """One node started by an ordinary user."""
    if os.geteuid() != 0:
        pytest.skip(
            "only root can become another user; without root, `cluster` is an ordinary user's already"
        )
    with tempfile.TemporaryDirectory(prefix="slurm") as parent:
        # The checkout may be where other users cannot read.
        script = Path(shutil.copytree(SCRIPT.parent, Path(parent) / "script")) / SCRIPT.name
        shutil.chown(parent, "nobody")
        with raised(Devcluster(Path(parent) / "c", script, "nobody"), nodes=1) as cluster:
            yield cluster


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Function,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add the state of Slurm to the report of a failure."""
    report = yield
    for cluster in getattr(item, "funcargs", {}).values():
        if report.failed and isinstance(cluster, Devcluster) and cluster.folder.exists():
            report.sections.append(("Slurm", cluster.report()))
    return report
