"""Everything in a results folder at a glance: how far it is, what failed, what it cost."""

from typing import Any

from noisebench.store.store import Store

Row = dict[str, Any]


def overview(store: Store) -> Row:
    """Return trials, completed, failed, started (no end recorded), pending, how long and on what they ran.

    Further keys: gpu_hours and cpu_thread_hours (all attempts), first_start and last_end (UTC; None without
    attempts), hardware, commits (lists).
    """
    return store.rows("summaries/overview")[0]


def blocks(store: Store) -> list[Row]:
    """Return block, sweep, trials, completed of all blocks of all sweeps, the fullest of a name first."""
    return store.rows("summaries/blocks")


def block_progress(store: Store) -> list[Row]:
    """Return sweep, block, trials, completed, started, failed, pending of every block."""
    return store.rows("queries/progress")


def block_hours(store: Store) -> list[Row]:
    """Return sweep, block, trials, completed, gpu_hours, cpu_thread_hours (all attempts) of every block."""
    return store.rows("summaries/hours")


def trial_costs(store: Store) -> list[Row]:
    """Return what a completed trial cost by data set, detector, model, dynamics (bool) and hardware.

    Further keys: trials, minutes (median), memory_gb (highest, GiB; None where not recorded).
    """
    return store.rows("summaries/cost")


def all_failures(store: Store) -> list[Row]:
    """Return sweep, error_kind, error, trials (how many), example (a trial), its traceback; most first."""
    return store.rows("summaries/failures")


def doubts(store: Store) -> list[Row]:
    """Return what, times, example of all that makes numbers doubtful, the most frequent first."""
    return store.rows("summaries/doubts")


def metrics(store: Store) -> list[Row]:
    """Return name, higher_is_better (None where neither way is), description of each metric."""
    return store.rows("summaries/metrics")
