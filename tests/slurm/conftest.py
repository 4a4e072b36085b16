"""What every test on a real Slurm begins with: its packages, one cluster for the session."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests import faulty_losses
from tests.packages import need
from tests.slurm.devcluster import SCRIPT, Devcluster
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
# Two trials side by side have 1.5 GB each, one alone 3: a gigabyte is Ray's.
FAULTY_SITE = """\
site: small
signal_seconds: 30
allowance_minutes: 1.5
driver: {cpus: 1, memory_gb: 3, minutes: 30}
worker: {cpus: 2, memory_gb: 4, minutes: 30, count: 1}
"""
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
        cluster = Devcluster(Path(parent) / "c")
        # Later than this, no node would see it mounted.
        with _small_file_system(cluster.small):
            yield from _raised(cluster, nodes=4)


@contextmanager
def _small_file_system(folder: Path) -> Iterator[None]:
    """Mount 64 MB where root may; else it is a folder like any other."""
    folder.mkdir()
    if os.geteuid() != 0:
        yield
        return
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "small", folder], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


@pytest.fixture(scope="session")
def faulty_trials(cluster: Devcluster, tmp_path_factory: pytest.TempPathFactory) -> Submitted:
    """A sweep whose trials fail each in its own way, sent; it takes minutes, so let others run beside it."""
    sweep = Submitted(cluster, tmp_path_factory.mktemp("faulty"), "faulty")
    shutil.copy(faulty_losses.__file__, sweep.folder)
    faulty = [f'"faulty_losses:{name}"' for name in ("raises", "is_nan", "hangs", "eats_memory")]
    sweep.send(sweep_text(f"[{', '.join(faulty)}, CE, {{name: BL, gamma: 0.4}}]", name="faulty"), FAULTY_SITE)
    return sweep


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
