"""The trials that wait, with what becomes of those that lose their process."""

from __future__ import annotations

import uuid
from collections import deque
from collections.abc import Callable, Iterable

from noisebench.engine.deaths import Death, process_died
from noisebench.engine.progress import Progress
from noisebench.spec.trial import Trial
from noisebench.trial import provenance, record
from noisebench.trial.journal import JournalWriter
from noisebench.trial.layout import ResultsFolder

# A trial that was in flight in this many deaths of its process is taken to be their cause.
DEATHS_TO_FAIL = 2


class TrialQueue:
    """Hands out pending trials under fresh attempt ids, and keeps account of how they end."""

    def __init__(
        self, trials: Iterable[Trial], results: ResultsFolder, sweep: str, progress: Progress
    ) -> None:
        self._waiting = deque(trials)
        self._live: dict[str, Trial] = {}
        self._deaths: dict[str, int] = {}
        self._results = results
        self._sweep = sweep
        self._journal: JournalWriter | None = None
        self.progress = progress
        self.judge: Callable[[str], Death] = process_died

    @property
    def waiting(self) -> int:
        """How many trials were not handed out."""
        return len(self._waiting)

    @property
    def live(self) -> int:
        """How many were handed out and have not ended."""
        return len(self._live)

    def take(self) -> tuple[str, Trial]:
        """Hand out the next trial as (attempt id, trial)."""
        trial = self._waiting.popleft()
        attempt_id = uuid.uuid4().hex
        self._live[attempt_id] = trial
        self.progress.started()
        return attempt_id, trial

    def settle(self, attempt_id: str, status: str) -> None:
        """Note that the attempt's own process recorded its end as `status`."""
        del self._live[attempt_id]
        self.progress.settled(status)

    def lose(self, attempt_id: str) -> None:
        """Record the end of an attempt whose process died: the trial waits again, or failed as the cause."""
        trial = self._live.pop(attempt_id)
        death = self.judge(attempt_id)
        deaths = self._deaths[trial.trial_id] = self._deaths.get(trial.trial_id, 0) + death.counts
        if deaths < DEATHS_TO_FAIL:
            if death.began:
                self._record_end(attempt_id, trial, "interrupted", death.kind, death.message)
            self._waiting.append(trial)
            self.progress.returned()
        else:
            message = f"the trial's process died {deaths} times: killed, out of memory, or crashed"
            self._record_end(attempt_id, trial, "failed", "host-memory", message)
            self.progress.settled("failed")

    def close(self) -> None:
        """Record what is still live as cancelled: the sweep was stopped."""
        for attempt_id, trial in self._live.items():
            self._record_end(attempt_id, trial, "interrupted", "cancelled", "the sweep was stopped")
        self._live.clear()
        if self._journal is not None:
            self._journal.close()

    def _record_end(self, attempt_id: str, trial: Trial, status: str, kind: str, message: str) -> None:
        if self._journal is None:
            self._journal = JournalWriter(self._results.journal / self._sweep, provenance.host())
        self._journal.append(
            record.ended(attempt_id, self._sweep, trial.trial_id, status, error_kind=kind, error=message)
        )
