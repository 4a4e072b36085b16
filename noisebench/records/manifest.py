"""A sweep as submitted: its text with its trials, kept in the results folder."""

import json
from pathlib import Path

from noisebench.errors import InputError
from noisebench.records.durable import write_durably
from noisebench.records.folders import SweepFolder
from noisebench.sweep.sweep import Sweep, parse_sweep


def keep_sweep(folder: SweepFolder, sweep: Sweep) -> None:
    """Write the spec with the manifest, one line for each (block, trial), unless they stand there already."""
    lines = [
        json.dumps(
            {
                "block": block.name,
                "seeds_asked": block.seeds_asked,
                "trial_id": trial.trial_id,
                "config": trial.as_fields(),
            },
            separators=(",", ":"),
        )
        for block in sweep.blocks
        for trial in block.trials
    ]
    _write_if_changed(folder.spec, sweep.text)
    _write_if_changed(folder.manifest, "\n".join(lines) + "\n")


def kept_sweep(folder: SweepFolder) -> Sweep:
    """Read a sweep back as it was submitted; raise InputError where there is none of that name."""
    if not folder.spec.is_file():
        sweeps = folder.results.sweeps
        specs = sorted(sweeps.glob("*/spec.yaml")) if sweeps.is_dir() else []
        known = ", ".join(path.parent.name for path in specs) or "none yet"
        raise InputError(f"{folder.results.root}: no sweep '{folder.name}' here; known: {known}")
    return parse_sweep(folder.spec.read_text(encoding="utf-8"), str(folder.spec))


def _write_if_changed(path: Path, text: str) -> None:
    if path.is_file() and path.read_text(encoding="utf-8") == text:
        return
    write_durably(path, text.encode())
