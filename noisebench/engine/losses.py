"""The losses of each trial: how many count against it, also those that former drivers have recorded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from noisebench.engine.recovery import PROCESS_DIED, Cause, Loss, RecoveryPolicy
from noisebench.records.attempts import End, ErrorKind, Started, Status
from noisebench.records.folders import ResultsFolder
from noisebench.store.states import Interruption
from noisebench.sweep.trial import Trial
from noisebench.trial.duration import Work, allowance_seconds

# A trial that has lost so many nodes may bring them down, or ran beside one that does.
SUSPECT_NODE_LOSSES = 2
# How far the clocks of a driver and of the file server may differ.
CLOCK_SECONDS = 60.0
# The kinds of interruptions that are limited, each with its limit's cause. Preemptions are not: they say
# nothing about the trial.
_LIMITED = {
    ErrorKind.NODE_LOST: Cause.NODE_LOST,
    ErrorKind.TIME_LIMIT: Cause.NODE_LEFT,
    ErrorKind.PROCESS_DIED: Cause.PROCESS_DIED,
    ErrorKind.GPU_ERROR: Cause.PROCESS_DIED,
}


class LossCounter:
    """Counts the losses of each trial and says when the trial is to blame.

    Those that former drivers have recorded count on. A new checkpoint sets the counts of nodes to zero.
    """

    def __init__(self, policy: RecoveryPolicy, results: ResultsFolder) -> None:
        self._policy = policy
        self._results = results
        self._counts: Counter[tuple[str, Cause]] = Counter()
        self._checkpoints: dict[str, frozenset[tuple[str, int]]] = {}
        for trial_id, losses in policy.previous_losses.items():
            self._recall(trial_id, losses)

    def _recall(self, trial_id: str, losses: Sequence[Interruption]) -> None:
        """Count what former drivers have recorded, of nodes only those after the newest checkpoint."""
        files = self._checkpoints[trial_id] = _file_versions(self._results.checkpoint(trial_id))
        newest = max((nanoseconds for _, nanoseconds in files), default=0) / 1e9 + CLOCK_SECONDS
        for loss in losses:
            cause = _LIMITED.get(loss.error_kind)
            if cause is Cause.PROCESS_DIED or (cause and loss.ended_at.timestamp() > newest):
                self._counts[trial_id, cause] += 1

    def end_after(self, trial: Trial, loss: Loss, started: Started | None) -> End:
        """Count a loss; return how the attempt ended: interrupted, to be run again, or failed."""
        key = (trial.trial_id, loss.cause)
        if self._has_progressed(trial) and loss.cause is not Cause.PROCESS_DIED:
            self._counts[key] = 0
        if loss.error_kind in _LIMITED:
            self._counts[key] += 1
        return self._failure(trial, loss, started, self._counts[key]) or End(
            Status.INTERRUPTED, loss.error_kind, loss.message
        )

    def is_suspect(self, trial: Trial) -> bool:
        """Whether this trial may bring its nodes down: it is to run without another such trial beside it."""
        return self._counts[trial.trial_id, Cause.NODE_LOST] >= SUSPECT_NODE_LOSSES

    def _failure(self, trial: Trial, loss: Loss, started: Started | None, count: int) -> End | None:
        policy = self._policy
        if loss.cause is Cause.PROCESS_DIED:
            return self._process_failure(trial, loss, started, count)
        if loss.cause is Cause.NODE_LOST and count >= policy.max_node_losses:
            message = (
                f"{count} nodes were lost while they ran this trial, without a new checkpoint in between: "
                "the trial may bring its node down"
            )
            return End(Status.FAILED, ErrorKind.NODE_LOST, message)
        if loss.error_kind is ErrorKind.TIME_LIMIT and count >= policy.max_stalled_attempts:
            message = (
                f"{count} workers reached their time limit while they ran this trial, without a new "
                "checkpoint in between: raise `workers.minutes` in the site's profile"
            )
            return End(Status.FAILED, ErrorKind.TIME_LIMIT, message)
        return None

    def _process_failure(self, trial: Trial, loss: Loss, started: Started | None, count: int) -> End | None:
        if loss is PROCESS_DIED and started is not None and _is_overdue(trial, started, self._policy):
            message = "took longer than --allowance-minutes allows, in code that kept Python from running"
            return End(Status.FAILED, ErrorKind.TIMEOUT, message)
        if count < self._policy.max_process_deaths:
            return None
        if loss is not PROCESS_DIED:
            return End(Status.FAILED, loss.error_kind, f"{loss.message} (in {count} processes)")
        message = f"the trial's process died {count} times: killed, out of memory, or crashed"
        return End(Status.FAILED, ErrorKind.HOST_MEMORY, message)

    def _has_progressed(self, trial: Trial) -> bool:
        """Return whether the trial's checkpoints have changed since its last loss."""
        before = self._checkpoints.get(trial.trial_id, frozenset())
        now = _file_versions(self._results.checkpoint(trial.trial_id))
        self._checkpoints[trial.trial_id] = now
        return bool(now - before)


def _is_overdue(trial: Trial, started: Started, policy: RecoveryPolicy) -> bool:
    """Return whether the attempt had exceeded its time: code that blocks Python dies without a record."""
    seconds = (datetime.now(UTC) - started.started_at).total_seconds()
    on_gpu = started.device != "cpu"
    return seconds > allowance_seconds(Work(trial, on_gpu), policy.allowance_minutes)


def _file_versions(folder: Path) -> frozenset[tuple[str, int]]:
    try:
        return frozenset((path.name, path.stat().st_mtime_ns) for path in folder.rglob("*"))
    except OSError:
        return frozenset()  # removed meanwhile
