"""The devcluster is a real Slurm: each node a host, each fault a real fault, nothing left behind."""

import re
import shutil
import socket
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from noisebench.slurm.job import WorkerJob
from noisebench.slurm.site import load_site
from tests.slurm.devcluster import SCRIPT, Devcluster

pytestmark = pytest.mark.slurm

# Says that it runs, then when it is signalled; a shell runs its trap only while it waits.
SIGNALLED = "trap 'echo signalled; kill $!; exit 0' USR1; echo started; sleep 600 & wait"


@pytest.fixture(scope="module", autouse=True)
def limited(cluster: Devcluster) -> str:
    """A job that gets a signal 30 to 60 seconds before its end; runs beside the other tests.

    In a job of one minute the signal could come before the shell has set its trap.
    """
    return cluster.submit(SIGNALLED, "--time=2", "--signal=B:USR1@30", "--nodelist=node4")


@dataclass(frozen=True)
class Orphan:
    """A job with the node that died under it, and the processes that it had there."""

    job: str
    node: str
    tasks: list[psutil.Process]


@pytest.fixture(scope="module")
def orphan(cluster: Devcluster) -> Iterator[Orphan]:
    """A job whose node, 1 or 3, was killed; while Slurm takes its time to notice, other tests run."""
    job = cluster.submit("srun sleep 601", "--requeue", "--exclude=node2,node4")
    node = cluster.await_job(job, JobState="RUNNING")["BatchHost"]
    cluster.await_that(
        lambda: any("sleep 601" in line for line in cluster.processes()), "the job has a process"
    )
    tasks = cluster.processes_of_job(job)
    cluster.must("kill-node", node.removeprefix("node"))
    yield Orphan(job, node, tasks)
    cluster.must("start-node", node.removeprefix("node"))


@pytest.fixture
def own_folder() -> Iterator[Path]:
    """A folder for a second cluster; its path is short enough for Slurm's sockets."""
    with tempfile.TemporaryDirectory(prefix="slurm") as parent:
        yield Path(parent) / "c"


def test_each_node_is_a_host_with_its_own_gpus_and_disk(cluster: Devcluster) -> None:
    disk = (
        'cd "$TMPDIR" && touch "seen-on-$(hostname)" && ls -d seen-on-*' if cluster.has_networks else "true"
    )
    for node in cluster.nodes:
        job = cluster.submit(
            f"hostname; echo $CUDA_VISIBLE_DEVICES; {disk}", f"--nodelist={node}", "--gres=gpu:v100:2"
        )
        cluster.await_job(job, JobState="COMPLETED")
        own = [node, "0,1", f"seen-on-{node}"]
        assert cluster.output(job).split() == (own if cluster.has_networks else [socket.gethostname(), "0,1"])


def test_its_site_profile_fits(cluster: Devcluster) -> None:
    site = load_site(SCRIPT.parents[1] / "sites/devcluster.yaml")
    for job in (site.driver, *site.workers):
        request = [f"--partition={job.partition}", f"--cpus-per-task={job.cpus}", f"--mem={job.memory_gb}G"]
        gpus = [job.gpu_request or ""] if isinstance(job, WorkerJob) else []
        cluster.run("sbatch", "--test-only", *request, *gpus, f"--time={job.minutes}", "--wrap=true")


def test_gpus_are_shared_out_among_jobs(cluster: Devcluster) -> None:
    show = "echo $CUDA_VISIBLE_DEVICES; sleep 600"
    jobs = [cluster.submit(show, "--nodelist=node1", "--gres=gpu:v100:2") for _ in range(3)]
    cluster.await_that(lambda: all(cluster.output(job) for job in jobs[:2]), "two jobs print their GPUs")
    assert {cluster.output(job).strip() for job in jobs[:2]} == {"0,1", "2,3"}
    assert cluster.job(jobs[2])["JobState"] == "PENDING"
    cluster.run("scancel", *jobs)


def test_accounting_knows_what_has_ended(cluster: Devcluster) -> None:
    job = cluster.submit("exit 3")
    await_in_accounting(cluster, job, "FAILED|3:0")


def await_in_accounting(cluster: Devcluster, job: str, end: str) -> None:
    """Wait until sacct says how a job has ended, as state|exit code."""
    words = ("sacct", "--noheader", "--parsable2", "--allocations", "--format=State,ExitCode")
    cluster.await_that(
        lambda: cluster.run(*words, f"--jobs={job}").strip() == end, f"sacct says {end} of {job}"
    )


def test_a_killed_node_ends_its_tasks(orphan: Orphan) -> None:
    # Another node may have started the job again already.
    assert orphan.tasks
    assert not [process for process in orphan.tasks if lives(process)]


def lives(process: psutil.Process) -> bool:
    """Whether a process runs; a zombie does not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_an_urgent_job_sends_another_back_into_the_queue(cluster: Devcluster) -> None:
    job = cluster.submit("sleep 600", "--requeue", "--exclusive", "--nodelist=node2")
    cluster.await_job(job, JobState="RUNNING")
    urgent = cluster.submit("sleep 600", "--partition=urgent", "--exclusive", "--nodelist=node2")
    cluster.await_job(urgent, JobState="RUNNING")
    cluster.await_job(job, JobState="PENDING", Restarts="1")
    cluster.run("scancel", job, urgent)


def test_a_killed_node_gives_its_jobs_to_another(cluster: Devcluster, orphan: Orphan) -> None:
    after = cluster.await_job(orphan.job, 120, JobState="RUNNING", Restarts="1")
    assert after["BatchHost"] != orphan.node
    cluster.must("start-node", orphan.node.removeprefix("node"))
    cluster.run("scancel", orphan.job)
    assert (
        cluster.run("srun", "--nodelist", orphan.node, "printenv", "SLURMD_NODENAME", seconds=120).strip()
        == orphan.node
    )


def test_a_node_without_network_answers_again_once_it_is_joined(cluster: Devcluster) -> None:
    if not cluster.has_networks:
        assert cluster.verb("cut-node", "1").returncode == 3
        return
    assert _reaches(cluster, "node1")
    cluster.must("cut-node", "1")
    assert not _reaches(cluster, "node1")
    assert _reaches(cluster, "node2")
    cluster.await_that(lambda: cluster.node_states()["node1"].endswith("*"), "Slurm gives node1 up")
    cluster.must("join-node", "1")
    cluster.await_that(lambda: _reaches(cluster, "node1"), "node1 answers again", seconds=10)
    cluster.await_whole()
    assert "*" not in "".join(cluster.node_states().values())


def test_the_controller_remembers_its_jobs(cluster: Devcluster) -> None:
    job = cluster.submit("echo started; sleep 600", "--nodelist=node2")
    # A job is RUNNING before its batch script is.
    cluster.await_that(lambda: cluster.output(job) != "", "the job runs")
    before = cluster.await_job(job, JobState="RUNNING")
    cluster.must("restart-controller")
    after = cluster.await_job(job, JobState="RUNNING")
    assert (after["StartTime"], after["Restarts"]) == (before["StartTime"], "0")
    cluster.run("scancel", job)


def test_drained_nodes_are_taken_back_after_a_restart(cluster: Devcluster) -> None:
    drained = {"node1": "Kill task failed", "node2": "batch job complete failure", "node3": "Duplicate jobid"}
    for node, reason in drained.items():
        cluster.run("scontrol", "update", f"NodeName={node}", "State=DRAIN", f"Reason={reason}")
    cluster.must("restart-controller")
    states = ["sinfo", "--noheader", "--Node", "--partition=main", "--format=%N %T"]
    # Until a node has registered, Slurm refuses to resume it.
    assert "unknown" not in cluster.run(*states)
    cluster.resume_drained()
    for node in drained:
        assert re.search(f"{node} (idle|mixed|allocated|completing)", cluster.run(*states))


def test_jobs_run_while_accounting_is_away(cluster: Devcluster) -> None:
    cluster.must("stop-accounting")
    try:
        assert cluster.verb("stop-accounting").returncode == 0, "stopping it twice is no error"
        job = cluster.submit("true")
        cluster.await_job(job, JobState="COMPLETED")
        cluster.must("restart-controller")
        other = cluster.submit("true")
        cluster.await_job(other, JobState="COMPLETED")
    finally:
        cluster.must("start-accounting")
    for each in (job, other):
        await_in_accounting(cluster, each, "COMPLETED|0:0")


def test_a_job_is_told_before_its_time_is_up(cluster: Devcluster, limited: str) -> None:
    # Slurm may have forgotten the job itself. It sends CONT after the signal, then complains into the same
    # file that no process was left to receive it.
    cluster.await_that(
        lambda: cluster.output(limited).split()[:2] == ["started", "signalled"], "the job is told", 120
    )


def test_a_second_cluster_is_removed_completely(cluster: Devcluster, own_folder: Path) -> None:
    second = Devcluster(own_folder)
    assert second.must("up", "1").splitlines()[-1] == f"export SLURM_CONF={own_folder}/slurm.conf"
    assert own_folder.stat().st_mode & 0o777 == 0o700
    second.submit("sleep 602")
    # A job is RUNNING before its batch script is.
    second.await_that(lambda: any("sleep 602" in line for line in second.processes()), "sleep 602 runs")
    links = _links_of(second)
    assert len(links) == (2 if second.has_networks else 0), "a bridge and the node's cable"
    second.must("down")
    assert (second.processes(), own_folder.exists()) == ([], False)
    assert not [link for link in links if link.exists()]
    second.must("down")
    assert cluster.run("srun", "echo", "unharmed", seconds=120).strip() == "unharmed"


def test_an_ordinary_user_can_raise_one(cluster_of_nobody: Devcluster) -> None:
    show = ["sh", "-c", "id -un; echo $CUDA_VISIBLE_DEVICES"]
    output = cluster_of_nobody.run("srun", "--gres=gpu:v100:1", *show, seconds=120)
    assert output.split() == ["nobody", "0"]
    cluster_of_nobody.must("kill-node", "1")
    cluster_of_nobody.must("start-node", "1")
    cluster_of_nobody.must("down")
    assert (cluster_of_nobody.processes(), cluster_of_nobody.folder.exists()) == ([], False)


def test_refusals(cluster: Devcluster, own_folder: Path) -> None:
    again = cluster.verb("up")
    assert (again.returncode, again.stdout) == (2, "")
    assert again.stderr == (
        f"devcluster: a cluster is up in '{cluster.folder}'; end it with 'devcluster.sh down', "
        "or set DEVCLUSTER to another folder\n"
    )
    stranger = cluster.verb("kill-node", "9")
    assert (stranger.returncode, stranger.stderr) == (
        2,
        "devcluster: '9' is not a node; this cluster has 1 to 4\n",
    )
    nowhere = Devcluster(own_folder).verb("kill-node", "1")
    assert (nowhere.returncode, nowhere.stderr) == (
        2,
        f"devcluster: no cluster of yours in '{own_folder}'; start one with 'devcluster.sh up'\n",
    )
    assert cluster.verb("explode").returncode == 2


@pytest.mark.usefixtures("_slurm")
def test_what_is_missing_is_named(own_folder: Path, tmp_path: Path) -> None:
    for command in ("dirname", "id"):
        (tmp_path / command).symlink_to(str(shutil.which(command)))
    refused = Devcluster(own_folder).verb("up", path=str(tmp_path))
    assert refused.returncode == 3
    assert refused.stderr.startswith(
        "devcluster: missing: sbatch (package slurm-wlm) mariadb-install-db (package mariadb-client-core); "
    )
    assert not own_folder.exists()


def _reaches(cluster: Devcluster, node: str) -> bool:
    fields = dict(
        pair.split("=", 1)
        for pair in cluster.run("scontrol", "--oneliner", "show", "node", node).split()
        if "=" in pair
    )
    try:
        socket.create_connection((fields["NodeAddr"], int(fields["Port"])), timeout=1).close()
    except OSError:
        return False
    return True


def _links_of(cluster: Devcluster) -> list[Path]:
    """Return the network links of a cluster, whose names begin as that of its bridge does."""
    if not cluster.has_networks:
        return []
    bridge = (cluster.folder / "bridge").read_text().strip()
    return [link for link in Path("/sys/class/net").iterdir() if link.name in (bridge, f"{bridge}n1")]
