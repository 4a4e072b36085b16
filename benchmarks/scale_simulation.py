"""Large sweeps on many workers, simulated: no process of a trial is started, no time passes.

The whole grid of the paper runs on 4, 16 and 64 workers with one trial for each GPU; 100,000 trials of the
small CNN on 64 workers with eight trials for each GPU, 2,048 at a time. Order, queue, estimates, checkpoints
and the rule which worker still takes which trial are noisebench's own. Each worker lends four V100s for at
most twelve hours, is preempted once a day on average with half a minute of notice, is lost without notice
every third day, then waits ten minutes for its next place. Trials take their estimate, give or take 15%, also
where several share a GPU: there could be no more events. `benchmarks/driver_rate.py` measures in the same run
how many events the driver handles in a second with as many trials out.
`python -m benchmarks.scale_simulation [--sweep sweeps/paper.yaml] [--trials 100000]`
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
from dataclasses import dataclass, field, replace
from pathlib import Path

from benchmarks.driver_rate import events_per_second
from noisebench.engine import trainable
from noisebench.engine.pending import pending_trials
from noisebench.engine.progress import Progress
from noisebench.engine.queue import TrialQueue
from noisebench.engine.recovery import Cause, Loss, RecoveryPolicy
from noisebench.records.attempts import End, ErrorKind, Status
from noisebench.records.folders import ResultsFolder
from noisebench.sweep.sweep import load_sweep
from noisebench.sweep.trial import Trial
from noisebench.trial.duration import Work, estimated_seconds, seconds_at_risk, time_suffices

HOUR = 3600.0
LENT_SECONDS = 12 * HOUR
SIGNAL_SECONDS = 120.0
PREEMPTED_EACH = 24 * HOUR
NOTICE_SECONDS = 30.0
LOST_EACH = 3 * 24 * HOUR
WAIT_SECONDS = 600.0
# A process imports torch before its first trial.
START_SECONDS = 30.0
# An actor without work on a leaving worker reports so often.
REPORT_SECONDS = trainable.WAIT_SECONDS
# What an attempt that goes on with another's work spends before it does: process, data, checkpoint.
RESTART_SECONDS = 30.0
SPREAD = 0.15
GPUS = 4

LOST_BOUND = 0.03
STRETCH_BOUND = 1.15
# The busiest minute leaves half of the driver's time free.
LOAD_BOUND = 0.5
LEFT = Loss(Cause.NODE_LEFT, ErrorKind.PREEMPTED, "the simulated worker left")
LOST = Loss(Cause.NODE_LOST, ErrorKind.NODE_LOST, "the simulated worker was lost")


@dataclass
class Worker:
    """One worker job after another; `stay` numbers them, to recognise events of an earlier one."""

    places: int
    stay: int = 0
    ends_at: float = 0.0
    takes_more: bool = False
    waiting_actors: int = 0
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
    kinds: Counter[str] = field(default_factory=Counter)
    loss: Loss = LEFT
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
        worker.waiting_actors = 0
        self.away_seconds += worker.places * seconds
        self._at(self.now + seconds, lambda: self._join(worker, stay))

    def _join(self, worker: Worker, stay: int) -> None:
        worker.ends_at = self.now + LENT_SECONDS
        self._count("starts", worker.places)
        self.away_seconds += worker.places * START_SECONDS
        self._at(self.now + START_SECONDS, lambda: self._open(worker, stay))
        self._at(worker.ends_at - SIGNAL_SECONDS, lambda: self._drain(worker, stay))
        self._at(worker.ends_at, lambda: self._go(worker, stay))
        preempted_at = self.now + self.random.expovariate(1 / PREEMPTED_EACH)
        self._at(preempted_at, lambda: self._drain(worker, stay))
        self._at(preempted_at + NOTICE_SECONDS, lambda: self._go(worker, stay))
        lost_at = self.now + self.random.expovariate(1 / LOST_EACH)
        self._at(lost_at, lambda: self._go(worker, stay, LOST))

    def _open(self, worker: Worker, stay: int) -> None:
        if worker.stay == stay:
            worker.takes_more = True

    def _fill(self, worker: Worker) -> None:
        """Hand out trials as the trainable takes them; a worker that declines one finishes its others."""
        while worker.takes_more and len(worker.running) < worker.places and self.queue.waiting:
            attempt, trial = self.queue.take()
            self._count("hand-outs")
            at_risk = seconds_at_risk(Work(trial, gpu=True))
            if time_suffices(at_risk, worker.ends_at - self.now, LENT_SECONDS):
                self._start(worker, attempt, trial)
            else:
                self.queue.put_back(attempt)
                self._decline(worker, worker.stay)
                self._drain(worker, worker.stay)

    def _decline(self, worker: Worker, stay: int) -> None:
        """Count an actor that has returned its trial: it keeps its place and reports until its node goes."""
        self._count("declines")
        worker.waiting_actors += 1
        self._at(self.now + REPORT_SECONDS, lambda: self._report(worker, stay))

    def _report(self, worker: Worker, stay: int) -> None:
        if worker.stay == stay and worker.waiting_actors:
            self._count("reports")
            self._at(self.now + REPORT_SECONDS, lambda: self._report(worker, stay))

    def _start(self, worker: Worker, attempt: str, trial: Trial) -> None:
        if trial.trial_id not in self._needs:
            off = self.random.gauss(0, SPREAD)
            self._needs[trial.trial_id] = estimated_seconds(Work(trial, gpu=True)) * math.exp(off)
        worker.running[attempt] = (trial, self.now)
        done = self._done.get(trial.trial_id, 0.0)
        seconds = self._needs[trial.trial_id] - done + (RESTART_SECONDS if done else 0.0)
        self._at(self.now + seconds, lambda: self._end(worker, attempt))

    def _end(self, worker: Worker, attempt: str) -> None:
        if attempt not in worker.running:
            return  # its worker went before
        trial, _ = worker.running.pop(attempt)
        self.useful_seconds += self._needs[trial.trial_id]
        self.lost_seconds += RESTART_SECONDS if trial.trial_id in self._done else 0.0
        self.queue.settle(attempt, End(Status.COMPLETED))
        self._count("ends")
        if worker.takes_more:
            return
        if worker.running and self.queue.waiting:
            self._count("hand-outs")
            self._decline(worker, worker.stay)
        elif not worker.running:
            self._come_back(worker, WAIT_SECONDS)

    def _drain(self, worker: Worker, stay: int) -> None:
        if worker.stay != stay:
            return
        worker.takes_more = False
        if not worker.running:
            self._come_back(worker, WAIT_SECONDS)

    def _go(self, worker: Worker, stay: int, loss: Loss = LEFT) -> None:
        """End a worker with what it runs: what was not kept is lost."""
        if worker.stay != stay:
            return
        self.loss = loss
        for attempt, (trial, since) in worker.running.items():
            before = self._done.get(trial.trial_id, 0.0)
            reached = before + max(0.0, self.now - since - (RESTART_SECONDS if before else 0.0))
            piece = self._needs[trial.trial_id] * (
                seconds_at_risk(Work(trial, gpu=True)) / estimated_seconds(Work(trial, gpu=True))
            )
            self._done[trial.trial_id] = kept = piece * math.floor(reached / piece + 1e-9)
            self.lost_seconds += self.now - since - (kept - before)
            self.interruptions += 1
            self.queue.lose(attempt)
            self._count("losses")
        worker.running.clear()
        worker.takes_more = False
        self._come_back(worker, WAIT_SECONDS)

    def _count(self, kind: str, count: int = 1) -> None:
        self.kinds[kind] += count
        self.events[int(self.now / 60)] += count


def simulate(trials: list[Trial], workers: int, trials_per_gpu: int, rate: float) -> list[str]:
    """Return the rows of one number of workers, each with its verdict; the driver handles `rate` events/s."""
    places = GPUS * trials_per_gpu
    with tempfile.TemporaryDirectory(prefix="noisebench-simulation-") as folder:
        progress = Progress(len(trials), 0, 0, len(trials))
        policy = RecoveryPolicy(find_cause=lambda _, __: simulation.loss, places=workers * places)
        queue = TrialQueue(trials, ResultsFolder(Path(folder)).sweep("simulation"), progress, policy)
        members = [Worker(places) for _ in range(workers)]
        simulation = Simulation(queue, members, random.Random(workers))
        simulation.run()
        queue.close()
    assert progress.completed == len(trials), progress
    return [
        f"{workers} workers of {GPUS} V100s, {trials_per_gpu} trials a GPU: {len(trials):,} trials",
        *_rows_of_work(simulation, workers * places),
        *_rows_of_load(simulation, rate),
    ]


def _rows_of_work(simulation: Simulation, places: int) -> list[str]:
    # Nobody can do better with the same workers, present as long as these were.
    least = (simulation.useful_seconds + simulation.away_seconds) / places
    lost = simulation.lost_seconds / simulation.useful_seconds
    stretch = simulation.now / least
    useful, repeated = simulation.useful_seconds / HOUR, simulation.lost_seconds / HOUR
    return [
        f"    {simulation.now / HOUR:.1f} h, {stretch:.3f} times the least (at most {STRETCH_BOUND}): "
        f"{_verdict(stretch, STRETCH_BOUND)}",
        f"    {useful:.0f} hours of trials, {repeated:.1f} repeated by {simulation.interruptions} "
        f"interrupted attempts, {lost:.2%} (under {LOST_BOUND:.0%}): {_verdict(lost, LOST_BOUND)}",
    ]


def _rows_of_load(simulation: Simulation, rate: float) -> list[str]:
    mean = sum(simulation.events.values()) / simulation.now
    peak = max(simulation.events.values()) / 60
    kinds = ", ".join(f"{count:,} {kind}" for kind, count in simulation.kinds.most_common())
    return [
        f"    {kinds}",
        f"    {mean:.2f} events a second, {peak:.1f} in the busiest minute; the driver handles {rate:.0f}: "
        f"{mean / rate:.2f} and {peak / rate:.2f} of it (at most {LOAD_BOUND}): "
        f"{_verdict(peak / rate, LOAD_BOUND)}",
    ]


def _verdict(value: float, bound: float) -> str:
    return "ok" if value <= bound else "short"


def small_cnn_trials(trials: list[Trial], count: int) -> list[Trial]:
    """Return so many trials of the small CNN: the grid's configurations, with as many seeds as needed."""
    small = (replace(trial, seed=0) for trial in trials if trial.training.model == "small-cnn")
    configurations = list(dict.fromkeys(small))
    seeds = range(math.ceil(count / len(configurations)))
    return [replace(trial, seed=seed) for seed in seeds for trial in configurations][:count]


def main() -> None:
    """Print makespan, repeated work and the driver's load for each number of workers."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    root = Path(__file__).resolve().parents[1]
    parser.add_argument("--sweep", type=Path, default=root / "sweeps" / "paper.yaml")
    parser.add_argument("--trials", type=int, default=100_000, help="on 2,048 places")
    arguments = parser.parse_args()
    trials = pending_trials(load_sweep(arguments.sweep).trials(), {}, include_failed=False)
    shapes = [(workers, 1, trials) for workers in (4, 16, 64)]
    shapes.append((64, 8, small_cnn_trials(trials, arguments.trials)))
    places = [workers * GPUS * trials_per_gpu for workers, trials_per_gpu, _ in shapes]
    rates = events_per_second(places)
    for (workers, trials_per_gpu, simulated), place in zip(shapes, places, strict=True):
        print("\n".join(simulate(simulated, workers, trials_per_gpu, rates[place])), flush=True)


if __name__ == "__main__":
    main()
