"""A sweep from what is pending to what is recorded."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from noisebench.data.files import check_files
from noisebench.engine.evidence_groups import note_awaited, remove_unneeded
from noisebench.engine.launch import Launch, run_pending
from noisebench.engine.options import Options
from noisebench.engine.pending import mark_interrupted, pending_trials
from noisebench.engine.progress import Progress
from noisebench.engine.stops import Stops, restart_blocks
from noisebench.errors import EnvironmentFault, InputError
from noisebench.records import durable
from noisebench.records.attempts import ErrorKind
from noisebench.records.folders import ResultsFolder, SweepFolder
from noisebench.records.journal import check_journal_folder
from noisebench.records.lock import sweep_lock
from noisebench.records.manifest import keep_sweep
from noisebench.store.ingest import IngestReport, ingest
from noisebench.store.states import (
    Interruption,
    failures_since,
    interruptions_since,
    states_of,
    unended_attempts,
)
from noisebench.store.store import Store
from noisebench.sweep.sweep import Sweep
from noisebench.sweep.trial import Trial

_ENDED = ("completed", "failed")
DRIVER_LOST = "the process that ran the sweep died"


@dataclass(frozen=True)
class Outcome:
    """The counts at the end of a run; `failed_before` of the `failed` had failed before it and were not run.

    `held` trials were not started because their blocks are `stopped` (block name to error).
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
    on_held: Callable[[], None] = lambda: None,
) -> Outcome:
    """Run what is pending of `sweep`, with `include_failed` also what failed.

    `on_held` is called once this process holds the sweep, before it reads what has been recorded. Raises
    InputError if a live process runs the same sweep, EnvironmentFault if the database cannot be updated or
    the run had to be given up. Starts neither Ray nor torch if nothing is pending.
    """
    wanted = _wanted(sweep, options)
    folder = results.sweep(sweep.name)
    with sweep_lock(folder):
        check_journal_folder(folder.journal)
        keep_sweep(folder, sweep, replace=options.replace_sweep)
        on_held()
        report, journals = _end_former_attempts(folder)
        with Store(results, report) as store:
            launch = _launch(sweep, wanted, store, options, journals, on_change)
        progress = launch.progress
        failed_before = progress.failed
        if len(launch.trials) > progress.held:
            check_files(launch.trials, options.data_dir)
            report = _joined(report, _run(launch, sweep, wanted, options))
    return _outcome(progress, failed_before, report)


def _launch(
    sweep: Sweep,
    wanted: list[Trial],
    store: Store,
    options: Options,
    journals: Mapping[str, Path],
    on_change: Callable[[Progress], None],
) -> Launch:
    """Return what is pending of the wanted trials, with what former drivers left."""
    folder = store.results.sweep(sweep.name)
    failures = _previous_failures(store, options)
    lacked_memory = _lacked_memory(failures)
    settled = failures.keys() - lacked_memory.keys()
    pending, progress = _pending(wanted, store, options, lacked_memory, settled, on_change)
    stops = _stops(sweep, folder, options)
    progress.held = sum(not stops.lets_run(trial) for trial in pending)
    progress.stopped = dict(stops.errors)
    return Launch(
        trials=pending,
        folder=folder,
        progress=progress,
        stops=stops,
        previous_journals=journals,
        previous_losses=_previous_losses(store, sweep.name, options),
        lacked_memory=lacked_memory,
        awaited=_awaited_later(sweep, store, wanted),
        keep_evidence=sweep.keep_evidence,
    )


def _end_former_attempts(folder: SweepFolder) -> tuple[IngestReport, dict[str, Path]]:
    """Update the database; record as interrupted what a former driver left, with its journal files."""
    report = _ingest(folder.results)
    with Store(folder.results, report) as store:
        unended = unended_attempts(store, folder.name)
    journals = mark_interrupted(folder, unended, ErrorKind.DRIVER_LOST, DRIVER_LOST)
    # A second ingest only for new ends: these, and those of processes that outlived their driver.
    return (_joined(report, _ingest(folder.results)) if unended else report), journals


def _stops(sweep: Sweep, folder: SweepFolder, options: Options) -> Stops:
    if options.restart:
        restart_blocks(folder)
    # A trial that the user names is not held back.
    return Stops(() if options.trial else sweep.blocks, folder)


def _run(launch: Launch, sweep: Sweep, wanted: list[Trial], options: Options) -> IngestReport:
    """Run the trials of `launch`, then update the database."""
    _prepare_evidence(launch, sweep)
    run_pending(launch, options)
    report = _ingest_all(launch.folder.results, wanted, launch.progress)
    if not launch.progress.pending and not launch.awaited:
        note_awaited(launch.folder, ())
        if not launch.keep_evidence:
            # Each of two sweeps that ran at once has left there what the other might have judged by.
            remove_unneeded(launch.folder, sweep.trials(), ())
    return report


def _awaited_later(sweep: Sweep, store: Store, wanted: list[Trial]) -> frozenset[str]:
    """Return the evidence that this run does not need, but other pending trials of the sweep do."""
    chosen = {trial.trial_id for trial in wanted}
    others = [trial for trial in sweep.trials() if trial.trial_id not in chosen]
    if not others:
        return frozenset()
    states = states_of(store, [trial.trial_id for trial in others])
    waiting = pending_trials(others, states, include_failed=False)
    return frozenset(trial.evidence_id for trial in waiting)


def _previous_losses(store: Store, sweep: str, options: Options) -> dict[str, list[Interruption]]:
    """Return what former drivers of this submission have lost; a new request starts its counts at zero."""
    if options.submitted_at is None:
        return {}
    return interruptions_since(store, sweep, options.submitted_at)


def _previous_failures(store: Store, options: Options) -> dict[str, list[str | None]]:
    """Return the error kinds of what has failed under former drivers of this submission, by trial id."""
    if options.submitted_at is None:
        return {}
    return failures_since(store, options.submitted_at)


def _lacked_memory(failures: Mapping[str, Sequence[str | None]]) -> dict[str, ErrorKind]:
    """Return the kind of memory that trials lacked in their only attempt under a former driver, by id."""
    kinds = {kind.value: kind for kind in (ErrorKind.GPU_MEMORY, ErrorKind.HOST_MEMORY)}
    once = {trial_id: each[0] for trial_id, each in failures.items() if len(each) == 1}
    return {trial_id: kinds[kind] for trial_id, kind in once.items() if kind in kinds}


def _prepare_evidence(launch: Launch, sweep: Sweep) -> None:
    """Note which evidence the sweep needs, and remove what a killed run has left over."""
    awaited = {trial.evidence_id for trial in launch.trials} | launch.awaited
    note_awaited(launch.folder, awaited)
    if not launch.keep_evidence:
        remove_unneeded(launch.folder, sweep.trials(), awaited)


def _outcome(progress: Progress, failed_before: int, report: IngestReport) -> Outcome:
    return Outcome(
        total=progress.total,
        completed=progress.completed,
        failed=progress.failed,
        failed_before=failed_before,
        unfinished=progress.pending - progress.held + progress.running,
        started=progress.settled_here,
        held=progress.held,
        stopped=progress.stopped,
        report=report,
    )


def _ingest(results: ResultsFolder) -> IngestReport:
    """Update the database; without it, completed trials would be run again."""
    report = ingest(results)
    if not report.published:
        raise EnvironmentFault(
            f"{results.root}: the database could not be updated, so it does not show which trials have "
            f"completed: {report.unpublished}; the records are in the journal; free space in this folder "
            "and in TMPDIR, then try again"
        )
    return report


def _ingest_all(results: ResultsFolder, wanted: list[Trial], progress: Progress) -> IngestReport:
    """Update the database until it has a record of every trial that ended.

    Records of other nodes can become visible late. Raises EnvironmentFault if some never do: their files were
    removed after the last record was written, which their writers did not notice.
    """
    trial_ids = [trial.trial_id for trial in wanted]
    for pause in (*durable.RETRY_SECONDS, 0.0):
        report = _ingest(results)
        with Store(results, report) as store:
            states = states_of(store, trial_ids).values()
        missing = progress.completed + progress.failed - sum(state in _ENDED for state in states)
        if missing <= 0:
            return report
        time.sleep(pause)
    raise EnvironmentFault(
        f"{results.journal}: the records of {missing} trials that ended are gone, because their files were "
        "removed or cannot be read; leave the results folder of a running sweep alone, then resume the sweep"
    )


def _pending(
    wanted: list[Trial],
    store: Store,
    options: Options,
    again: Collection[str],
    settled: Collection[str],
    on_change: Callable[[Progress], None],
) -> tuple[list[Trial], Progress]:
    """Return the trials to run, in order, with the counts of all that are wanted.

    The ids of `again` run though they have failed, those of `settled` do not run whatever the options say.
    """
    states = {} if options.trial else states_of(store, [trial.trial_id for trial in wanted])
    completed = sum(state == "completed" for state in states.values())
    unsettled = {key: state for key, state in states.items() if state == "completed" or key not in again}
    pending = pending_trials(wanted, unsettled, include_failed=options.include_failed)
    pending = [trial for trial in pending if trial.trial_id not in settled]
    failed_before = len(wanted) - completed - len(pending)
    return pending, Progress(len(wanted), completed, failed_before, len(pending), on_change=on_change)


def _wanted(sweep: Sweep, options: Options) -> list[Trial]:
    if options.trial is not None:
        trials = [trial for trial in sweep.trials() if trial.trial_id.startswith(options.trial)]
        if len(trials) != 1:
            count = "several trials" if trials else "no trial"
            raise InputError(f"sweep '{sweep.name}' has {count} whose id starts with '{options.trial}'")
        return trials
    if options.block is None:
        return list(sweep.trials())
    for block in sweep.blocks:
        if block.name == options.block:
            return list(block.trials)
    known = ", ".join(block.name for block in sweep.blocks)
    raise InputError(f"sweep '{sweep.name}' has no block '{options.block}'; known: {known}")


def _joined(first: IngestReport, second: IngestReport) -> IngestReport:
    return dataclasses.replace(second, skipped=first.skipped + second.skipped, lost=first.lost + second.lost)
