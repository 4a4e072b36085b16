"""One attempt: the measurement between its two journal lines."""

from __future__ import annotations

import os
import time
import traceback
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch

from noisebench.errors import DataError, DivergedError
from noisebench.records import attempts, provenance
from noisebench.records.attempts import End
from noisebench.records.checkpoints import Checkpoints
from noisebench.records.folders import ResultsFolder
from noisebench.records.journal import JournalWriter
from noisebench.records.logs import Log
from noisebench.records.scores import write_scores
from noisebench.sweep.trial import Trial
from noisebench.trial.duration import LONG_SECONDS, estimated_seconds
from noisebench.trial.measurement import Measurement, measure
from noisebench.trial.watch import Limits, watched

Execute = Callable[[Trial, Path | None, torch.device, Checkpoints], Measurement]

MAX_ERROR_CHARACTERS = 2_000


@dataclass
class Runner:
    """A process's place to run attempts of one sweep: its device, its own journal file.

    `worker` is the name of the heartbeat that vouches for this process. `execute` turns a trial into a
    measurement; benchmarks of the machinery put one there that only returns numbers. `log` takes what
    trials print; without one it goes where this process prints. Once it is `leaving`, its machine has told
    the process to end: what a trial then raises is no failure of the trial, and left to the driver to record.
    """

    results: ResultsFolder
    sweep: str
    worker: str
    data_dir: Path | None
    device: torch.device
    journal: JournalWriter
    execute: Execute = measure
    log: Log | None = None
    leaving: bool = False

    def attempt(self, trial: Trial, attempt_id: str, limits: Limits | None = None) -> End:
        """Run `trial` once and return how that ended.

        Whatever the trial raises becomes a failed record; the record is on the disk when this returns. A
        trial that exceeds its limits is recorded as failed too, and takes this whole process with it.
        """
        self.journal.append(
            attempts.started(
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
            return self._measured(trial, attempt_id, limits)

    def _measured(self, trial: Trial, attempt_id: str, limits: Limits | None) -> End:
        provenance.reset_peak_memory()
        begun = time.perf_counter()
        try:
            checkpoints = self._checkpoints(trial)
            with watched(limits, partial(self._give_up, attempt_id, trial, begun)):
                measured = self.execute(trial, self.data_dir, self.device, checkpoints)
                if measured.samples:
                    write_scores(self.results, trial.trial_id, measured.samples)
        except (KeyboardInterrupt, GeneratorExit):
            self._end(attempt_id, trial, End("interrupted", "cancelled"), begun)
            raise
        except BaseException as error:  # a user's loss may even call sys.exit
            if self.leaving:
                raise
            said = f"{type(error).__name__}: {error}"[:MAX_ERROR_CHARACTERS]
            end = End("failed", error_kind(error), said)
            self._end(attempt_id, trial, end, begun, traceback=traceback.format_exc())
            return end
        seconds = time.perf_counter() - begun
        end = End("completed")
        self._end(
            attempt_id,
            trial,
            end,
            begun,
            fast_path=measured.fast_path,
            result={**measured.result, "seconds": seconds},
            epochs=measured.epochs,
        )
        checkpoints.clear()
        return end

    def _checkpoints(self, trial: Trial) -> Checkpoints:
        is_long = estimated_seconds(trial, gpu=self.device.type != "cpu") > LONG_SECONDS
        return Checkpoints(self.results.checkpoint(trial.trial_id), each_epoch=is_long)

    def _give_up(self, attempt_id: str, trial: Trial, begun: float, kind: str, seen: str, where: str) -> None:
        """Record the attempt as failed, then end this process: the trial cannot be stopped otherwise."""
        try:
            self._end(attempt_id, trial, End("failed", kind, seen), begun, traceback=where)
        finally:
            os._exit(1)

    def _end(self, attempt_id: str, trial: Trial, end: End, begun: float, **more: Any) -> None:
        line = attempts.ended(
            attempt_id,
            self.sweep,
            trial.trial_id,
            end.status,
            seconds=time.perf_counter() - begun,
            error_kind=end.error_kind,
            error=end.error,
            **more,
        )
        self.journal.append(line)


def error_kind(error: BaseException) -> str:
    """Return the kind under which a failure is recorded."""
    if isinstance(error, DivergedError):
        return "diverged"
    # torch has a class of its own only for what its caching allocator of a GPU refuses.
    if isinstance(error, torch.OutOfMemoryError) or "CUDA error: out of memory" in str(error):
        return "gpu-memory"
    if isinstance(error, MemoryError) or "DefaultCPUAllocator: " in str(error):
        return "host-memory"
    if isinstance(error, DataError):
        return "data"
    return "exception"


def choose_device(*, gpu: bool) -> torch.device:
    """Return the first GPU this process sees, or the CPU where there is none or none is wanted."""
    return torch.device("cuda:0" if gpu and torch.cuda.is_available() else "cpu")


def _describe(device: torch.device) -> str:
    return "cpu" if device.type == "cpu" else f"{device} {torch.cuda.get_device_name(device)}"
