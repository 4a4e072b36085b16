"""Runs pending trials: in this process, on a Ray of this machine, or on a cluster."""

from __future__ import annotations

import signal
import threading
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from noisebench.engine.evidence_groups import EvidenceGroups
from noisebench.engine.options import Options
from noisebench.engine.progress import Progress
from noisebench.engine.queue import TrialQueue
from noisebench.engine.recovery import RecoveryPolicy
from noisebench.engine.stops import Stops
from noisebench.records import provenance
from noisebench.records.attempts import ErrorKind
from noisebench.records.folders import SweepFolder
from noisebench.records.heartbeats import heartbeat
from noisebench.records.journal import JournalWriter
from noisebench.records.logs import Log
from noisebench.store.states import Interruption
from noisebench.sweep.trial import Trial


@dataclass(frozen=True)
class Launch:
    """The trials to run, with what the former drivers of the sweep left.

    `previous_journals`, `previous_losses`, `lacked_memory`: see `RecoveryPolicy`. `awaited`: the evidence
    that other pending trials of the sweep need, which are not run now. `keep_evidence`: remove none.
    """

    trials: list[Trial]
    folder: SweepFolder
    progress: Progress
    stops: Stops
    previous_journals: Mapping[str, Path]
    previous_losses: Mapping[str, Sequence[Interruption]] = field(default_factory=dict)
    lacked_memory: Mapping[str, ErrorKind] = field(default_factory=dict)
    awaited: frozenset[str] = frozenset()
    keep_evidence: bool = False

    def queue(self, policy: RecoveryPolicy) -> TrialQueue:
        """Return the queue of the trials."""
        groups = EvidenceGroups(self.trials, self.folder, self.awaited, keep_all=self.keep_evidence)
        return TrialQueue(self.trials, self.folder, self.progress, policy, self.stops, groups)


def run_pending(launch: Launch, options: Options) -> None:
    """Run all trials of `launch` that their blocks let run, until done or interrupted.

    Raises EnvironmentFault if the run had to be given up: no process could start, or a disk is full.
    """
    worker = f"{provenance.host()}-{uuid.uuid4().hex[:12]}"
    # The queue closes last: it records as interrupted what still lives when no process is left to record it.
    with heartbeat(launch.folder, worker), ExitStack() as at_end, suppress(KeyboardInterrupt):
        run = _run_inline if options.inline else _run_on_ray
        run(launch, options, worker, at_end)


def _run_inline(launch: Launch, options: Options, worker: str, at_end: ExitStack) -> None:
    """Run one trial after another in this process; the results equal those of a run on Ray.

    Memory and time are not limited: no other process could end this one.
    """
    from noisebench.trial.device import visible_device
    from noisebench.trial.runner import Runner

    folder = launch.folder
    queue = launch.queue(RecoveryPolicy(previous_journals=launch.previous_journals))
    at_end.callback(_close, queue)
    with JournalWriter(folder.journal, provenance.host()) as journal, _sigterm_as_interrupt():
        device = visible_device(gpu=options.gpus != 0)
        log = Log(folder, echo=True)
        runner = Runner(folder.results, folder.name, worker, options.data_dir, device, journal, log=log)
        while queue.waiting:
            attempt_id, trial = queue.take()
            end = runner.attempt(trial, attempt_id, sharing=queue.sharing(trial))
            queue.settle(attempt_id, end)


def _run_on_ray(launch: Launch, options: Options, worker: str, at_end: ExitStack) -> None:
    from noisebench.engine.ray_session import ray_session
    from noisebench.engine.trainable import ActorSettings
    from noisebench.engine.tune import run_on_ray

    models = {trial.training.model for trial in launch.trials}
    # Ray takes SIGTERM for itself when it starts, so our handler comes after.
    with ray_session(options, launch.folder, models) as session, _sigterm_as_interrupt():
        places = session.places
        policy = RecoveryPolicy(
            find_cause=session.find_cause,
            poll_seconds=session.poll_seconds,
            allowance_minutes=options.allowance_minutes,
            has_larger_share=places.has_larger_share,
            previous_journals=launch.previous_journals,
            previous_losses=launch.previous_losses,
            lacked_memory=launch.lacked_memory,
            places=places.max_concurrent,
        )
        queue = launch.queue(policy)
        at_end.callback(_close, queue)
        settings = ActorSettings(
            folder=launch.folder,
            worker=worker,
            data_dir=options.data_dir,
            execute=options.execute,
            memory_mb=places.memory_mb,
            machine_seconds=places.machine_seconds,
            allowance_minutes=options.allowance_minutes,
        )
        run_on_ray(queue, settings, places, session.scratch)


def _close(queue: TrialQueue) -> None:
    queue.close()
    if queue.fault is not None:
        raise queue.fault


@contextmanager
def _sigterm_as_interrupt() -> Iterator[None]:
    """Let SIGTERM end the run as Ctrl-C does: Tune and Python handle only that."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(_: int, __: FrameType | None) -> None:
        # A shell script starts its background programs with SIGINT ignored.
        if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
            raise KeyboardInterrupt
        signal.raise_signal(signal.SIGINT)

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
