"""The trials that wait, and what becomes of those that end or lose their process."""

from __future__ import annotations

import time
import uuid
from collections import deque
from collections.abc import Iterable
from pathlib import Path

from noisebench.engine.evidence_groups import EvidenceGroups
from noisebench.engine.larger_shares import LargerShares
from noisebench.engine.losses import LossCounter
from noisebench.engine.progress import Progress
from noisebench.engine.recovery import Cause, JournalTail, Loss, RecoveryPolicy, recorded_loss
from noisebench.engine.stops import Stops
from noisebench.errors import EnvironmentFault
from noisebench.records import attempts, provenance
from noisebench.records.attempts import End, ErrorKind, Status
from noisebench.records.evidence import Sharing
from noisebench.records.folders import SweepFolder
from noisebench.records.journal import JournalWriter
from noisebench.sweep.trial import Trial


class TrialQueue:
    """Hands out pending trials under fresh attempt ids, and keeps account of how they end.

    Of trials that share evidence, one is handed out first; the others follow when it has ended.
    The trials of blocks that `stops` has stopped are held back. A trial that `policy` can give a larger
    share of a machine is set aside for `larger_round`, once. Trials that may bring their nodes down are
    handed out one at a time, so that none is blamed for another. The journal is written only where no process
    of a trial can write its end.
    """

    def __init__(
        self,
        trials: Iterable[Trial],
        folder: SweepFolder,
        progress: Progress,
        policy: RecoveryPolicy | None = None,
        stops: Stops | None = None,
        groups: EvidenceGroups | None = None,
    ) -> None:
        trials = list(trials)
        self.progress = progress
        self.policy = policy or RecoveryPolicy()
        self.fault: EnvironmentFault | None = None
        self._folder = folder
        self._groups = groups or EvidenceGroups(trials, folder)
        self._larger_shares = LargerShares(trials, self.policy)
        ready = (trial for trial in trials if trial not in self._larger_shares)
        self._waiting = deque(self._groups.ordered(ready))
        self._held: deque[Trial] = deque()
        self._suspects: deque[Trial] = deque()
        self._released_suspect: str | None = None
        self._stops = stops or Stops((), folder)
        self._live: dict[str, Trial] = {}
        self._lost: dict[str, float] = {}
        self._losses = LossCounter(self.policy, folder.results)
        self._tail = JournalTail(folder)
        self._next_poll = 0.0
        self._failed_starts = 0
        self._journal: JournalWriter | None = None
        self._hold_back()
        self._set_suspects_aside()

    def __getstate__(self) -> dict[str, object]:
        """Return nothing: Tune pickles all that it is given, for a restore that is never used."""
        return {}

    @property
    def next_trial(self) -> Trial | None:
        """The trial that `take` would hand out, None if none is ready in this round."""
        while self._waiting and self._groups.park(self._waiting[0]):
            self._waiting.popleft()
        return self._waiting[0] if self._waiting else None

    @property
    def waiting(self) -> int:
        """How many trials are to be handed out in this round."""
        return len(self._waiting) + len(self._suspects) + self._groups.parked

    @property
    def live(self) -> int:
        """How many were handed out and have not ended, those included whose loss is not yet explained."""
        return len(self._live)

    def previous_journal(self, trial: Trial) -> Path | None:
        """Return the journal file in which a process of a former driver may still complete the trial."""
        return self.policy.previous_journals.get(trial.trial_id)

    def sharing(self, trial: Trial) -> Sharing:
        """Return how a trial shares its evidence."""
        return self._groups.sharing(trial)

    def take(self) -> tuple[str, Trial]:
        """Hand out `next_trial` as (attempt id, trial)."""
        trial = self.next_trial
        assert trial is not None
        self._waiting.popleft()
        attempt_id = uuid.uuid4().hex
        self._live[attempt_id] = trial
        self._groups.begin(attempt_id, trial)
        self.progress.started()
        return attempt_id, trial

    def put_back(self, attempt_id: str) -> None:
        """Take back a trial that was never begun: it is the next one again."""
        trial = self._live.pop(attempt_id)
        followers = self._groups.end(attempt_id, trial, completed=False)
        self._come_next([trial, *followers])
        self.progress.returned()

    def settle(self, attempt_id: str, end: End) -> None:
        """Note how an attempt ended, as its own process recorded it."""
        self._failed_starts = 0
        if end.status is Status.INTERRUPTED:
            self._tail.refresh(self._live, [attempt_id])
            started = self._tail.started(attempt_id)
            where = f" on {started.host}" if started is not None else ""
            self.put_back(attempt_id)
            self._give_up(f"a trial could not write its files{where}: {end.error}; free space, then resume")
            return
        trial = self._live.pop(attempt_id)
        self._release_suspect(trial)
        followers = self._groups.end(attempt_id, trial, completed=end.status is Status.COMPLETED)
        if self._larger_shares.wanted_by(trial, end):
            # The others train the same and would lack memory too.
            self._larger_shares.set_aside([trial, *followers])
            self._count_held()
            self.progress.returned()
            return
        self._come_next(followers)
        self._settled(trial, end)

    def larger_round(self) -> bool:
        """Let the trials wait that are to be tried with a larger share; return False if there are none.

        Also False if a run was cut short, and others still wait or live. Trials of stopped blocks stay aside.
        """
        if self._waiting or self._live or self.fault:
            return False
        ready = self._larger_shares.hand_over(self._stops)
        self._waiting.extend(ready)
        self._set_suspects_aside()
        return bool(ready)

    def lose(self, attempt_id: str) -> None:
        """Note that the process of an attempt has ended; `explain_losses` says what becomes of the trial."""
        self._lost[attempt_id] = time.monotonic()
        self.explain_losses()

    def explain_losses(self) -> None:
        """Settle or requeue the lost attempts whose cause is known by now; never waits."""
        now = time.monotonic()
        if not self._lost or now < self._next_poll:
            return
        self._next_poll = now + self.policy.poll_seconds
        self._tail.refresh(self._live, self._lost)
        for attempt_id, since in list(self._lost.items()):
            self._explain(attempt_id, now - since)

    def close(self) -> None:
        """Record what is still live as cancelled: the sweep was stopped."""
        self._tail.refresh(self._live, self._live)
        for attempt_id, trial in list(self._live.items()):
            end = self._tail.ended(attempt_id)
            if end is None:
                self._record_end(
                    attempt_id, trial, End(Status.INTERRUPTED, ErrorKind.CANCELLED, "the sweep was stopped")
                )
            elif end.status is not Status.INTERRUPTED:
                self.settle(attempt_id, end)
        self._live.clear()
        self._lost.clear()
        if self._journal is not None:
            self._journal.close()

    def _explain(self, attempt_id: str, seconds: float) -> None:
        end = self._tail.ended(attempt_id)
        if end is not None and (end.status is not Status.INTERRUPTED or end.error_kind is ErrorKind.STORAGE):
            del self._lost[attempt_id]
            self.settle(attempt_id, end)
            return
        started = self._tail.started(attempt_id)
        loss = recorded_loss(end) or self.policy.find_cause(started, seconds)
        if loss is None:
            return
        del self._lost[attempt_id]
        if loss.cause is Cause.NOT_STARTED:
            self._start_failed(attempt_id)
        else:
            self._requeue_or_fail(attempt_id, loss, recorded=end is not None)

    def _start_failed(self, attempt_id: str) -> None:
        self.put_back(attempt_id)
        self._failed_starts += 1
        if self._failed_starts >= self.policy.max_failed_starts:
            self._give_up(
                f"{self._failed_starts} processes in a row ended before their trials began: have all nodes "
                "the same noisebench, Python and packages? The driver's log says why they ended, "
                "`noisebench doctor --site` checks the nodes"
            )

    def _requeue_or_fail(self, attempt_id: str, loss: Loss, *, recorded: bool) -> None:
        trial = self._live.pop(attempt_id)
        followers = self._groups.end(attempt_id, trial, completed=False)
        end = self._losses.end_after(trial, loss, self._tail.started(attempt_id))
        if end.status is Status.FAILED:
            # An attempt has one end: if its process has recorded one, the failure gets an id of its own.
            self._record_end(uuid.uuid4().hex if recorded else attempt_id, trial, end)
            self._release_suspect(trial)
            self._come_next(followers)
            self._settled(trial, end)
            return
        if not recorded:
            self._record_end(attempt_id, trial, end)
        if self.fault is None:
            self._wait_again(trial, loss, followers)
        self.progress.returned()

    def _wait_again(self, trial: Trial, loss: Loss, followers: list[Trial]) -> None:
        """Let a lost trial wait again, before the `followers` that waited for its evidence."""
        if self._losses.is_suspect(trial):
            self._suspects.append(trial)
            self._come_next(followers)
        elif loss.cause is Cause.PROCESS_DIED:
            self._waiting.extend([trial, *followers])
        else:
            # A long trial that went on last would be the only one for hours.
            self._come_next([trial, *followers])
        self._release_suspect(trial)

    def _release_suspect(self, ended: Trial) -> None:
        """Let the next suspect wait with the others, if none waits or runs now that `ended` has ended."""
        if self._released_suspect == ended.trial_id:
            self._released_suspect = None
        self._let_next_suspect_wait()

    def _set_suspects_aside(self) -> None:
        """Let those that are suspects since a former driver wait for their turn."""
        self._suspects.extend(trial for trial in self._waiting if self._losses.is_suspect(trial))
        self._waiting = deque(trial for trial in self._waiting if not self._losses.is_suspect(trial))
        self._let_next_suspect_wait()

    def _let_next_suspect_wait(self) -> None:
        if self._suspects and self._released_suspect is None:
            suspect = self._suspects.popleft()
            self._released_suspect = suspect.trial_id
            self._waiting.appendleft(suspect)

    def _settled(self, trial: Trial, end: End) -> None:
        self._groups.settle(trial)
        try:
            if self._stops.note(trial, end):
                self._hold_back()
        except OSError as error:
            self._give_up(f"{self._folder.path}: cannot be written: {error.strerror}")
        self.progress.settled(end.status)

    def _come_next(self, trials: list[Trial]) -> None:
        """Let these trials be handed out before all others, unless their blocks are stopped."""
        if self.fault is not None:
            return
        self._waiting.extendleft(trial for trial in reversed(trials) if self._stops.lets_run(trial))
        self._held.extend(trial for trial in trials if not self._stops.lets_run(trial))
        self._count_held()

    def _hold_back(self) -> None:
        if self.fault is not None:
            return
        trials = [*self._waiting, *self._held]
        self._waiting = deque(trial for trial in trials if self._stops.lets_run(trial))
        self._held = deque(trial for trial in trials if not self._stops.lets_run(trial))
        self.progress.stopped = dict(self._stops.errors)
        self._count_held()

    def _count_held(self) -> None:
        """Count the trials of stopped blocks, also those that are set aside for a larger share."""
        self.progress.held = len(self._held) + self._larger_shares.held(self._stops)

    def _record_end(self, attempt_id: str, trial: Trial, end: End) -> None:
        try:
            if self._journal is None:
                self._journal = JournalWriter(self._folder.journal, provenance.host())
            self._journal.append(attempts.ended(attempt_id, self._folder.name, trial.trial_id, end))
        except OSError as error:
            # The next driver finds the attempt without an end and marks it interrupted.
            self._give_up(f"{self._folder.journal}: cannot be written: {error.strerror}")

    def _give_up(self, message: str) -> None:
        """Hand out nothing more; what runs may end."""
        self.fault = self.fault or EnvironmentFault(message)
        self._waiting.clear()
        self._suspects.clear()
        self._groups.forget_parked()
