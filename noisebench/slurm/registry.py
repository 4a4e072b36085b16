"""Where submitted sweeps have their results, so that later commands need only a sweep's name.

One small file for each sweep in `$XDG_STATE_HOME/noisebench/submitted` (by default
`~/.local/state/noisebench/submitted`). It is a convenience: without it, `--results` names the folder.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from noisebench.records.durable import write_durably
from noisebench.records.folders import ResultsFolder, SweepFolder


def remember(folder: SweepFolder) -> None:
    """Note where a sweep that was just submitted has its results."""
    with suppress(OSError):  # a home folder that cannot be written
        write_durably(_folder() / folder.name, str(folder.results.root).encode())


def results_of(sweep: str) -> ResultsFolder | None:
    """Return the results folder of the sweep that was submitted last by this name; None where unknown."""
    with suppress(OSError, ValueError):
        results = ResultsFolder(Path((_folder() / sweep).read_text()))
        if results.sweep(sweep).slurm.is_dir():
            return results
    return None


def _folder() -> Path:
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local/state"
    return Path(state) / "noisebench/submitted"
