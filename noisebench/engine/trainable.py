"""What Ray Tune runs: an actor that executes one trial after another."""

from __future__ import annotations

import os
import shutil
import signal
import threading
import time
import uuid
from dataclasses import asdict
from pathlib import Path
from types import FrameType
from typing import Any

import ray
from ray import tune

from noisebench.engine.deaths import is_completed, leave_note, note_leave, started_line
from noisebench.engine.node import DATA_VARIABLE, ENDS_AT_VARIABLE, WORKER_VARIABLE
from noisebench.engine.searcher import DECLINED
from noisebench.records import attempts, provenance
from noisebench.records.attempts import End
from noisebench.records.folders import ResultsFolder
from noisebench.records.journal import JournalWriter
from noisebench.records.logs import Log
from noisebench.sweep import reference
from noisebench.sweep.trial import Trial
from noisebench.trial.duration import allowance_seconds, seconds_at_risk, time_suffices
from noisebench.trial.memory import share_mb
from noisebench.trial.watch import Limits

# A node that leaves needs a moment until it is given nothing more; asking it again and again helps nobody.
DECLINE_SECONDS = 5.0


class TrialActor(tune.Trainable):
    """Runs the trial in its config in one step; reused for the next trial, with data and journal kept.

    The record is in the journal before `step` returns, so Tune never knows of a result that is not
    durable. A trial that raises is a failed record, not an error of the actor.
    """

    def setup(  # type: ignore[override]  # the rest comes through tune.with_parameters
        self,
        config: dict[str, Any],
        results: str,
        sweep: str,
        worker: str,
        data_dir: str | None,
        execute: str | None,
        memory_mb: float | None,
        node_seconds: float | None,
        allowance_minutes: float | None,
    ) -> None:
        """Open this process's journal file; called once an actor."""
        # The driver imports this module too, and can do without torch's time and memory.
        from noisebench.trial.device import choose_device, limit_gpu_memory
        from noisebench.trial.runner import Runner

        self._config = config
        self._is_new = True
        self._memory_mb = memory_mb
        self._node_seconds = node_seconds
        self._allowance_minutes = allowance_minutes
        folder = ResultsFolder(Path(results))
        # On a cluster the node's worker vouches for this process, not the driver.
        worker = os.environ.get(WORKER_VARIABLE, worker)
        data_dir = os.environ.get(DATA_VARIABLE, data_dir)
        more: dict[str, Any] = {} if execute is None else {"execute": reference.load(execute)}
        # An actor without a share of a GPU sees all of them.
        device = choose_device(gpu=bool(ray.get_gpu_ids()))
        share = ray.get_runtime_context().get_assigned_resources().get("GPU", 1.0)  # type: ignore[no-untyped-call]
        limit_gpu_memory(device, float(share))
        self._runner = Runner(
            folder,
            sweep,
            worker,
            None if data_dir is None else Path(data_dir),
            device,
            JournalWriter(folder.sweep(sweep).journal, provenance.host()),
            log=Log(folder.sweep(sweep)),
            **more,
        )
        self._note_terminate()

    def _note_terminate(self) -> None:
        """Let the runner know of SIGTERM before Ray's own handler ends the process by SystemExit."""
        if threading.current_thread() is not threading.main_thread():
            return
        end = signal.getsignal(signal.SIGTERM)

        def handle(number: int, frame: FrameType | None) -> None:
            self._runner.leaving = True
            if callable(end):
                end(number, frame)
            else:
                raise SystemExit(1)

        signal.signal(signal.SIGTERM, handle)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Take the next trial in the same process."""
        # Never False, even if the node is about to go: Tune would not tell its searcher of the trial's end.
        self._config = new_config
        return True

    def step(self) -> dict[str, Any]:
        """Run the trial; the result tells the driver how it ended, nothing more."""
        result = self._run_trial()
        # Tune makes a folder for each trial. At the end of thousands, to remove them would take a while.
        shutil.rmtree(self.logdir, ignore_errors=True)
        return result

    def _run_trial(self) -> dict[str, Any]:
        trial = Trial.from_fields(self._config["trial"])
        runner = self._runner
        gpu = runner.device.type != "cpu"
        if self._config["doubtful"] and is_completed(runner.results, runner.sweep, trial.trial_id):
            return {**asdict(End("completed")), "done": True}
        seconds = seconds_at_risk(trial, gpu=gpu)
        leaves = leave_note(runner.results, runner.sweep, runner.worker) is not None
        if not leaves and not time_suffices(seconds, _left(), self._node_seconds):
            note_leave(runner.results, runner.sweep, runner.worker, "time-limit")
            leaves = True
        if leaves:
            time.sleep(DECLINE_SECONDS)
            return {"status": DECLINED, "done": True}
        allowance = allowance_seconds(trial, gpu=gpu, minutes=self._allowance_minutes)
        limits = Limits(share_mb(self._config["part"], self._memory_mb), allowance)
        return {**asdict(runner.attempt(trial, self._attempt_id(trial), limits)), "done": True}

    def _attempt_id(self, trial: Trial) -> str:
        """Return the id of this attempt: the driver's, or a new one where that attempt has begun elsewhere.

        When a node is drained, Ray Tune starts its trials anew by itself, in a new process.
        """
        attempt_id, runner = str(self._config["attempt"]), self._runner
        reused, self._is_new = not self._is_new, False
        if reused:
            return attempt_id
        before = started_line(runner.results, runner.sweep, attempt_id)
        if before is None:
            return attempt_id
        kind = leave_note(runner.results, runner.sweep, before["worker"]) or "node-lost"
        said = f"the worker {before['worker']} had to leave: {kind}"
        line = attempts.ended(
            attempt_id, runner.sweep, trial.trial_id, "interrupted", error_kind=kind, error=said
        )
        runner.journal.append(line)
        return uuid.uuid4().hex

    def save_checkpoint(self, checkpoint_dir: str) -> dict[str, Any]:
        """Give Tune nothing; a trial keeps its own epochs."""
        del checkpoint_dir
        return {}

    def load_checkpoint(self, checkpoint: dict[str, Any] | None) -> None:
        """Take nothing back: recovery is the journal's business."""

    def cleanup(self) -> None:
        """Close the journal file."""
        self._runner.journal.close()


def _left() -> float:
    ends_at = os.environ.get(ENDS_AT_VARIABLE)
    return float("inf") if ends_at is None else float(ends_at) - time.time()
