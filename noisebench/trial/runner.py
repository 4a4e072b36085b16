"""One attempt: the measurement between its two journal lines."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import torch

from noisebench.errors import DataError, DivergedError
from noisebench.spec.cost import CPU_RATES, V100_RATES, seconds_for
from noisebench.spec.trial import Trial
from noisebench.trial import provenance, record
from noisebench.trial.checkpoint import LONG_SECONDS, Checkpoints
from noisebench.trial.journal import JournalWriter
from noisebench.trial.layout import ResultsFolder
from noisebench.trial.log import Log
from noisebench.trial.measurement import Measurement, measure
from noisebench.trial.scores import write_scores

Execute = Callable[[Trial, Path | None, torch.device, Checkpoints], Measurement]

MAX_ERROR_CHARACTERS = 2_000


@dataclass
class Runner:
    """A process's place to run attempts of one sweep: its device, its own journal file.

    `worker` is the name of the heartbeat that vouches for this process. `execute` turns a trial into a
    measurement; benchmarks of the machinery put one there that only returns numbers. `log` takes what
    trials print; without one it goes where this process prints.
    """

    results: ResultsFolder
    sweep: str
    worker: str
    data_dir: Path | None
    device: torch.device
    journal: JournalWriter
    execute: Execute = measure
    log: Log | None = None

    def attempt(self, trial: Trial, attempt_id: str) -> str:
        """Run `trial` once and return its status: completed, failed.

        Whatever the trial raises becomes a failed record; the record is on the disk when this returns.
        """
        self.journal.append(
            record.started(
                attempt_id,
                self.sweep,
                trial,
                self.worker,
                _describe(self.device),
                None if self.log is None else self.log.path,
            ),
            # Losing this line to a power cut only makes the trial pending again.
            durable=False,
        )
        with nullcontext() if self.log is None else self.log.of(attempt_id):
            return self._measured(trial, attempt_id)

    def _measured(self, trial: Trial, attempt_id: str) -> str:
        provenance.reset_peak_memory()
        begun = time.perf_counter()
        try:
            checkpoints = self._checkpoints(trial)
            measured = self.execute(trial, self.data_dir, self.device, checkpoints)
            if measured.samples:
                write_scores(self.results, trial.trial_id, measured.samples)
        except (KeyboardInterrupt, GeneratorExit):
            self._end(attempt_id, trial, "interrupted", begun, error_kind="cancelled")
            raise
        except BaseException as error:  # a user's loss may even call sys.exit
            self._end(
                attempt_id,
                trial,
                "failed",
                begun,
                error_kind=error_kind(error),
                error=f"{type(error).__name__}: {error}"[:MAX_ERROR_CHARACTERS],
                traceback=traceback.format_exc(),
            )
            return "failed"
        seconds = time.perf_counter() - begun
        self._end(
            attempt_id,
            trial,
            "completed",
            begun,
            fast_path=measured.fast_path,
            result={**measured.result, "seconds": seconds},
            epochs=measured.epochs,
        )
        checkpoints.clear()
        return "completed"

    def _checkpoints(self, trial: Trial) -> Checkpoints:
        rates = CPU_RATES if self.device.type == "cpu" else V100_RATES
        is_long = seconds_for(trial, rates) > LONG_SECONDS
        return Checkpoints(self.results.checkpoint(trial.trial_id), each_epoch=is_long)

    def _end(self, attempt_id: str, trial: Trial, status: str, begun: float, **more: object) -> None:
        seconds = time.perf_counter() - begun
        line = record.ended(attempt_id, self.sweep, trial.trial_id, status, seconds=seconds, **more)  # type: ignore[arg-type]
        self.journal.append(line)


def error_kind(error: BaseException) -> str:
    """Return the kind under which a failure is recorded."""
    if isinstance(error, DivergedError):
        return "diverged"
    if isinstance(error, torch.OutOfMemoryError):
        return "gpu-memory"
    if isinstance(error, MemoryError):
        return "host-memory"
    if isinstance(error, DataError):
        return "data"
    return "exception"


def choose_device(*, gpu: bool) -> torch.device:
    """Return the first GPU this process sees, or the CPU where there is none or none is wanted."""
    return torch.device("cuda:0" if gpu and torch.cuda.is_available() else "cpu")


def _describe(device: torch.device) -> str:
    return "cpu" if device.type == "cpu" else f"{device} {torch.cuda.get_device_name(device)}"
