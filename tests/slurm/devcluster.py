"""A devcluster as the tests see it: the script's verbs, Slurm's commands, the state of a job."""

import os
import pwd
import re
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil

# The state of a socket in /proc/net/tcp.
_LISTENS = "0A"
# How much longer anything may take on a machine with much other work.
BUSY_FACTOR = 3.0
# What a command says to which a busy controller gave no answer.
_NO_ANSWER = ("timed out", "Unable to contact slurm controller")
# These commands may have taken effect although they timed out.
_NEVER_TWICE = ("sbatch", "srun")
# States of a node that takes jobs now or as soon as those on it end; a mark of Slurm's may follow.
_IN_SERVICE = ("idle", "planned", "mixed", "allocated", "completing")
SCRIPT = Path(__file__).parents[2] / "slurm/devcluster/devcluster.sh"


@dataclass(frozen=True)
class Devcluster:
    """One cluster in `folder`; its owner is `user`, or else the user who runs the tests."""

    folder: Path
    script: Path = SCRIPT
    user: str | None = None
    environment: Mapping[str, str] = field(init=False)

    def __post_init__(self) -> None:
        foreign = ("SLURM", "SBATCH", "DEVCLUSTER")
        inherited = {key: value for key, value in os.environ.items() if not key.startswith(foreign)}
        mine = {"DEVCLUSTER": str(self.folder), "SLURM_CONF": str(self.folder / "slurm.conf")}
        object.__setattr__(self, "environment", {**inherited, **mine})

    @property
    def small(self) -> Path:
        """A folder that all nodes see, of 64 MB where root started the session's cluster."""
        return self.folder.parent / "small"

    @property
    def nodes(self) -> list[str]:
        """The nodes' names."""
        return [f"node{index + 1}" for index in range(int((self.folder / "nodes").read_text()))]

    @property
    def has_networks(self) -> bool:
        """Whether each node has an address and a hostname of its own."""
        return (self.folder / "bridge").exists()

    def verb(self, *words: str, path: str | None = None) -> subprocess.CompletedProcess[str]:
        """Call the script, with another PATH where given; the caller checks its exit code."""
        environment = {**self.environment, "PATH": path} if path else self.environment
        return self._call(["/bin/bash", str(self.script), *words], environment, seconds=300)

    def must(self, *words: str) -> str:
        """Call the script, which must succeed; return its output."""
        done = self.verb(*words)
        assert done.returncode == 0, f"devcluster.sh {' '.join(words)}:\n{done.stderr}"
        return done.stdout

    def run(self, *words: str, seconds: float = 30) -> str:
        """Return the output of a command on the login node, which must succeed.

        A controller that is too busy to answer is asked again; `seconds` are those of an idle machine.
        """
        done = self._call(list(words), self.environment, seconds * BUSY_FACTOR)
        for _ in range(5):
            unheard = any(text in done.stderr for text in _NO_ANSWER)
            if done.returncode == 0 or not unheard or words[0] in _NEVER_TWICE:
                break
            done = self._call(list(words), self.environment, seconds * BUSY_FACTOR)
        assert done.returncode == 0, f"{' '.join(words)}:\n{done.stdout}{done.stderr}"
        return done.stdout

    def submit(self, script: str, *options: str) -> str:
        """Submit a shell script to run in the cluster's folder; return the job's id."""
        folder = f"--chdir={self.folder}"
        return self.run(
            "sbatch", "--parsable", folder, "--output=%j.out", *options, f"--wrap={script}"
        ).strip()

    def output(self, job: str) -> str:
        """Return what a job has printed so far."""
        file = self.folder / f"{job}.out"
        return file.read_text() if file.exists() else ""

    def job(self, job: str) -> dict[str, str]:
        """Return what Slurm knows of a job: JobState, Restarts, BatchHost, Reason, ..."""
        return dict(re.findall(r"(\w+)=(\S*)", self.run("scontrol", "--oneliner", "show", "job", job)))

    def await_job(self, job: str, seconds: float = 60, **wanted: str) -> dict[str, str]:
        """Wait until all these fields of a job have these values; return all its fields."""
        seen: dict[str, str] = {}

        def fits() -> bool:
            seen.clear()
            seen.update(self.job(job))
            return wanted.items() <= seen.items()

        self.await_that(fits, f"job {job} {wanted}", seconds)
        return seen

    def await_that(self, holds: Callable[[], bool], what: str, seconds: float = 60) -> None:
        """Wait until something holds, or fail with what it is; `seconds` are those of an idle machine."""
        seconds *= BUSY_FACTOR
        end = time.monotonic() + seconds
        while not holds():
            assert time.monotonic() < end, f"not within {seconds} s: {what}"
            time.sleep(0.2)

    def processes_of_job(self, job: str) -> list[psutil.Process]:
        """Return the processes of a running job, its batch script first: all below Slurm's step daemons.

        A process may write over its environment, as Ray's do with their titles, but not over its parent.
        """
        raw = self.job(job)["JobId"]
        daemons = [each for each in psutil.process_iter(["cmdline"]) if _is_step_daemon(each, raw)]
        return [child for daemon in daemons for child in daemon.children(recursive=True)]

    def tasks(self) -> dict[int, str]:
        """Return what runs on the nodes beside their daemons, as process id -> node and command line.

        Needs nodes with networks of their own: a process cannot leave the network in which it was started.
        """
        holders = self._holders()
        networks = {_network_of(holder): node for node, holder in holders.items()}
        found = {}
        for process in psutil.process_iter(["name", "cmdline"]):
            node = networks.get(_network_of(process.pid))
            command = " ".join(process.info["cmdline"] or [])
            own = process.info["name"] == "slurmd" or process.pid in holders.values()
            # A zombie has no command line any more; its parent has not asked for its exit code.
            if node is not None and command and not own:
                found[process.pid] = f"{node} {command}"
        return found

    def ports(self) -> set[tuple[str, int]]:
        """Return the TCP ports on which anything listens on the nodes, as (node, port); needs networks."""
        return {
            (node, int(line.split()[1].rpartition(":")[2], 16))
            for node, holder in self._holders().items()
            for family in ("tcp", "tcp6")
            for line in Path(f"/proc/{holder}/net/{family}").read_text().splitlines()[1:]
            if line.split()[3] == _LISTENS
        }

    def _holders(self) -> dict[str, int]:
        """Return for each node the process that keeps its namespaces."""
        marks = {f"DEVCLUSTER_DAEMON=host{node[4:]}@{self.folder}": node for node in self.nodes}
        found = {}
        for process in Path("/proc").glob("[0-9]*"):
            try:
                variables = (process / "environ").read_bytes().decode(errors="replace").split("\0")
            except OSError:
                continue
            found.update({marks[text]: int(process.name) for text in variables if text in marks})
        return found

    def processes(self) -> list[str]:
        """Return the command line of each living process that was started in this cluster's name."""
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            try:
                environment = (process / "environ").read_bytes()
                command = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                continue
            if str(self.folder).encode() in environment:
                found.append(command)
        return found

    def put_back(self, node: str) -> None:
        """Take a node that is down or drained back into service, and wait until it is."""

        def is_back() -> bool:
            # Slurm refuses it for a node that is back already.
            self.run("sh", "-c", f"scontrol update NodeName={node} State=RESUME || true")
            state = self.run("sinfo", "--noheader", "--partition=main", f"--nodes={node}", "--format=%T")
            return state.startswith(_IN_SERVICE)

        self.await_that(is_back, f"{node} is back in service")

    def resume_drained(self) -> None:
        """Take back the nodes that Slurm drained and that answer; no test leaves one drained on purpose.

        Nothing is wrong with such a node. On a machine with much other work, processes take long to end
        ("Kill task failed"); where a node was cut off and joined, a requeued job may start before Slurm has
        ended its first run there ("Duplicate jobid"). What is left of a job is looked for by `tasks`.
        """
        for node, state in self.node_states().items():
            if state in ("drained", "draining"):
                self.put_back(node)

    def await_whole(self) -> None:
        """Wait until every node takes jobs, also those that were just started or joined."""

        def is_whole() -> bool:
            self.resume_drained()
            return all(state in _IN_SERVICE for state in self.node_states().values())

        self.await_that(is_whole, "all nodes take jobs", 120)

    def await_quiet(self) -> None:
        """Wait until no job waits, runs or is ending: those of the tests before have left the nodes."""
        self.await_that(lambda: not self.run("squeue", "--noheader"), "no job of another test is left", 300)

    def node_states(self) -> dict[str, str]:
        """Return the state of each node; `*` follows that of a node that does not answer."""
        states = self.run("sinfo", "--noheader", "--Node", "--partition=main", "--format=%N %T")
        return dict(line.split() for line in states.splitlines())

    def report(self) -> str:
        """Return the state of nodes and jobs, for the report of a failure."""
        commands = (
            ["sinfo", "--Node", "--long"],
            ["squeue", "--all"],
            ["sacct", "--duplicates", "--allusers"],
            ["tail", "--lines=60", str(self.folder / "log/slurmctld.log")],
        )
        return "\n".join(f"$ {' '.join(command)}\n{self._shown(command)}" for command in commands)

    def _shown(self, command: list[str]) -> str:
        try:
            done = self._call(command, self.environment, seconds=60)
        except subprocess.TimeoutExpired:
            return "no answer\n"
        return f"{done.stdout}{done.stderr}"

    def _call(
        self, words: list[str], environment: Mapping[str, str], seconds: float
    ) -> subprocess.CompletedProcess[str]:
        entry = pwd.getpwnam(self.user) if self.user else None
        return subprocess.run(
            words,
            env=environment,
            cwd="/",
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
            user=entry and entry.pw_uid,
            group=entry and entry.pw_gid,
            extra_groups=entry and [],
        )


@contextmanager
def raised(cluster: Devcluster, nodes: int) -> Iterator[Devcluster]:
    """Start a cluster, stop it at the end."""
    try:
        cluster.must("up", str(nodes))
        yield cluster
    finally:
        cluster.must("down")


def _is_step_daemon(process: psutil.Process, job: str) -> bool:
    title = " ".join(process.info["cmdline"] or [])
    return title.startswith(f"slurmstepd: [{job}.")


def _network_of(process: int) -> str:
    try:
        return str(Path(f"/proc/{process}/ns/net").readlink())
    except OSError:
        return ""
