"""Slurm's commands: the only place that calls them.

Each call has a time limit. A controller that is busy or being restarted is asked again; then
`SlurmUnavailable` says that nothing is known, which never means that a job is gone. A refusal is
`SlurmRefused`.
"""

from __future__ import annotations

import os
import re
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path

from noisebench.errors import EnvironmentFault
from noisebench.slurm.answers import (
    ENDED_STATES,
    Job,
    count_ends,
    parse_jobs,
    parse_starts,
    preemption_end,
)
from noisebench.slurm.command import (
    NO_COMMAND,
    ONCE,
    PATIENT,
    SHORT,
    CommandMissing,
    Patience,
    Run,
    SlurmRefused,
    SlurmUnavailable,
    command_environment,
    fault_of,
    run_command,
)
from noisebench.slurm.inventory import Associations, Nodes, parse_nodes


class Slurm:
    """Slurm as this user sees it. `run` executes a command, `sleep` pauses between attempts."""

    def __init__(self, run: Run = run_command, sleep: Callable[[float], None] = time.sleep) -> None:
        self._run = run
        self._sleep = sleep
        self._user = f"--user={os.getuid()}"

    def call(self, *words: str, patience: Patience = PATIENT) -> str:
        """Return the output of a command. Raises SlurmUnavailable or SlurmRefused."""
        for pause in patience.pauses:
            try:
                return self._once(words, patience.seconds)
            except SlurmUnavailable:
                self._sleep(pause)
        return self._once(words, patience.seconds)

    def _once(self, words: Sequence[str], seconds: float) -> str:
        try:
            done = self._run(words, seconds, command_environment())
        except (FileNotFoundError, PermissionError):
            raise CommandMissing(f"{words[0]}: command not found; {NO_COMMAND}") from None
        except subprocess.TimeoutExpired:
            raise SlurmUnavailable(f"{words[0]}: no answer within {seconds:.0f} s") from None
        if done.returncode == 0:
            return done.stdout
        raise fault_of(words[0], done.stderr, done.returncode)

    # What is in the queue

    def jobs(self, names: Iterable[str], *, ended: bool = False, patience: Patience = PATIENT) -> list[Job]:
        """Return this user's jobs of these names, tasks of arrays one by one, with one call.

        `ended` adds those that ended in the last minutes (MinJobAge), as far as Slurm remembers them.
        """
        named = ",".join(names)
        if not named:
            return []
        states = ["--states=all"] if ended else []
        options = ("--noheader", "--array", self._user, f"--name={named}", "--format=%i|%j|%T|%N|%r")
        return parse_jobs(self.call("squeue", *options, *states, patience=patience).splitlines())

    def live_jobs(self, names: Iterable[str], patience: Patience = PATIENT) -> list[Job]:
        """Return the jobs that wait, run or are ending."""
        return [job for job in self.jobs(names, patience=patience) if job.live]

    def count_jobs(self) -> int:
        """Return how many jobs this user has in the queue or running, tasks of arrays one by one."""
        lines = self.call("squeue", "--noheader", "--array", self._user, "--format=%T").split()
        return sum(state not in ENDED_STATES for state in lines)

    def waiting_reasons(self, job_ids: Sequence[str]) -> dict[str, str]:
        """Return why each of these jobs waits, by id; of those that run the empty text, of others nothing."""
        lines = self.call("squeue", "--noheader", self._user, "--format=%i|%T|%r").splitlines()
        parts = [line.strip().split("|", 2) for line in lines if line.count("|") >= 2]
        return {
            job_id: reason if state == "PENDING" else ""
            for job_id, state, reason in parts
            if job_id in job_ids and state not in ENDED_STATES and state != "COMPLETING"
        }

    def expected_starts(self, names: Iterable[str]) -> dict[str, datetime]:
        """Return when waiting jobs are expected to start, by id, as far as the scheduler has planned."""
        named = f"--name={','.join(names)}"
        options = ("--start", "--noheader", "--array", self._user, named, "--format=%i|%S")
        return parse_starts(self.call("squeue", *options, patience=SHORT).splitlines())

    def ended_jobs(self, since: Mapping[str, datetime]) -> dict[str, dict[str, int]]:
        """Return how many jobs of each name, submitted since its time, ended in which state; one call.

        Empty without accounting.
        """
        # sacct takes local times and refuses a zone.
        start = f"--starttime={min(since.values()).astimezone():%Y-%m-%dT%H:%M:%S}"
        options = ("--allocations", "--noheader", "--parsable2", f"--name={','.join(since)}", start)
        try:
            output = self.call("sacct", *options, "--format=JobName,State,Submit", patience=Patience(20))
        except EnvironmentFault:
            return {}
        return count_ends(output.splitlines(), since)

    def preempted_at(self, job_id: str) -> float | None:
        """Return when a running job that has to make room for another ends, in seconds since 1970.

        None where it was not preempted, or nothing answers within seconds.
        """
        try:
            shown = self.call("scontrol", "--oneliner", "show", "job", job_id, patience=ONCE)
        except EnvironmentFault:
            return None
        return preemption_end(shown)

    # What changes the queue

    def submit(self, script: Path) -> str:
        """Submit a script, of a name that no other script has; return the job's id.

        Slurm may have accepted a script although its answer was lost. So it is submitted again only once
        squeue shows no job of it. A copy that Slurm accepts still later stays beside the second one: a driver
        then waits for the first one (`singleton`), an array of workers finds less to do.
        """
        for pause in PATIENT.pauses:
            try:
                return self._sbatch(script)
            except SlurmUnavailable:
                self._sleep(pause)
            accepted = self._accepted(script)
            if accepted is not None:
                return accepted
        return self._sbatch(script)

    def _sbatch(self, script: Path) -> str:
        answer = (
            self.call("sbatch", "--parsable", str(script), patience=Patience(PATIENT.seconds))
            .strip()
            .splitlines()
        )
        # "12" or "12;cluster", perhaps after lines of a site's own plugin.
        job_id = answer[-1].split(";")[0].strip() if answer else ""
        if not job_id.isdecimal():
            raise SlurmRefused(f"sbatch: no job id in its answer {answer}")
        return job_id

    def _accepted(self, script: Path) -> str | None:
        """Return the id of the job that was submitted with a script, None where Slurm has none."""
        # A job may have ended already.
        options = ("--noheader", self._user, "--states=all", "--format=%i|%o")
        for line in self.call("squeue", *options, patience=Patience(20, PATIENT.pauses)).splitlines():
            job_id, _, command = line.strip().partition("|")
            if script.name in command:
                return job_id.split("_")[0]
        return None

    def refusal(self, script: Path) -> str | None:
        """Return why Slurm would refuse a script, None where it would take it; submits nothing."""
        try:
            self.call("sbatch", "--test-only", str(script), patience=Patience(60))
        except SlurmRefused as refused:
            return str(refused)
        return None

    def cancel_named(self, names: Iterable[str], *, waiting_only: bool = False) -> None:
        """Cancel this user's jobs of these names, or only those that have not started."""
        for name in names:
            state = ["--state=PENDING"] if waiting_only else []
            self.call("scancel", self._user, f"--name={name}", *state)

    def cancel(self, job_ids: Sequence[str]) -> None:
        """Cancel these jobs."""
        if job_ids:
            self.call("scancel", *job_ids)

    def requeue(self, job_id: str) -> None:
        """Send a job back into the queue; ends its processes if it runs."""
        self.call("scontrol", "requeue", job_id, patience=SHORT)

    def release(self, job_id: str) -> None:
        """Release a held job."""
        self.call("scontrol", "release", job_id, patience=SHORT)

    # What the cluster offers

    def partitions(self) -> list[Nodes]:
        """Return the nodes of all partitions that this user sees."""
        return parse_nodes(self.call("sinfo", "--noheader", "--format=%P|%l|%G|%c|%m|%a|%D").splitlines())

    def associations(self, user: str) -> Associations:
        """Return the user's accounts and qualities of service."""
        words = ("show", "associations", f"user={user}", "format=account,qos,defaultaccount")
        try:
            lines = self.call(
                "sacctmgr", "--noheader", "--parsable2", *words, patience=Patience(20)
            ).splitlines()
        except EnvironmentFault:
            return Associations()
        rows = [[*line.split("|"), "", ""][:3] for line in lines if line]
        qos = (name for row in rows for name in row[1].split(",") if name)
        defaults = [row[2] for row in rows if row[2]]
        return Associations(
            tuple(dict.fromkeys(row[0] for row in rows)),
            defaults[0] if defaults else None,
            tuple(dict.fromkeys(qos)),
        )

    def max_array_size(self) -> int | None:
        """Return MaxArraySize, one more than the largest index of an array; None where it is not shown."""
        value = self._configured("MaxArraySize")
        return int(value) if value is not None and value.isdecimal() else None

    def cluster_name(self) -> str | None:
        """Return the cluster's name, None where it is not shown."""
        return self._configured("ClusterName")

    def _configured(self, name: str) -> str | None:
        shown = re.search(rf"^{name}\s*=\s*(\S+)", self.call("scontrol", "show", "config"), re.M)
        return shown[1] if shown else None
