"""Attempts whose driver is gone before it could record their end."""

from __future__ import annotations

from noisebench.records import attempts, provenance
from noisebench.records.folders import ResultsFolder
from noisebench.records.journal import JournalWriter
from noisebench.store.states import unended_attempts


def bury_orphans(results: ResultsFolder, sweep: str, kind: str, error: str) -> set[str]:
    """Record the end of a sweep's unended attempts as interrupted; return their trials.

    Only for who holds the sweep's lock: no one else knows that they have no driver. On a cluster, a process
    that nobody drives any more may yet complete its trial.
    """
    orphans = unended_attempts(results.sweep(sweep))
    if orphans:
        with JournalWriter(results.sweep(sweep).journal, provenance.host()) as journal:
            for orphan in orphans:
                line = attempts.ended(
                    orphan["attempt_id"],
                    sweep,
                    orphan["trial_id"],
                    "interrupted",
                    error_kind=kind,
                    error=error,
                )
                journal.append(line)
    return {orphan["trial_id"] for orphan in orphans}
