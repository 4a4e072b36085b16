"""A sweep submitted to the devcluster, as its tests see it: its jobs, attempts, results."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from noisebench.records.folders import ResultsFolder
from noisebench.store.query import query
from tests.command import COMMAND
from tests.slurm.devcluster import BUSY_FACTOR, Devcluster
from tests.trials import sweep_text

WAIT_SECONDS = 300
# A site of two workers with a GPU each.
TWO_WORKERS = """\
site: small
signal_seconds: 30
driver: {cpus: 1, memory_gb: 3, minutes: 120}
workers: {cpus: 1, memory_gb: 4, minutes: 120, count: 2, gpu_request: "--gres=gpu:v100:1"}
"""
# A user's loss that takes time without taking the processor: faults come in the middle of such trials. Once
# they are over, nothing is left to wait for. A trial that is held does not end.
SLOW_LOSS = """\
import socket
import time
from pathlib import Path

from noisebench.science.losses import cross_entropy

HOST = socket.gethostname()


def ce(logits, targets):
    if not Path("faults-are-over").exists():
        time.sleep(0.1)
    while any(Path(f"hold-{host}").exists() for host in ("any", HOST)):
        Path(f"held-{HOST}").touch()
        time.sleep(0.1)
    return cross_entropy(logits, targets)
"""
NUMBERS = "SELECT * EXCLUDE (attempt_id, seconds, ended_at, trial_key) FROM results ORDER BY trial_id"
ATTEMPTS = """
SELECT attempt_id, trial_id, status, error_kind, error, host, slurm_job_id, worker
FROM attempts WHERE sweep = '{sweep}' ORDER BY started_at
"""


@dataclass(frozen=True)
class Submitted:
    """The sweep `name` in `folder`, which holds its YAML, its site, its results."""

    cluster: Devcluster
    folder: Path
    name: str
    results_name: str = "results"

    @property
    def results(self) -> ResultsFolder:
        """The results folder."""
        return ResultsFolder(self.folder / self.results_name)

    def noisebench(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command on the login node, in the sweep's folder."""
        return subprocess.run(
            [*COMMAND, *arguments],
            cwd=self.folder,
            env={**self.cluster.environment, "NO_COLOR": "1"},
            capture_output=True,
            text=True,
            timeout=WAIT_SECONDS * BUSY_FACTOR,
            check=False,
        )

    def must(self, *arguments: str) -> str:
        """Run a command that must succeed; return what it printed."""
        done = self.noisebench(*arguments)
        assert done.returncode == 0, f"noisebench {' '.join(arguments)}:\n{done.stdout}{done.stderr}"
        return done.stdout

    def send(self, sweep: str, site: str) -> str:
        """Write the two files, submit; return what was printed."""
        (self.folder / f"{self.name}-site.yaml").write_text(site)
        (self.folder / f"{self.name}.yaml").write_text(sweep)
        return self.must("submit", f"{self.name}.yaml", "--site", f"{self.name}-site.yaml")

    def send_slow(self, site: str, trials: int, seconds: int, beside: str | None = None) -> str:
        """Submit so many trials of about so many seconds each, and as many of a loss `beside` them."""
        (self.folder / "slow_losses.py").write_text(SLOW_LOSS)
        text = sweep_text(
            "slow_losses:ce" if beside is None else f"['slow_losses:ce', '{beside}']",
            name=self.name,
            seeds=str(trials),
            detector="{name: small-loss}",
            training=f"{{epochs: {5 * seconds}, batch_size: 200}}",  # two batches an epoch
        )
        return self.send(text, site)

    def hasten(self) -> None:
        """Let the trials of `send_slow` take no more time than their work."""
        (self.folder / "faults-are-over").touch()

    @contextmanager
    def hold(self, host: str = "any") -> Iterator[None]:
        """Let no trial of `send_slow` end on a host, or on any, before the block does."""
        hold = self.folder / f"hold-{host}"
        hold.touch()
        try:
            yield
        finally:
            hold.unlink()

    @contextmanager
    def held_attempt(self, host: str) -> Iterator[dict[str, Any]]:
        """Yield an attempt that cannot complete before the block ends; the host has one place for trials."""
        held = self.folder / f"held-{host}"
        held.unlink(missing_ok=True)
        with self.hold(host):
            self.cluster.await_that(held.exists, f"a trial on {host} is held", WAIT_SECONDS)
            yield self.await_running(host)

    def jobs(self) -> dict[str, str]:
        """Return the jobs that wait or run, as job id -> role, state and node."""
        lines = self.cluster.run("squeue", "--noheader", "--array", "--format=%i %j %T %N").splitlines()
        prefix = f"noisebench-{self.name}-"
        found = (line.split(maxsplit=1) for line in lines if f" {prefix}" in line)
        return {job: rest.rsplit("-", 1)[-1].strip() for job, rest in found}

    def job(self, role: str, node: str = "") -> str:
        """Return the id of a running job of this role, on this node where one is named."""
        found = [job for job, state in self.jobs().items() if state.startswith(f"{role} RUNNING {node}")]
        assert found, f"no {role} runs on '{node}': {self.jobs()}"
        return found[0]

    def attempts(self, **wanted: Any) -> list[dict[str, Any]]:
        """Return the attempts so far, in the order of their start, that have these values."""
        answer = query(self.results, ATTEMPTS.format(sweep=self.name))
        rows = (dict(zip(answer.columns, row, strict=True)) for row in answer.rows())
        return [row for row in rows if wanted.items() <= row.items()]

    def numbers(self) -> list[tuple[Any, ...]]:
        """Return all that was measured, trial by trial, without what differs from run to run."""
        return query(self.results, NUMBERS).rows()

    def await_running(self, host: str, seconds: float = WAIT_SECONDS) -> dict[str, Any]:
        """Wait until an attempt runs on a host; return it."""
        found: list[dict[str, Any]] = []

        def one_runs() -> bool:
            found[:] = self.attempts(host=host, status="running")
            return bool(found)

        self.cluster.await_that(one_runs, f"a trial on {host}", seconds)
        return found[-1]

    def await_ended(self, attempt: dict[str, Any], seconds: float = WAIT_SECONDS) -> dict[str, Any]:
        """Wait until an attempt has ended; return what became of it."""

        def now() -> dict[str, Any]:
            return self.attempts(attempt_id=attempt["attempt_id"])[0]

        self.cluster.await_that(lambda: now()["status"] != "running", f"the end of {attempt}", seconds)
        return now()

    def await_end(self, seconds: float = WAIT_SECONDS) -> None:
        """Wait until no job is left, then until no process is, of no sweep that was sent from this folder.

        Where no other job waits or runs either, nothing at all may be left on the nodes.
        """
        self.cluster.await_that(lambda: not self.jobs(), f"no job of {self.name} is left", seconds)
        self.await_no_process(seconds)
        if self.cluster.has_networks and not self.cluster.run("squeue", "--noheader"):
            self.cluster.await_that(lambda: not self.cluster.tasks(), "no process is left on nodes", seconds)

    def await_no_process(self, seconds: float = WAIT_SECONDS) -> None:
        """Wait until no process of this sweep's jobs is left: a killed one takes its time to exit."""
        self.cluster.await_that(lambda: not self.processes(), f"no process of {self.name} is left", seconds)

    def cancel_rest(self) -> None:
        """Cancel the jobs that a failed test has left: they would take the nodes of the tests after it."""

        def nothing_is_left() -> bool:
            jobs = self.jobs()
            if jobs:  # Slurm refuses it for a job that has just ended
                self.cluster.run("sh", "-c", f"scancel {' '.join(jobs)} || true")
            return not jobs

        self.cluster.await_that(nothing_is_left, f"the jobs of {self.name} are cancelled", WAIT_SECONDS)

    def processes(self) -> dict[int, str]:
        """Return the command line of every process of this sweep's jobs, by its id.

        All of them inherit the folder from which the sweep was submitted as their working directory. Their
        environment does not identify them: Ray's processes write their titles over it. `Devcluster.tasks`
        sees also a process that left this folder.
        """
        found = {}
        for process in Path("/proc").glob("[0-9]*"):
            try:
                inside = (process / "cwd").readlink().is_relative_to(self.folder)
                command = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                continue
            if inside and command and int(process.name) != os.getpid():
                found[int(process.name)] = command
        return found

    def python(self, script: str, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        """Run a few lines of Python on the login node."""
        return subprocess.run(
            [sys.executable, "-c", script, *arguments],
            cwd=self.folder,
            env={**os.environ, **self.cluster.environment, **more},
            capture_output=True,
            text=True,
            timeout=WAIT_SECONDS * BUSY_FACTOR,
            check=False,
        )
