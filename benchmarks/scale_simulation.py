"""The whole grid of the paper on 4, 16 and 64 workers, simulated: no process is started, no time passes.

Order, queue, estimates, checkpoints and the rule which worker still takes which trial are noisebench's own.
Each worker lends four V100s for at most twelve hours, is preempted once a day on average with half a minute
of notice, then waits ten minutes for its next place. Trials take their estimate, give or take 15%.
`python benchmarks/scale_simulation.py [--sweep sweeps/paper.yaml]`
"""

from __future__ import annotations

import argparse
import heapq
import itertools
import math
import random
import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from noisebench.engine.pending import pending_trials
from noisebench.engine.progress import Progress
from noisebench.engine.queue import TrialQueue
from noisebench.engine.recovery import Cause, Loss, RecoveryPolicy
from noisebench.records.attempts import End, ErrorKind, Status
from noisebench.records.folders import ResultsFolder
from noisebench.sweep.sweep import load_sweep
from noisebench.sweep.trial import Trial
from noisebench.trial.duration import estimated_seconds, seconds_at_risk, time_suffices

HOUR = 3600.0
LENT_SECONDS = 12 * HOUR
SIGNAL_SECONDS = 120.0
PREEMPTED_EACH = 24 * HOUR
NOTICE_SECONDS = 30.0
WAIT_SECONDS = 600.0
# What an attempt that goes on with another's work spends before it does: process, data, checkpoint.
RESTART_SECONDS = 30.0
SPREAD = 0.15
GPUS = 4

LOST_BOUND = 0.03
STRETCH_BOUND = 1.15
# A quarter of what the driver manages: see benchmarks/orchestration.py.
EVENTS_BOUND = 10.0


@dataclass
class Worker:
    """One worker job after another; `stay` numbers them, to recognise events of an earlier one."""

    stay: int = 0
    ends_at: float = 0.0
    takes_more: bool = False
    running: dict[str, tuple[Trial, float]] = field(default_factory=dict)


@dataclass
class Simulation:
    """The state of a simulated sweep: its clock, its workers, what each trial still needs."""

    queue: TrialQueue
    workers: list[Worker]
    random: random.Random
    now: float = 0.0
    lost_seconds: float = 0.0
    useful_seconds: float = 0.0
    away_seconds: float = 0.0
    interruptions: int = 0
    events: Counter[int] = field(default_factory=Counter)
    _agenda: list[tuple[float, int, Callable[[], None]]] = field(default_factory=list)
    _numbers: itertools.count[int] = field(default_factory=itertools.count)
    _done: dict[str, float] = field(default_factory=dict)
    _needs: dict[str, float] = field(default_factory=dict)

    def run(self) -> None:
        """Let time pass until every trial has completed."""
        for worker in self.workers:
            self._come_back(worker, self.random.uniform(0, WAIT_SECONDS))
        while self.queue.waiting or self.queue.live:
            self.now, _, happens = heapq.heappop(self._agenda)
            happens()
            for worker in self.workers:
                self._fill(worker)

    def _at(self, when: float, happens: Callable[[], None]) -> None:
        heapq.heappush(self._agenda, (when, next(self._numbers), happens))

    def _come_back(self, worker: Worker, seconds: float) -> None:
        worker.stay += 1
        stay = worker.stay
        self.away_seconds += GPUS * seconds
        self._at(self.now + seconds, lambda: self._join(worker, stay))

    def _join(self, worker: Worker, stay: int) -> None:
        worker.ends_at, worker.takes_more = self.now + LENT_SECONDS, True
        self._at(worker.ends_at - SIGNAL_SECONDS, lambda: self._drain(worker, stay))
        self._at(worker.ends_at, lambda: self._go(worker, stay))
        preempted_at = self.now + self.random.expovariate(1 / PREEMPTED_EACH)
        self._at(preempted_at, lambda: self._drain(worker, stay))
        self._at(preempted_at + NOTICE_SECONDS, lambda: self._go(worker, stay))

    def _fill(self, worker: Worker) -> None:
        """Hand out trials as the trainable would take them; who declines one finishes its others."""
        while worker.takes_more and len(worker.running) < GPUS and self.queue.waiting:
            attempt, trial = self.queue.take()
            at_risk = seconds_at_risk(trial, gpu=True)
            if time_suffices(at_risk, worker.ends_at - self.now, LENT_SECONDS):
                self._start(worker, attempt, trial)
            else:
                self.queue.put_back(attempt)
                self._drain(worker, worker.stay)

    def _start(self, worker: Worker, attempt: str, trial: Trial) -> None:
        if trial.trial_id not in self._needs:
            off = self.random.gauss(0, SPREAD)
            self._needs[trial.trial_id] = estimated_seconds(trial, gpu=True) * math.exp(off)
        worker.running[attempt] = (trial, self.now)
        done = self._done.get(trial.trial_id, 0.0)
        seconds = self._needs[trial.trial_id] - done + (RESTART_SECONDS if done else 0.0)
        self._count()
        self._at(self.now + seconds, lambda: self._end(worker, attempt))

    def _end(self, worker: Worker, attempt: str) -> None:
        if attempt not in worker.running:
            return  # its worker went before
        trial, _ = worker.running.pop(attempt)
        self.useful_seconds += self._needs[trial.trial_id]
        self.lost_seconds += RESTART_SECONDS if trial.trial_id in self._done else 0.0
        self.queue.settle(attempt, End(Status.COMPLETED))
        self._count()
        if not worker.running and not worker.takes_more:
            self._come_back(worker, WAIT_SECONDS)

    def _drain(self, worker: Worker, stay: int) -> None:
        if worker.stay != stay:
            return
        worker.takes_more = False
        if not worker.running:
            self._come_back(worker, WAIT_SECONDS)

    def _go(self, worker: Worker, stay: int) -> None:
        """End a worker with what it runs: what was not kept is lost."""
        if worker.stay != stay:
            return
        for attempt, (trial, since) in worker.running.items():
            before = self._done.get(trial.trial_id, 0.0)
            reached = before + max(0.0, self.now - since - (RESTART_SECONDS if before else 0.0))
            piece = self._needs[trial.trial_id] * (
                seconds_at_risk(trial, gpu=True) / estimated_seconds(trial, gpu=True)
            )
            self._done[trial.trial_id] = kept = piece * math.floor(reached / piece + 1e-9)
            self.lost_seconds += self.now - since - (kept - before)
            self.interruptions += 1
            self.queue.lose(attempt)
            self._count()
        worker.running.clear()
        worker.takes_more = False
        self._come_back(worker, WAIT_SECONDS)

    def _count(self) -> None:
        self.events[int(self.now / 60)] += 1


def simulate(trials: list[Trial], workers: int) -> list[str]:
    """Return the rows of one number of workers, each with its verdict."""
    with tempfile.TemporaryDirectory(prefix="noisebench-simulation-") as folder:
        progress = Progress(len(trials), 0, 0, len(trials))
        left = Loss(Cause.NODE_LEFT, ErrorKind.PREEMPTED, "the simulated worker left")
        policy = RecoveryPolicy(find_cause=lambda _, __: left)
        queue = TrialQueue(trials, ResultsFolder(Path(folder)).sweep("simulation"), progress, policy)
        simulation = Simulation(queue, [Worker() for _ in range(workers)], random.Random(workers))
        simulation.run()
        queue.close()
    assert progress.completed == len(trials), progress
    gpus = workers * GPUS
    # Nobody can do better with the same workers, present as long as these were.
    least = (simulation.useful_seconds + simulation.away_seconds) / gpus
    lost = simulation.lost_seconds / simulation.useful_seconds
    peak = max(simulation.events.values()) / 60
    stretch = simulation.now / least
    useful, repeated = simulation.useful_seconds / HOUR, simulation.lost_seconds / HOUR
    mean = sum(simulation.events.values()) / simulation.now
    return [
        f"{workers} workers of {GPUS} V100s: all {len(trials)} trials after {simulation.now / HOUR:.1f} h, "
        f"{stretch:.3f} times the least (at most {STRETCH_BOUND}): {_verdict(stretch, STRETCH_BOUND)}",
        f"    {useful:.0f} GPU-hours, {repeated:.1f} repeated by {simulation.interruptions} interrupted "
        f"attempts, {lost:.2%} (under {LOST_BOUND:.0%}): {_verdict(lost, LOST_BOUND)}",
        f"    {mean:.3f} events a second for the driver, {peak:.2f} in the busiest minute "
        f"(at most {EVENTS_BOUND:.0f}): {_verdict(peak, EVENTS_BOUND)}",
    ]


def _verdict(value: float, bound: float) -> str:
    return "ok" if value <= bound else "short"


def main() -> None:
    """Print makespan, repeated GPU-hours and the driver's load for each number of workers."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    root = Path(__file__).resolve().parents[1]
    parser.add_argument("--sweep", type=Path, default=root / "sweeps" / "paper.yaml")
    arguments = parser.parse_args()
    trials = pending_trials(load_sweep(arguments.sweep).trials(), {}, include_failed=False)
    for workers in (4, 16, 64):
        print("\n".join(simulate(trials, workers)), flush=True)


if __name__ == "__main__":
    main()
