"""A sweep from what is pending to what is recorded."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass

from noisebench.data.files import check_files
from noisebench.engine.launch import run_pending
from noisebench.engine.options import Options
from noisebench.engine.order import pending_trials
from noisebench.engine.orphans import bury_orphans
from noisebench.engine.progress import Progress
from noisebench.engine.stops import Stops, restart_blocks
from noisebench.errors import InputError
from noisebench.records.folders import ResultsFolder
from noisebench.records.lock import sweep_lock
from noisebench.records.manifest import keep_sweep
from noisebench.store.ingest import IngestReport, ingest
from noisebench.store.states import failed_since, states_of
from noisebench.sweep.sweep import Sweep
from noisebench.sweep.trial import Trial


@dataclass(frozen=True)
class Outcome:
    """What a run found and did; of the `failed`, it left `failed_before` alone.

    `held` trials were not started, for their blocks are `stopped`: by name, with the error of the first ones.
    """

    total: int
    completed: int
    failed: int
    failed_before: int
    unfinished: int
    started: int
    held: int
    stopped: dict[str, str]
    report: IngestReport


def run_sweep(
    sweep: Sweep,
    results: ResultsFolder,
    options: Options,
    on_change: Callable[[Progress], None] = lambda _: None,
) -> Outcome:
    """Run what is pending of `sweep` (with `include_failed` also what failed) on this machine.

    Raises InputError where a live process runs the same sweep. Starts neither Ray nor torch where
    nothing is pending.
    """
    wanted = _wanted(sweep, options)
    with sweep_lock(results.sweep(sweep.name)):
        keep_sweep(results.sweep(sweep.name), sweep)
        report = ingest(results)
        doubtful = bury_orphans(results, sweep.name, "driver-lost", "the process that ran the sweep died")
        if doubtful:
            report = ingest(results)
        states = {} if options.trial else states_of(results, [trial.trial_id for trial in wanted])
        pending = pending_trials(wanted, states, include_failed=options.include_failed)
        if options.submitted_at is not None:
            spent = failed_since(results, options.submitted_at)
            pending = [trial for trial in pending if trial.trial_id not in spent]
        completed = sum(state == "completed" for state in states.values())
        failed_before = len(wanted) - completed - len(pending)
        progress = Progress(len(wanted), completed, failed_before, len(pending), on_change=on_change)
        if options.restart:
            restart_blocks(results, sweep.name)
        # A trial that is run by hand is not held back.
        stops = Stops(() if options.trial else sweep.blocks, results, sweep.name)
        held = sum(not stops.lets_run(trial) for trial in pending)
        progress.held, progress.stopped = held, dict(stops.errors)
        if len(pending) > held:
            check_files(pending, options.data_dir)
            run_pending(pending, sweep.name, results, options, progress, stops, doubtful)
            report = _joined(report, ingest(results))
    return Outcome(
        total=len(wanted),
        completed=progress.completed,
        failed=progress.failed,
        failed_before=failed_before,
        unfinished=progress.pending - progress.held + progress.running,
        started=progress.settled_here,
        held=progress.held,
        stopped=progress.stopped,
        report=report,
    )


def _wanted(sweep: Sweep, options: Options) -> list[Trial]:
    if options.trial is not None:
        found = [trial for trial in sweep.trials() if trial.trial_id.startswith(options.trial)]
        if len(found) != 1:
            how_many = "several trials" if found else "no trial"
            raise InputError(f"sweep '{sweep.name}' has {how_many} whose id starts with '{options.trial}'")
        return found
    if options.block is None:
        return list(sweep.trials())
    for block in sweep.blocks:
        if block.name == options.block:
            return list(block.trials)
    known = ", ".join(block.name for block in sweep.blocks)
    raise InputError(f"sweep '{sweep.name}' has no block '{options.block}'; known: {known}")


def _joined(first: IngestReport, second: IngestReport) -> IngestReport:
    return dataclasses.replace(second, skipped=first.skipped + second.skipped)
