"""One command of Slurm: its environment, its time limit, what its failure means.

A command runs without the caller's SLURM_*, SBATCH_* and SQUEUE_* variables, so that a call from a job, from
`submit` and from `doctor` means the same.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from noisebench.errors import EnvironmentFault

Run = Callable[[Sequence[str], float, Mapping[str, str]], "subprocess.CompletedProcess[str]"]

# Answers of a controller that is busy or being restarted, in lower case, of Slurm 20.11 to 25.x.
_TRANSIENT = (
    "unable to contact slurm controller",
    "socket timed out",
    "connection refused",
    "connection timed out",
    "connection reset",
    "try again",
    "zero bytes were transmitted or received",
    "slurmctld in standby",
    "in standby mode",
    "resource temporarily unavailable",
)
_FOREIGN = ("SLURM_", "SLURMD_", "SRUN_", "SBATCH_", "SALLOC_", "SQUEUE_", "SINFO_", "SACCT_", "SCANCEL_")
_KEPT = ("SLURM_CONF", "SLURM_CONF_SERVER", "SLURM_JWT")
NO_COMMAND = "submit from a node where Slurm's commands are installed"


class SlurmUnavailable(EnvironmentFault):
    """Slurm gave no answer; what holds for the jobs is unknown."""


class SlurmRefused(EnvironmentFault):
    """Slurm answered that it will not do this."""


class CommandMissing(EnvironmentFault):
    """A command of Slurm is not installed here."""


@dataclass(frozen=True)
class Patience:
    """How long one call may take, and the pauses before it is repeated, all in seconds."""

    seconds: float
    pauses: tuple[float, ...] = ()


PATIENT = Patience(60, (1, 2, 5, 10))
SHORT = Patience(20, (1, 3))
# Inside the grace period of a preempted job every second counts.
ONCE = Patience(5)


def command_environment() -> dict[str, str]:
    """Return this process's environment without what describes its own job, with plain English and times."""
    mine = {key: value for key, value in os.environ.items() if key in _KEPT or not key.startswith(_FOREIGN)}
    submitit = [key for key in mine if key.startswith("SUBMITIT_")]
    for key in (*submitit, "SLURM_TIME_FORMAT"):
        mine.pop(key, None)
    return {**mine, "SLURM_TIME_FORMAT": "standard"}


def run_command(
    words: Sequence[str], seconds: float, environment: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    """Run a command; raises FileNotFoundError where it is missing, TimeoutExpired where it hangs."""
    process = subprocess.Popen(
        words,
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    with process:
        try:
            output, errors = process.communicate(timeout=seconds)
        except BaseException:
            # A site's wrapper of the command may have children, which would keep the pipes open.
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            raise
    return subprocess.CompletedProcess(words, process.returncode, output, errors)


def fault_of(command: str, errors: str, code: int) -> EnvironmentFault:
    """Return what a command that failed means: no answer, or a refusal."""
    message = " ".join(errors.split()) or f"exit code {code} without a message"
    transient = any(text in message.lower() for text in _TRANSIENT)
    return (SlurmUnavailable if transient else SlurmRefused)(f"{command}: {message}")
