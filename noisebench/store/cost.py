"""What trials and blocks cost so far."""

from typing import Any

from noisebench.records.folders import ResultsFolder
from noisebench.store.reading import rows

Row = dict[str, Any]


def trial_costs(results: ResultsFolder) -> list[Row]:
    """Return what a completed trial cost by data set, detector, model, dynamics (bool) and hardware.

    Further keys: trials, minutes (median), memory_gb (highest, GiB; None where not recorded).
    """
    return rows(results, "paper/cost", {})


def block_hours(results: ResultsFolder) -> list[Row]:
    """Return sweep, block, trials, completed, gpu_hours, cpu_thread_hours (all attempts) of every block."""
    return rows(results, "paper/hours", {})
