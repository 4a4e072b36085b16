"""How far everything in a results folder is."""

from typing import Any

from noisebench.records.folders import ResultsFolder
from noisebench.store.reading import rows

Row = dict[str, Any]


def overview(results: ResultsFolder) -> Row:
    """Return trials, completed, failed, started (no end recorded), pending, how long and on what they ran.

    Further keys: gpu_hours and cpu_thread_hours (all attempts), first_start and last_end (UTC; None without
    attempts), hardware, commits (lists).
    """
    return rows(results, "paper/overview", {})[0]


def block_progress(results: ResultsFolder) -> list[Row]:
    """Return sweep, block, trials, completed, started, failed, pending of every block."""
    return rows(results, "queries/progress", {})


def all_failures(results: ResultsFolder) -> list[Row]:
    """Return sweep, error_kind, error, trials (how many), example (a trial), its traceback; most first."""
    return rows(results, "paper/failures", {})


def doubts(results: ResultsFolder) -> list[Row]:
    """Return what, times, example of all that makes numbers doubtful, the most frequent first."""
    return rows(results, "paper/doubts", {})
