"""Attempts: a measurement between its start and end records."""

from __future__ import annotations

import os
import sys
import time
import traceback
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch

from noisebench.records import attempts, provenance
from noisebench.records.attempts import End, Epoch, ErrorKind, Result, Status
from noisebench.records.checkpoints import Checkpoints
from noisebench.records.evidence import EvidenceFile, Sharing
from noisebench.records.folders import ResultsFolder
from noisebench.records.journal import JournalWriter
from noisebench.records.logs import Log
from noisebench.records.scores import write_scores
from noisebench.sweep.calibration import Calibration
from noisebench.sweep.identity import canonical_json
from noisebench.sweep.trial import Trial
from noisebench.training.streams import is_usable
from noisebench.trial import device as devices
from noisebench.trial.duration import CHECKPOINT_SECONDS
from noisebench.trial.failures import MAX_ERROR_CHARACTERS, classify, gpu_error
from noisebench.trial.measurement import Measurement, Surroundings, measure
from noisebench.trial.watch import Limits, watched

Execute = Callable[[Trial, Path | None, torch.device, Checkpoints, EvidenceFile], Measurement]


@dataclass(frozen=True)
class _Attempt:
    attempt_id: str
    trial: Trial
    began: float
    sharing: Sharing


@dataclass
class Runner:
    """Runs attempts of one sweep in this process, on its device, with its own journal file.

    `worker` is the name of this process's heartbeat. `execute` turns a trial into a measurement; the default
    is `measure` with the calibration of the results folder, and benchmarks of the engine replace it. `log`
    collects the output of trials; without it, the output goes to this process's streams. `leaving` is set
    once the process has received a signal to end: later exceptions are not failures of the trial, and the
    driver records the end.
    """

    results: ResultsFolder
    sweep: str
    worker: str
    data_dir: Path | None
    device: torch.device
    journal: JournalWriter
    execute: Execute | None = None
    log: Log | None = None
    leaving: bool = False

    def __post_init__(self) -> None:
        if self.execute is None:
            around = Surroundings(Calibration.read(self.results.root), self.results.own_data)
            self.execute = partial(measure, around=around)

    def attempt(
        self,
        trial: Trial,
        attempt_id: str,
        limits: Limits | None = None,
        sharing: Sharing | None = None,
    ) -> End:
        """Run `trial` once and return its end, after the end record is on the disk.

        `sharing` says which arrays other trials judge by, and whether to keep them.
        An exception in the trial becomes a failed record. Errors of the storage are returned as
        `interrupted: storage`, and recorded if the journal is writable: the trial is not at fault. After a
        trial that exceeds its limits, or whose error makes the GPU unusable for this process, the end is
        recorded and the process exits with code 1.
        """
        log = None if self.log is None else self.log.path
        start = attempts.started(
            attempt_id, self.sweep, trial, self.worker, devices.describe(self.device), log
        )
        start = replace(start, versions={**(start.versions or {}), **devices.gpu_versions(self.device)})
        try:
            # If a power cut loses this record, the trial is pending again.
            self.journal.append(start, durable=False)
            with nullcontext() if self.log is None else self.log.of(attempt_id):
                attempt = _Attempt(attempt_id, trial, time.perf_counter(), sharing or Sharing())
                return self._measured(attempt, limits)
        except OSError as error:
            if self.leaving:
                raise
            # Errors of the trial are caught in _measured; these are errors of the journal.
            return End(
                Status.INTERRUPTED, ErrorKind.STORAGE, f"{self.journal.path}: {error}"[:MAX_ERROR_CHARACTERS]
            )

    def _measured(self, attempt: _Attempt, limits: Limits | None) -> End:
        provenance.reset_peak_memory()
        trial = attempt.trial
        checkpoints = Checkpoints(
            self.results.checkpoint(trial.trial_id),
            epoch_seconds=CHECKPOINT_SECONDS,
            content=canonical_json(attempt.sharing.needs) if attempt.sharing.needs else "",
        )
        evidence = EvidenceFile(self.results.evidence(trial.evidence_id), attempt.attempt_id, attempt.sharing)
        try:
            devices.reset_peak_memory(self.device)
            with watched(limits, partial(self._give_up, attempt)):
                assert self.execute is not None
                measurement = self.execute(trial, self.data_dir, self.device, checkpoints, evidence)
                scores, digest = None, None
                if measurement.samples:
                    scores, digest = write_scores(self.results, trial.trial_id, measurement.samples)
        except (KeyboardInterrupt, GeneratorExit):
            self._end(attempt, End(Status.INTERRUPTED, ErrorKind.CANCELLED))
            raise
        except BaseException as error:  # a user's loss may even call sys.exit
            if self.leaving:
                raise
            return self._failed(attempt, error)
        end = End(Status.COMPLETED)
        self._end(
            attempt,
            end,
            fast_path=measurement.fast_path,
            scores=scores,
            scores_sha256=digest,
            evidence=trial.evidence_id,
            evidence_attempt=measurement.evidence_attempt or attempt.attempt_id,
            result=Result.of({**measurement.result, "seconds": time.perf_counter() - attempt.began}),
            epochs=tuple(map(Epoch.of, measurement.epochs)),
        )
        checkpoints.clear()
        return end

    def _failed(self, attempt: _Attempt, error: BaseException) -> End:
        """Record a failure; end this process if it cannot run another trial."""
        stack, failure = traceback.format_exc(), classify(error)
        if not failure.ends_process and not is_usable(self.device):
            # CUDA reports errors late, so any exception can be their first sign.
            failure = gpu_error(f"the GPU no longer computes, after {failure.end.error}")
        self._end(attempt, failure.end, traceback=stack)
        if failure.ends_process:
            print(f"process {os.getpid()} ends: {failure.end.error}", file=sys.__stderr__, flush=True)
            os._exit(1)
        return failure.end

    def _give_up(self, attempt: _Attempt, kind: str, reason: str, stack: str) -> None:
        """Record the attempt as failed, then end this process: the trial cannot be stopped otherwise."""
        try:
            self._end(attempt, End(Status.FAILED, ErrorKind(kind), reason), traceback=stack)
        finally:
            os._exit(1)

    def _end(self, attempt: _Attempt, end: End, **fields: Any) -> None:
        record = attempts.ended(attempt.attempt_id, self.sweep, attempt.trial.trial_id, end)
        seconds, gpu_memory_mb = time.perf_counter() - attempt.began, devices.peak_memory_mb(self.device)
        self.journal.append(replace(record, seconds=seconds, gpu_memory_mb=gpu_memory_mb, **fields))
