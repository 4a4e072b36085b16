"""Sweeps on a real Slurm: results as from one machine, sweeps apart, and how they end."""

import json
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from noisebench.records.folders import ResultsFolder
from noisebench.slurm.site import parse_site
from noisebench.slurm.submission import places_of_worker
from noisebench.slurm.supervisor import MAX_SENDS
from noisebench.store.blocks import sweep_tables
from noisebench.store.store import open_store
from tests.command import noisebench
from tests.slurm.devcluster import Devcluster
from tests.slurm.raw_journal import lines_of
from tests.slurm.submitted import TWO_WORKERS, Submitted
from tests.trials import QUICK, sweep_text

pytestmark = [pytest.mark.slurm, pytest.mark.slow]

QUICKSTART = Path(__file__).parents[2] / "sweeps/quickstart.yaml"
# Two trials at a time share the one GPU of each worker.
SHARED_GPUS = f"{TWO_WORKERS}trials_per_gpu: {{small-cnn: 2}}\n"
# A GPU of the second pool takes two trials at a time.
TWO_POOLS = """\
site: pools
signal_seconds: 30
driver: {cpus: 1, memory_gb: 3, minutes: 30}
workers:
  - {cpus: 1, memory_gb: 4, minutes: 30, count: 1, gpu_request: "--gres=gpu:v100:1"}
  - partition: cheap
    gpu_request: --gres=gpu:v100:2
    trials_factor: 2
    cpus: 2
    memory_gb: 6
    minutes: 20
    count: 1
"""
# Every worker's job ends before its Python starts.
ENDING = f"{TWO_WORKERS}setup: ['case $SLURM_JOB_NAME in *-worker) exit 1;; esac']\n"
# Every driver's job ends before its Python starts.
HEADLESS = f"{TWO_WORKERS}head_wait_minutes: 1\nsetup: ['case $SLURM_JOB_NAME in *-driver) exit 1;; esac']\n"
# The command line whose driver looks after its jobs six times as often: it gives up within a minute or two.
QUICK_DRIVER = """
import noisebench.slurm.submit
from noisebench.cli.app import main


def quick(submission):
    from noisebench.slurm import driver

    driver.ROUND_SECONDS = 5.0
    return driver.drive(submission)


noisebench.slurm.submit.drive = quick
main()
"""


def text_of(name: str, **parts: str) -> str:
    return sweep_text("[CE, {name: BL, gamma: 0.4}]", name=name, **parts)


def quickstart(name: str) -> str:
    """Return the quickstart as a sweep of another name: its 57 trials, with fewer samples and epochs."""
    text = QUICKSTART.read_text().replace("sweep: quickstart", f"sweep: {name}")
    text = text.replace("dataset: digits", "dataset: {name: digits, samples: 400}")
    return text.replace("    seeds: 3", f"    training: {QUICK}\n    seeds: 3")


def places(text: str) -> int:
    """Return how many trials of the small CNN run at a time on all workers of a site."""
    site = parse_site(text, "site.yaml")
    trials_per_gpu = site.trials_per_gpu.get("small-cnn", 1)
    return sum(job.count * places_of_worker(job, trials_per_gpu) for job in site.workers)


def most_at_once(sweep: Submitted) -> dict[str, int]:
    """Return how many attempts at most ran at the same time on each worker."""
    lines, _ = lines_of(sweep.results.sweep(sweep.name).journal)
    workers = {line["attempt_id"]: line["worker"] for line in lines if line["event"] == "started"}
    # An end comes before the start of the same moment.
    changes = sorted(
        (line[f"{line['event']}_at"], 1 if line["event"] == "started" else -1, workers[line["attempt_id"]])
        for line in lines
    )
    running, most = Counter[str](), Counter[str]()
    for _, change, worker in changes:
        running[worker] += change
        most[worker] = max(most[worker], running[worker])
    return dict(most)


def printed(sweep: Submitted) -> list[dict[str, Any]]:
    """Return the cells of a sweep; the last bit of a mean depends on the order of the trials."""
    cells = sweep_tables(open_store(sweep.results), sweep.name, "f1")
    return [
        {key: round(value, 12) if isinstance(value, float) else value for key, value in asdict(cell).items()}
        for cell in cells
    ]


def test_two_sweeps_at_once_equal_those_of_one_machine(cluster: Devcluster, tmp_path: Path) -> None:
    first, second = (Submitted(cluster, tmp_path, name) for name in ("first", "second"))
    sent = first.send(quickstart("first"), SHARED_GPUS)
    pools = second.send(text_of("second", seeds="[2, 3, 4, 5]"), TWO_POOLS)
    assert [line.split()[0] for line in pools.splitlines()] == ["driver", "standby", "workers", "workers"]
    assert [line.split()[0] for line in sent.splitlines()] == ["driver", "standby", "workers"]
    again = first.noisebench("submit", "first.yaml", "--site", "first-site.yaml")
    assert again.returncode == 2
    assert "sweep 'first' is" in again.stderr
    state = json.loads(first.must("status", "first", "--json"))
    assert state["jobs"]["driver"] == sent.split()[1]
    assert state["jobs"]["standby"] == sent.split()[3]
    first.await_end()
    second.await_end()
    assert [list(tmp_path.glob(f"results/sweeps/{name}/slurm/token")) for name in ("first", "second")] == [
        [],
        [],
    ]
    for name in ("first", "second"):
        local = noisebench("run", f"{name}.yaml", "--inline", "--results", f"{name}-alone", cwd=tmp_path)
        assert local.returncode == 0, local.stderr
    alone = {name: Submitted(cluster, tmp_path, name, f"{name}-alone") for name in ("first", "second")}
    expected = [row for sweep in alone.values() for row in sweep.numbers()]
    assert first.numbers() == sorted(expected, key=lambda row: row[0])
    for sweep, site, trials, cells in ((first, SHARED_GPUS, 57, 17), (second, TWO_POOLS, 8, 2)):
        assert [attempt["status"] for attempt in sweep.attempts()] == ["completed"] * trials
        # A process serves one place for all its trials, and writes one file, though it sees nothing of the
        # driver's disk. Another one starts only where a place is free; the driver has no end to record.
        assert len(list(sweep.results.sweep(sweep.name).journal.glob("*.jsonl"))) <= places(site) < trials
        table = printed(sweep)
        assert len(table) == cells
        assert table == printed(alone[sweep.name])
    assert max(most_at_once(first).values()) == 2
    done = first.noisebench("submit", "first.yaml", "--site", "first-site.yaml")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "nothing is pending\n")
    trial = first.attempts()[0]["trial_id"]
    logs = first.noisebench("logs", trial)
    assert f"Slurm job {first.attempts()[0]['slurm_job_id']}" in logs.stderr


@pytest.fixture(scope="module")
def headless(submitted: Callable[[str], Submitted]) -> tuple[Submitted, list[str]]:
    """A sweep without a driver, and its workers; they wait for one beside another test."""
    sweep = submitted("headless")
    sweep.send(text_of("headless"), HEADLESS)
    return sweep, [job for job, state in sweep.jobs().items() if state.startswith("worker")]


@pytest.mark.usefixtures("headless")
def test_a_sweep_whose_workers_all_leave_is_given_up(cluster: Devcluster, tmp_path: Path) -> None:
    sweep = Submitted(cluster, tmp_path, "futile")
    (tmp_path / "sweep.yaml").write_text(text_of("futile"))
    (tmp_path / "site.yaml").write_text(ENDING)
    sent = sweep.python(QUICK_DRIVER, "submit", "sweep.yaml", "--site", "site.yaml", "--wait")
    assert (sent.returncode, "futile: 0/2 completed" in sent.stderr) == (1, True), sent.stderr
    assert sweep.jobs() == {}, "no standby takes over"
    arrays = list((tmp_path / "results/sweeps/futile/slurm/pools").iterdir())
    # While one of two still starts, the other may have been replaced.
    assert 1 + MAX_SENDS <= len(arrays) <= 1 + 2 * MAX_SENDS
    output = sweep.must("status", "futile")
    assert "all workers left again and again; see their logs, then `noisebench resume futile`" in output
    assert "no job is left" in output
    state = json.loads(sweep.must("status", "futile", "--json"))
    assert (state["completed"], state["failed"], state["pending"]) == (0, 0, 2)
    # A trial that was handed out and never began is recorded as cancelled.
    assert {(each["status"], each["error_kind"]) for each in sweep.attempts()} <= {
        ("interrupted", "cancelled")
    }
    sweep.await_end()


def test_workers_that_find_no_driver_leave_and_do_not_come_back(
    cluster: Devcluster, headless: tuple[Submitted, list[str]]
) -> None:
    sweep, workers = headless
    sweep.await_end()
    assert len(workers) == 2
    ends = [cluster.job(worker) for worker in workers]
    assert [(end["JobState"], end["Restarts"]) for end in ends] == [("COMPLETED", "0")] * 2
    for worker in workers:
        assert "ends: no-driver" in sweep.must("logs", "headless", "--worker", worker)
    assert sweep.attempts() == []
    shown = "no job is left (drivers 2 failed; workers 2 completed): `noisebench resume headless` sends"
    assert shown in sweep.must("status", "headless")


def test_cancelled_failed_and_resumed(cluster: Devcluster, tmp_path: Path) -> None:
    sweep = Submitted(cluster, tmp_path, "stopped")
    (tmp_path / "broken_losses.py").write_text(
        "from pathlib import Path\nfrom noisebench.science.losses import cross_entropy\n\n\n"
        "def broken(logits, targets):\n"
        "    if not Path('repaired').exists():\n        raise ValueError('this is broken')\n"
        "    return cross_entropy(logits, targets)\n"
    )
    sweep.send_slow(TWO_WORKERS, trials=12, seconds=4, beside="broken_losses:broken")
    cluster.await_that(lambda: len(sweep.attempts(status="completed")) > 1, "trials are completed", 300)
    cluster.await_that(lambda: len(sweep.attempts(status="failed")) > 0, "trials have failed", 300)
    assert any(command.startswith("ray::") for command in sweep.processes().values()), "actors are seen"
    with sweep.hold():  # else all trials may be completed before the command is heard
        sweep.must("cancel", "stopped")
    assert sweep.jobs() == {}
    sweep.await_no_process()
    done = {attempt["trial_id"] for attempt in sweep.attempts(status="completed")}
    failed = {attempt["trial_id"] for attempt in sweep.attempts(status="failed")}
    state = json.loads(sweep.must("status", "stopped", "--json"))
    assert (state["completed"], state["failed"], state["running"]) == (len(done), len(failed), 0)
    assert state["failures"] == {"exception": len(failed)}
    assert "no job is left" in sweep.must("status", "stopped")
    # Accounting records it a little later.
    cluster.await_that(
        lambda: re.search(r"driver.*cancelled", sweep.must("status", "stopped")) is not None,
        "the driver is shown as cancelled",
    )
    assert "this is broken" in sweep.must("failures", "stopped")
    assert "ValueError: this is broken" in sweep.must("logs", next(iter(failed)))
    (tmp_path / "repaired").touch()
    sweep.hasten()
    sent = sweep.noisebench("resume", "stopped", "--site", "stopped-site.yaml")
    assert sent.returncode == 0, sent.stderr
    sweep.await_end()
    state = json.loads(sweep.must("status", "stopped", "--json"))
    assert (state["completed"], state["failed"]) == (24, 0)
    for trial in done:
        assert len(sweep.attempts(trial_id=trial)) == 1
    for trial in failed:
        assert [a["status"] for a in sweep.attempts(trial_id=trial)] == ["failed", "completed"]


@pytest.mark.parametrize(
    ("site", "message"),
    [
        ("driver: {minutes: 9, partition: nowhere}", "invalid partition specified: nowhere"),
        ("account: nobodys\ndriver: {minutes: 9}", "account"),
        ("driver: {minutes: 9, constraint: no-such-feature}", "feature"),
    ],
)
def test_what_slurm_refuses_leaves_no_job(
    cluster: Devcluster, tmp_path: Path, site: str, message: str
) -> None:
    sweep = Submitted(cluster, tmp_path, "refused")
    (tmp_path / "sweep.yaml").write_text(text_of("refused"))
    (tmp_path / "site.yaml").write_text(
        f"site: x\nsignal_seconds: 30\n{site}\nworkers: {{minutes: 9, count: 1}}\n"
    )
    done = sweep.noisebench("submit", "sweep.yaml", "--site", "site.yaml")
    assert done.returncode == 3, done.stdout + done.stderr
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert sweep.jobs() == {}


def test_an_interface_that_no_node_has_ends_the_sweep(cluster: Devcluster, tmp_path: Path) -> None:
    sweep = Submitted(cluster, tmp_path, "astray")
    (tmp_path / "sweep.yaml").write_text(text_of("astray"))
    (tmp_path / "site.yaml").write_text(f"interface: ib9\n{TWO_WORKERS}")
    waited = sweep.noisebench("submit", "sweep.yaml", "--site", "site.yaml", "--wait", "--workers", "1")
    assert (waited.returncode, "astray: 0/2 completed" in waited.stderr) == (1, True), waited.stderr
    sweep.await_end()
    output = sweep.must("status", "astray")
    assert "interface 'ib9' has no IPv4 address" in output
    assert "correct `interface:` in the site" in output
    assert sweep.attempts() == []


def test_results_that_cannot_be_written(cluster: Devcluster, tmp_path: Path) -> None:
    sweep = Submitted(cluster, tmp_path, "closed")
    (tmp_path / "sweep.yaml").write_text(text_of("closed"))
    (tmp_path / "site.yaml").write_text(TWO_WORKERS)
    (tmp_path / "results").write_text("a file where the folder should be")
    done = sweep.noisebench("submit", "sweep.yaml", "--site", "site.yaml")
    assert done.returncode == 3
    assert "cannot be written" in done.stderr
    assert sweep.jobs() == {}


def test_no_slurm_here(tmp_path: Path) -> None:
    (tmp_path / "sweep.yaml").write_text(text_of("nowhere"))
    (tmp_path / "site.yaml").write_text(TWO_WORKERS)
    done = subprocess.run(
        [sys.executable, "-m", "noisebench", "submit", "sweep.yaml", "--site", "site.yaml"],
        cwd=tmp_path,
        env={**os.environ, "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 3
    assert "sbatch, squeue, scancel, srun: command not found" in done.stderr
    assert not ResultsFolder(tmp_path / "results").root.exists()
