"""The trials of a sweep that are still to be run, and what earlier drivers left of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from noisebench.records import attempts, provenance
from noisebench.records.attempts import End, ErrorKind, Status
from noisebench.records.durable import read_of_sweep
from noisebench.records.folders import SweepFolder
from noisebench.records.journal import JournalWriter
from noisebench.store.states import UnendedAttempt
from noisebench.sweep.trial import Trial


def pending_trials(
    trials: Iterable[Trial], states: Mapping[str, str], *, include_failed: bool
) -> list[Trial]:
    """Return the trials without a result, ordered by seed.

    With seed 0 of every configuration first, tables fill evenly and a broken configuration shows in the
    first minutes. `states` maps trial ids to their state; a trial without one was never started.
    """
    settled = {"completed"} if include_failed else {"completed", "failed"}
    waiting = [trial for trial in trials if states.get(trial.trial_id) not in settled]
    return sorted(waiting, key=lambda trial: trial.seed)  # stable: within a seed, the order of the sweep


def mark_interrupted(
    folder: SweepFolder, unended_attempts: Sequence[UnendedAttempt], kind: ErrorKind, error: str
) -> dict[str, Path]:
    """Record these attempts, all those of the sweep without an end, as interrupted.

    Returns the journal file of each of their trials, by trial id: on a cluster, a process without a driver
    may still complete its trial and record that there. Only the holder of the sweep's lock may call this.
    """
    unended = {each.attempt_id: each.trial_id for each in unended_attempts}
    if not unended:
        return {}
    files = _journal_files(folder, unended)
    with JournalWriter(folder.journal, provenance.host()) as journal:
        for attempt_id, trial_id in unended.items():
            end = End(Status.INTERRUPTED, kind, error)
            journal.append(attempts.ended(attempt_id, folder.name, trial_id, end))
    return {unended[attempt_id]: path for attempt_id, path in files.items()}


def _journal_files(folder: SweepFolder, attempt_ids: Iterable[str]) -> dict[str, Path]:
    """Return the journal file that mentions each attempt; reads the whole journal once."""
    missing = {attempt_id: attempt_id.encode() for attempt_id in attempt_ids}
    files = {}
    for path in folder.journal.glob("*.jsonl"):
        try:
            content = read_of_sweep(path)
        except OSError:
            continue  # not a journal file
        for attempt_id in [each for each, text in missing.items() if text in content]:
            files[attempt_id] = path
            del missing[attempt_id]
        if not missing:
            break
    return files
