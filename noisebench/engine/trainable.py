"""What Ray Tune runs: an actor that executes one trial after another."""

from __future__ import annotations

import os
import shutil
import signal
import threading
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import ray
from ray import tune

from noisebench.engine.node import (
    DATA_VARIABLE,
    WORKER_VARIABLE,
    gpu_share,
    leave_note,
    note_leave,
    seconds_left,
)
from noisebench.engine.recovery import has_completed
from noisebench.engine.searcher import DECLINED
from noisebench.records import provenance
from noisebench.records.attempts import End, ErrorKind, LeaveReason, Status
from noisebench.records.durable import patiently
from noisebench.records.evidence import EvidenceFile, Sharing
from noisebench.records.folders import SweepFolder
from noisebench.records.journal import JournalWriter
from noisebench.records.logs import Log
from noisebench.sweep import reference
from noisebench.sweep.trial import Trial
from noisebench.trial.duration import (
    ESTIMATE_MARGIN,
    FRESH_NODE_SHARE,
    Work,
    allowance_seconds,
    estimated_seconds,
    seconds_at_risk,
    time_suffices,
)
from noisebench.trial.memory import share_mb
from noisebench.trial.watch import Limits

# How often an actor without work reports on a node that leaves.
WAIT_SECONDS = 60.0


@dataclass(frozen=True)
class ActorSettings:
    """What all actors of a run have in common.

    `worker` names the heartbeat of the driver's own machine; a cluster's nodes have their own.
    `execute` ("module:function") replaces the measurement.
    """

    folder: SweepFolder
    worker: str
    data_dir: Path | None = None
    execute: str | None = None
    memory_mb: float | None = None
    machine_seconds: float | None = None
    allowance_minutes: float | None = None


def former_end(journal: str | None, trial_id: str) -> End | None:
    """Return the end of a trial that the process of this journal file has completed; None if it has not.

    Where the file system does not give the file, the trial may have completed: it is interrupted, not run.
    """
    try:
        if journal is not None and patiently(lambda: has_completed(Path(journal), trial_id)):
            return End(Status.COMPLETED)
    except OSError as error:
        return End(Status.INTERRUPTED, ErrorKind.STORAGE, str(error))
    return None


class TrialActor(tune.Trainable):
    """Runs the trial in its config in one step; reused for the next trial, with data and journal kept.

    The record is in the journal before `step` returns, so Tune never knows of a result that is not
    durable. A trial that raises is a failed record, not an error of the actor.
    """

    def setup(self, config: dict[str, Any], settings: ActorSettings) -> None:  # type: ignore[override]
        """Open this process's journal file; called once for each actor."""
        # The driver imports this module too, and does not need torch.
        from noisebench.trial.device import choose_device, limit_gpu_memory
        from noisebench.trial.runner import Runner

        self._config = config
        self._settings = settings
        self._declined = False
        folder = settings.folder
        data_dir = os.environ.get(DATA_VARIABLE)
        arguments: dict[str, Any] = (
            {} if settings.execute is None else {"execute": reference.load(settings.execute)}
        )
        # An actor without a share of a GPU sees all of them.
        device = choose_device(gpu=bool(ray.get_gpu_ids()))
        share = ray.get_runtime_context().get_assigned_resources().get("GPU", 1.0)  # type: ignore[no-untyped-call]
        limit_gpu_memory(device, gpu_share(float(share)))
        self._runner = Runner(
            folder.results,
            folder.name,
            os.environ.get(WORKER_VARIABLE, settings.worker),
            settings.data_dir if data_dir is None else Path(data_dir),
            device,
            JournalWriter(folder.journal, provenance.host()),
            log=Log(folder),
            **arguments,
        )
        self._note_terminate()

    def _note_terminate(self) -> None:
        """Let the runner know of SIGTERM before Ray's own handler ends the process by SystemExit."""
        if threading.current_thread() is not threading.main_thread():
            return
        rays_handler = signal.getsignal(signal.SIGTERM)

        def handle(number: int, frame: FrameType | None) -> None:
            self._runner.leaving = True
            if callable(rays_handler):
                rays_handler(number, frame)
            else:
                raise SystemExit(1)

        signal.signal(signal.SIGTERM, handle)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Take the next trial in the same process."""
        # Never False, even if the node leaves: Tune would not tell its searcher of the trial's end.
        self._config = new_config
        return True

    def step(self) -> dict[str, Any]:
        """Run the trial; the result tells the driver how it ended, nothing more."""
        if self._declined:
            # The place stays taken, so that this node gets no further trial.
            time.sleep(WAIT_SECONDS)
            return {"status": DECLINED, "done": False}
        end = self._run_trial()
        if end is None:
            self._declined = True
            return {"status": DECLINED, "done": False}
        # Tune makes a folder for each trial. Removing thousands of them at the end would take a while.
        shutil.rmtree(self.logdir, ignore_errors=True)
        return {**asdict(end), "done": True}

    def _run_trial(self) -> End | None:
        """Run the trial unless it has completed; None if this node leaves before it could."""
        trial = Trial.from_fields(self._config["trial"])
        former = former_end(self._config["previous_journal"], trial.trial_id)
        if former is not None:
            return former
        settings, sharing = self._settings, Sharing(**self._config["sharing"])
        work = self._work(trial, sharing)
        if self._leaves_before(work):
            return None
        limits = Limits(
            share_mb(self._config["part"], settings.memory_mb),
            attempt_seconds(work, settings.machine_seconds, settings.allowance_minutes),
        )
        try:
            return self._runner.attempt(trial, str(self._config["attempt"]), limits, sharing)
        except OSError as error:  # the journal cannot be written
            return End(Status.INTERRUPTED, ErrorKind.STORAGE, str(error))

    def _work(self, trial: Trial, sharing: Sharing) -> Work:
        """Return what the attempt does. Evidence is checked as a whole: damaged evidence is trained anew."""
        from noisebench.trial.measurement import only_judges

        evidence = EvidenceFile(self._settings.folder.results.evidence(trial.evidence_id))
        gpu = self._runner.device.type != "cpu"
        return Work(trial, gpu, tuple(sharing.needs), only_judges(trial, evidence))

    def _leaves_before(self, work: Work) -> bool:
        """Return whether this worker leaves, or has too little time left for a unit of the trial's work."""
        folder, worker = self._settings.folder, self._runner.worker
        if leave_note(folder, worker) is not None:
            return True
        if time_suffices(seconds_at_risk(work), seconds_left(), self._settings.machine_seconds):
            return False
        note_leave(folder, worker, LeaveReason.TIME_LIMIT)
        return True

    def save_checkpoint(self, checkpoint_dir: str) -> dict[str, Any]:
        """Give Tune nothing; a trial keeps its own checkpoints."""
        del checkpoint_dir
        return {}

    def load_checkpoint(self, checkpoint: dict[str, Any] | None) -> None:
        """Restore nothing: recovery uses the journal."""

    def cleanup(self) -> None:
        """Close the journal file."""
        self._runner.journal.close()


def attempt_seconds(work: Work, machine_seconds: float | None, allowance_minutes: float | None) -> float:
    """Return how long one attempt may take.

    A trial that should complete within the time of one worker may not take longer than that: if it hangs,
    it fails instead of being interrupted with each worker.
    """
    seconds = allowance_seconds(work, allowance_minutes)
    if machine_seconds is None or allowance_minutes is not None:
        return seconds
    usable = FRESH_NODE_SHARE * machine_seconds
    fits = ESTIMATE_MARGIN * estimated_seconds(work) <= usable
    return min(seconds, usable) if fits else seconds
