"""The trials that wait, with what becomes of those that end or lose their process."""

from __future__ import annotations

import uuid
from collections import deque
from collections.abc import Callable, Iterable, Set

from noisebench.engine.deaths import Death, process_died
from noisebench.engine.progress import Progress
from noisebench.engine.stops import Stops
from noisebench.records import attempts, provenance
from noisebench.records.attempts import End
from noisebench.records.folders import ResultsFolder
from noisebench.records.journal import JournalWriter, records_of
from noisebench.sweep.trial import Trial

# A trial that was in flight in this many deaths of its process is taken to be their cause.
DEATHS_TO_FAIL = 2
# When a node is lost, so are the processes just being started on it: this many in a row have another reason.
MOST_STARTS_IN_VAIN = 200


class TrialQueue:
    """Hands out pending trials under fresh attempt ids, and keeps account of how they end.

    `judge` says what took an attempt's process, `is_overdue` whether it had exceeded its time by then,
    `has_more` whether a trial that failed with this kind of error could be given more of a machine: then it
    is set aside for `larger_round`, once. The trials of blocks that `stops` has stopped are held back.
    """

    def __init__(
        self,
        trials: Iterable[Trial],
        results: ResultsFolder,
        sweep: str,
        progress: Progress,
        stops: Stops | None = None,
    ) -> None:
        self._waiting = deque(trials)
        self._held: deque[Trial] = deque()
        self._stops = stops or Stops((), results, sweep)
        self._live: dict[str, Trial] = {}
        self._deaths: dict[str, int] = {}
        self._starts_in_vain = 0
        self._need_more: dict[str, Trial] = {}
        self._had_more: set[str] = set()
        self._results = results
        self._sweep = sweep
        self._journal: JournalWriter | None = None
        self.progress = progress
        self.doubtful: Set[str] = frozenset()
        self.judge: Callable[[str], Death] = process_died
        self.is_overdue: Callable[[str], bool] = lambda _: False
        self.has_more: Callable[[Trial, str], bool] = lambda _, __: False
        self._hold_back()

    @property
    def waiting(self) -> int:
        """How many trials are to be handed out in this round."""
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

    def put_back(self, attempt_id: str) -> None:
        """Take back a trial that was never begun: it is the next one again."""
        self._waiting.appendleft(self._live.pop(attempt_id))
        self.progress.returned()

    @property
    def cannot_start(self) -> bool:
        """Whether the queue was given up because process after process ended before its trial began."""
        return self._starts_in_vain >= MOST_STARTS_IN_VAIN

    def settle(self, attempt_id: str, end: End) -> None:
        """Note how the attempt ended, as its own process recorded it."""
        self._starts_in_vain = 0
        trial = self._live.pop(attempt_id)
        if end.error_kind and trial.trial_id not in self._had_more and self.has_more(trial, end.error_kind):
            self._need_more[trial.trial_id] = trial
            self.progress.returned()
        else:
            self._settled(trial, end)

    def larger_round(self) -> bool:
        """Let the trials wait that are to be tried with more of a machine; False where there are none.

        Also False where a run was cut short, and others still wait or live.
        """
        if self._waiting or self._live or not self._need_more:
            return False
        self._had_more |= self._need_more.keys()
        self._waiting.extend(self._need_more.values())
        self._need_more.clear()
        return True

    def lose(self, attempt_id: str) -> None:
        """Settle an attempt whose process died: as it recorded itself, else by what took the process."""
        end = self._recorded_end(attempt_id)
        if end is not None and end.status != "interrupted":
            self.settle(attempt_id, end)
            return
        death = self.judge(attempt_id)
        if not death.began:
            self.put_back(attempt_id)
            self._starts_in_vain += 1
            if self._starts_in_vain >= MOST_STARTS_IN_VAIN:
                self._waiting.clear()
            return
        trial = self._live.pop(attempt_id)
        deaths = self._deaths[trial.trial_id] = self._deaths.get(trial.trial_id, 0) + death.counts
        if death.counts and self.is_overdue(attempt_id):
            message = "took longer than --allowance-minutes allows, in code that kept Python from running"
            self._fail(attempt_id, trial, "timeout", message)
        elif deaths < DEATHS_TO_FAIL:
            self._record_end(attempt_id, trial, End("interrupted", death.kind, death.message))
            self._waiting.append(trial)
            self.progress.returned()
        else:
            message = f"the trial's process died {deaths} times: killed, out of memory, or crashed"
            self._fail(attempt_id, trial, "host-memory", message)

    def close(self) -> None:
        """Record what is still live as cancelled: the sweep was stopped."""
        for attempt_id, trial in self._live.items():
            self._record_end(attempt_id, trial, End("interrupted", "cancelled", "the sweep was stopped"))
        self._live.clear()
        if self._journal is not None:
            self._journal.close()

    def _fail(self, attempt_id: str, trial: Trial, kind: str, message: str) -> None:
        end = End("failed", kind, message)
        self._record_end(attempt_id, trial, end)
        self._settled(trial, end)

    def _settled(self, trial: Trial, end: End) -> None:
        if self._stops.note(trial, end):
            self._hold_back()
        self.progress.settled(end.status)

    def _hold_back(self) -> None:
        trials = [*self._waiting, *self._held]
        self._waiting = deque(trial for trial in trials if self._stops.lets_run(trial))
        self._held = deque(trial for trial in trials if not self._stops.lets_run(trial))
        self.progress.held, self.progress.stopped = len(self._held), dict(self._stops.errors)

    def _recorded_end(self, attempt_id: str) -> End | None:
        """Return how a process recorded the end of an attempt before it died itself, if it did."""
        for line in records_of(self._results.sweep(self._sweep).journal, "attempt_id", attempt_id):
            if line.get("event") == "ended":
                return End(line["status"], line["error_kind"], line["error"])
        return None

    def _record_end(self, attempt_id: str, trial: Trial, end: End) -> None:
        if self._journal is None:
            self._journal = JournalWriter(self._results.sweep(self._sweep).journal, provenance.host())
        line = attempts.ended(
            attempt_id, self._sweep, trial.trial_id, end.status, error_kind=end.error_kind, error=end.error
        )
        self._journal.append(line)
