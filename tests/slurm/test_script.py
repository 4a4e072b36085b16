"""The scripts equal those in golden/, and a real sbatch accepts them."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from noisebench.records.folders import ResultsFolder
from noisebench.slurm.script import arrays, scripts
from noisebench.slurm.site import load_site, parse_site
from noisebench.slurm.submission import Submission
from tests.command import noisebench
from tests.slurm.devcluster import Devcluster
from tests.trials import sweep_text

SITES = Path(__file__).parents[2] / "slurm/sites"
GOLDEN = Path(__file__).parent / "golden"
RESULTS = ResultsFolder(Path("/shared/results"))


def rendered(submission: Submission) -> dict[str, str]:
    return {f"{submission.site.site}-{what.replace(' ', '-')}.sh": text for what, text in scripts(submission)}


@pytest.mark.parametrize("site", sorted(SITES.glob("*.yaml")), ids=lambda path: path.stem)
def test_scripts_equal_the_golden_ones(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/opt/venv/bin/python")
    found = rendered(Submission(RESULTS.sweep("test"), load_site(site), 3))
    assert list(found) == [f"{site.stem}-{what}.sh" for what in ("driver", "standby-driver", "3-workers")]
    assert found == {name: (GOLDEN / name).read_text() for name in found}


def test_the_guide_and_the_example_bind_the_same_into_a_container() -> None:
    guide = (SITES.parents[1] / "docs/running-on-your-cluster.md").read_text()
    container = re.search(r"^container:\n(?: .*\n)+", guide, re.M)
    assert container is not None
    text = f"site: x\ndriver: {{minutes: 60}}\nworkers: {{minutes: 30, count: 1}}\n{container[0]}"
    example = load_site(SITES / "example-multi-gpu.yaml").container
    assert parse_site(text, "guide").container == example
    assert example is not None
    # Slurm's commands ask munge, through its library, and its socket.
    for path in ("libmunge.so.2", "/var/run/munge", "/etc/slurm", "/usr/bin/sbatch"):
        assert path in example.command


def test_every_golden_file_belongs_to_a_site() -> None:
    sites = [path.stem for path in SITES.glob("*.yaml")]
    assert [path.name for path in GOLDEN.iterdir() if not path.name.startswith(tuple(sites))] == []


OTHER = """\
site: other
account: my-project
requeue: false
mail: {user: me@example.org}
driver: {minutes: 60, reservation: night, memory_gb: 0}
workers: {minutes: 30, count: 7, sbatch_extra: {exclusive: true, nice: 100}}
limits: {array_size: 3}
"""


def test_the_options_of_a_site_are_in_the_script() -> None:
    found = rendered(Submission(RESULTS.sweep("test"), parse_site(OTHER, "other.yaml"), 7))
    assert list(found)[2:] == ["other-3-workers.sh", "other-1-worker.sh"]
    driver, worker = found["other-driver.sh"], found["other-1-worker.sh"]
    for line in ("account=my-project", "no-requeue", "mail-type=NONE", "reservation=night", "mem=0G"):
        assert f"#SBATCH --{line}\n" in driver
    assert "#SBATCH --exclusive\n" in worker
    assert "#SBATCH --nice=100\n" in worker
    assert "--array" not in worker
    assert "--gres" not in worker


def test_arrays_respect_the_sites_limit() -> None:
    site = parse_site(OTHER, "other.yaml")
    submission = Submission(RESULTS.sweep("test"), site, 7)
    sizes = [[size for _, size in arrays(submission, workers)] for workers in (7, 6, 2, 0)]
    assert sizes == [[3, 3, 1], [3, 3], [2], []]


TWO_POOLS = """\
site: pools
driver: {minutes: 60}
workers:
  - {partition: v100, minutes: 30, count: 3, gpu_request: "--gres=gpu:v100:4"}
  - {partition: a100, minutes: 60, count: 2, memory_gb: 64, gpu_request: "--gres=gpu:a100:8"}
"""


@pytest.mark.parametrize(
    ("workers", "present", "sizes"),
    [
        (2, {}, [(0, 2)]),
        (5, {}, [(0, 3), (1, 2)]),
        (7, {}, [(0, 5), (1, 2)]),
        (2, {0: 3}, [(1, 2)]),
        (1, {0: 1, 1: 2}, [(0, 1)]),
    ],
)
def test_pools_are_filled_in_their_order(
    workers: int, present: dict[int, int], sizes: list[tuple[int, int]]
) -> None:
    submission = Submission(RESULTS.sweep("test"), parse_site(TWO_POOLS, "x.yaml"), 5)
    assert [(pool.pool, size) for pool, size in arrays(submission, workers, present)] == sizes


def test_each_pool_has_its_own_script() -> None:
    found = rendered(Submission(RESULTS.sweep("test"), parse_site(TWO_POOLS, "x.yaml"), 5))
    first, second = found["pools-3-workers.sh"], found["pools-2-workers.sh"]
    for line in ("partition=v100", "gres=gpu:v100:4", "time=30", "array=0-2%3"):
        assert f"#SBATCH --{line}\n" in first
    for line in ("partition=a100", "gres=gpu:a100:8", "time=60", "mem=64G", "array=0-1%2"):
        assert f"#SBATCH --{line}\n" in second


class BatchJob:
    """A worker's script with stubs of srun and scontrol in its PATH; it runs as task 1 of array 7."""

    def __init__(self, folder: Path) -> None:
        submission = Submission(
            ResultsFolder(folder / "my results").sweep("test"), parse_site(SETUP, "x.yaml"), 3
        )
        self.messages = submission.messages
        self.messages.begin()
        self._folder = folder
        self._script = folder / "script.sh"
        self._script.write_text(rendered(submission)["setup-3-workers.sh"])

    def run(self, srun: str) -> tuple[int, list[str]]:
        """Run the script with these lines for srun; return its exit code and the calls of scontrol."""
        calls = self._folder / "calls"
        calls.write_text("")
        for name, lines in (("srun", srun), ("scontrol", f'echo "$*" >> {calls}')):
            stub = self._folder / "bin" / name
            stub.parent.mkdir(exist_ok=True)
            stub.write_text(f"#!/bin/bash\n{lines}\n")
            stub.chmod(0o755)
        environment = {"PATH": f"{self._folder / 'bin'}:/usr/bin:/bin", "SLURM_JOB_ID": "9"}
        array = {"SLURM_ARRAY_JOB_ID": "7", "SLURM_ARRAY_TASK_ID": "1"}
        done = subprocess.run(["bash", self._script], env={**environment, **array}, timeout=60, check=False)
        return done.returncode, calls.read_text().splitlines()


# The site's own lines may use any name.
SETUP = """\
site: setup
driver: {minutes: 60}
workers: {minutes: 30, count: 3}
setup: [job=mine]
"""


@pytest.fixture
def batch_job(tmp_path: Path) -> BatchJob:
    return BatchJob(tmp_path)


def test_a_worker_that_asked_for_it_is_requeued_once(batch_job: BatchJob) -> None:
    note = batch_job.messages.workers.requeue_folder / "7_1"
    assert batch_job.run(f"touch '{note}'; exit 1") == (0, ["requeue 7_1"])
    assert batch_job.messages.workers.wants_requeue("7_1"), "for the driver, if the batch script cannot do it"
    # Now its Python does not start, as in a broken environment or image.
    assert batch_job.run("exit 3") == (3, [])
    assert not batch_job.messages.workers.wants_requeue("7_1")


@pytest.mark.slurm
def test_a_real_sbatch_accepts_them(cluster: Devcluster) -> None:
    before = cluster.submit("sleep 600")
    results = ResultsFolder(cluster.folder / "results")
    site = load_site(SITES / "devcluster.yaml")
    for name, text in rendered(Submission(results.sweep("test"), site, 3)).items():
        script = cluster.folder / name
        script.write_text(text.replace("DRIVER", before))
        cluster.run("sbatch", "--test-only", str(script))
    cluster.run("scancel", before)


@pytest.mark.slow
def test_dry_run_prints_every_script_and_touches_nothing(tmp_path: Path) -> None:
    (tmp_path / "sweep.yaml").write_text(sweep_text(seeds="5"))
    site = SITES / "devcluster.yaml"
    done = noisebench("submit", "sweep.yaml", "--site", site, "--dry-run", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    # Five trials fill two workers of four GPUs each.
    titles = [line for line in done.stdout.splitlines() if line.startswith("#####")]
    assert titles == ["##### driver", "##### standby driver", "##### 2 workers"]
    assert done.stdout.count("#!/bin/bash\n") == 3
    assert f"{tmp_path}/results/sweeps/test/slurm/jobs" in done.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["sweep.yaml"]


@pytest.mark.slow
def test_a_wrong_site_is_an_input_error(tmp_path: Path) -> None:
    (tmp_path / "sweep.yaml").write_text(sweep_text())
    done = noisebench("submit", "sweep.yaml", "--site", "nowhere.yaml", "--dry-run", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert "nowhere.yaml: cannot be read: No such file or directory" in done.stderr
