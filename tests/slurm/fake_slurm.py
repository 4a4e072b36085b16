"""Slurm's commands without Slurm: jobs in memory, answers of several versions, faults on request.

`FakeSlurm.client()` is a real `Slurm` whose commands run here. Time passes only when a command hangs or the
client pauses; `seconds` counts it.
"""

import re
import subprocess
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from noisebench.slurm.client import Slurm

VERSIONS = ("20.11", "22.05", "23.11", "25.05")
# What a controller answers that is not there.
UNREACHABLE = {
    "20.11": "slurm_load_jobs error: Unable to contact slurm controller (connect failure)",
    "22.05": "slurm_load_jobs error: Socket timed out on send/recv operation",
    "23.11": "slurm_load_jobs error: Zero Bytes were transmitted or received",
    "25.05": "error: Unable to contact slurm controller (connect failure)",
}
HELD = {"20.11": "launch failed requeued held", "25.05": "launch_failed_requeued_held"}
LIVE = ("PENDING", "RUNNING", "COMPLETING")
# The devices of a node with sockets.
GRES = {"20.11": "gpu:v100:4(S:0-1)", "25.05": "gpu:v100:4(S:0,1)"}


@dataclass
class FakeJob:
    """One job, or one task of an array."""

    name: str
    state: str = "PENDING"
    node: str = ""
    reason: str = "Priority"
    dependency: str = ""
    restarts: int = 0
    preempted: bool = False
    submitted: str = "2030-01-02T03:04:05"
    command: str = ""
    script: str = ""


@dataclass
class Fault:
    """What a command does instead of its work, the next `times` times: hang, or fail with a message.

    `works`: it does its work as well, and only its answer is lost.
    """

    times: int
    message: str | None = None
    works: bool = False


@dataclass
class FakeSlurm:
    """A controller of a version, with its jobs by id."""

    version: str = "22.05"
    jobs: dict[str, FakeJob] = field(default_factory=dict)
    calls: list[tuple[str, ...]] = field(default_factory=list)
    environments: list[Mapping[str, str]] = field(default_factory=list)
    seconds: float = 0.0
    job_limit: int | None = None
    _faults: defaultdict[str, list[Fault]] = field(default_factory=lambda: defaultdict(list))
    _next_id: int = 100

    def client(self) -> Slurm:
        """Return a client of this Slurm."""
        return Slurm(self.run, self._pass)

    def fail(self, command: str, message: str | None = None, times: int = 1) -> None:
        """Let a command fail; without a message, as if the controller did not answer."""
        self._faults[command].append(Fault(times, message or UNREACHABLE[self.version]))

    def hang(self, command: str, times: int = 1) -> None:
        """Let a command hang."""
        self._faults[command].append(Fault(times))

    def lose_answer(self, command: str, times: int = 1, *, hangs: bool = False) -> None:
        """Let a command do its work and then time out: with an error of its own, or for the client."""
        message = None if hangs else "error: Socket timed out on send/recv operation"
        self._faults[command].append(Fault(times, message, works=True))

    def add(self, name: str, **fields: str) -> str:
        """Add a job; return its id."""
        self._next_id += 1
        self.jobs[str(self._next_id)] = FakeJob(name, **fields)  # type: ignore[arg-type]
        return str(self._next_id)

    def hold(self, job_id: str) -> None:
        """Hold a job, as Slurm does after a failed launch."""
        reason = HELD["25.05" if self.version >= "23" else "20.11"]
        self.jobs[job_id].state, self.jobs[job_id].reason = "PENDING", reason

    def sent(self, command: str) -> list[tuple[str, ...]]:
        """Return the words after a command in each of its calls."""
        return [words[1:] for words in self.calls if words[0] == command]

    def run(
        self, words: Sequence[str], seconds: float, environment: Mapping[str, str]
    ) -> "subprocess.CompletedProcess[str]":
        """Answer one command."""
        self.calls.append(tuple(words))
        self.environments.append(environment)
        fault = self._fault(words[0])
        if fault is None:
            return self._answer(words)
        if fault.works:
            self._answer(words)
        if fault.message is None:
            self._pass(seconds)
            raise subprocess.TimeoutExpired(list(words), seconds)
        return subprocess.CompletedProcess(list(words), 1, "", f"{words[0]}: {fault.message}\n")

    def _answer(self, words: Sequence[str]) -> "subprocess.CompletedProcess[str]":
        answers: dict[str, Callable[[list[str]], str]] = {
            "squeue": self._squeue,
            "sbatch": self._sbatch,
            "scancel": self._scancel,
            "scontrol": self._scontrol,
            "sinfo": self._sinfo,
            "sacctmgr": self._sacctmgr,
            "sacct": self._sacct,
        }
        if words[0] not in answers:
            raise FileNotFoundError(words[0])
        try:
            return subprocess.CompletedProcess(list(words), 0, answers[words[0]](list(words[1:])), "")
        except ValueError as refused:
            return subprocess.CompletedProcess(list(words), 1, "", f"{words[0]}: error: {refused}\n")

    def _pass(self, seconds: float) -> None:
        self.seconds += seconds

    def _fault(self, command: str) -> Fault | None:
        faults = self._faults[command]
        while faults and not faults[0].times:
            faults.pop(0)
        if not faults:
            return None
        faults[0].times -= 1
        return faults[0]

    def _squeue(self, words: list[str]) -> str:
        names = _option(words, "--name")
        every = "--states=all" in words
        lines = []
        for job_id, job in self.jobs.items():
            ended = job.state not in LIVE
            if (names and job.name not in names.split(",")) or (ended and not every):
                continue
            start = "2030-01-02T03:04:05" if job.state == "PENDING" else "N/A"
            reason = job.reason if job.state == "PENDING" else "None"
            values = {"i": job_id, "j": job.name, "T": job.state, "N": job.node, "r": reason, "S": start}
            values["o"] = job.command
            line = _option(words, "--format") or ""
            for key, value in values.items():
                line = line.replace(f"%{key}", value)
            lines.append(line)
        return "".join(f"{line}\n" for line in lines)

    def _sbatch(self, words: list[str]) -> str:
        text = Path(words[-1]).read_text()
        options = dict(re.findall(r"^#SBATCH --([a-z-]+)(?:=(\S+))?$", text, re.M))
        if self.job_limit is not None and len(self.jobs) >= self.job_limit:
            raise ValueError("Batch job submission failed: Job violates accounting/QOS policy")
        if "--test-only" in words:
            return ""
        self._next_id += 1
        size = int(options["array"].split("%")[0].split("-")[1]) + 1 if "array" in options else 0
        ids = [f"{self._next_id}_{index}" for index in range(size)] or [str(self._next_id)]
        for job_id in ids:
            dependency = options.get("dependency", "")
            reason = "Dependency" if dependency else "Priority"
            job = FakeJob(options["job-name"], reason=reason, dependency=dependency)
            job.command, job.script = words[-1], text
            self.jobs[job_id] = job
        # Newer versions name the cluster where there are several.
        return f"{self._next_id};dev\n" if self.version == "25.05" else f"{self._next_id}\n"

    def _scancel(self, words: list[str]) -> str:
        names = _option(words, "--name")
        only = _option(words, "--state")
        for job_id, job in self.jobs.items():
            chosen = job.name == names if names else job_id in words
            if chosen and job.state in ("PENDING", "RUNNING") and only in (None, job.state):
                job.state = "CANCELLED"
        return ""

    def _scontrol(self, words: list[str]) -> str:
        if words[:2] == ["show", "config"]:
            return "MaxArraySize            = 1001\n"
        verb, job_id = next(word for word in words if not word.startswith("--")), words[-1]
        # An array's raw id stands for all its tasks, as in Slurm.
        chosen = [job for key, job in self.jobs.items() if key == job_id or key.split("_")[0] == job_id]
        if not chosen:
            raise ValueError("Invalid job id specified")
        for job in chosen:
            if verb == "requeue":
                job.state, job.reason, job.restarts = "PENDING", "BeginTime", job.restarts + 1
            elif verb == "release":
                job.reason = "Priority"
        return "".join(self._shown(job_id, job) for job in chosen) if verb == "show" else ""

    def _shown(self, job_id: str, job: FakeJob) -> str:
        preempted = "2030-01-02T03:04:05" if job.preempted else "None"
        eligible = "PreemptEligibleTime=2030-01-01T00:00:00 " if self.version != "20.11" else ""
        return (
            f"JobId={job_id} JobName={job.name} JobState={job.state} EndTime=2030-01-02T03:04:15 "
            f"{eligible}PreemptTime={preempted} Restarts={job.restarts}\n"
        )

    def _sinfo(self, words: list[str]) -> str:
        del words
        gres = GRES["25.05" if self.version >= "23" else "20.11"]
        return f"main*|infinite|{gres}|40|384000|up|12\nlong|7-00:00:00|(null)|64+|257000+|up|3\n"

    def _sacct(self, words: list[str]) -> str:
        names = (_option(words, "--name") or "").split(",")
        jobs = [job for job in self.jobs.values() if job.name in names and job.state not in LIVE]
        return "".join(f"{job.name}|{job.state} by 0|{job.submitted}\n" for job in jobs)

    def _sacctmgr(self, words: list[str]) -> str:
        del words
        return "lab|normal,long|lab\nphysics|normal|lab\n"


def _option(words: list[str], name: str) -> str | None:
    return next((word.split("=", 1)[1] for word in words if word.startswith(f"{name}=")), None)
