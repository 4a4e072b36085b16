"""A sweep as submitted: its text with its trials, kept in the results folder."""

import json
from pathlib import Path

from noisebench.errors import InputError
from noisebench.records.durable import write_durably
from noisebench.records.folders import ResultsFolder
from noisebench.sweep.sweep import Sweep, parse_sweep


def keep_sweep(results: ResultsFolder, sweep: Sweep) -> None:
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
    _write_if_changed(results.spec(sweep.name), sweep.text)
    _write_if_changed(results.manifest(sweep.name), "\n".join(lines) + "\n")


def kept_sweep(results: ResultsFolder, name: str) -> Sweep:
    """Read a sweep back as it was submitted; raise InputError where there is none of that name."""
    path = results.spec(name)
    if not path.is_file():
        folders = sorted(results.sweeps.glob("*/spec.yaml")) if results.sweeps.is_dir() else []
        known = ", ".join(folder.parent.name for folder in folders) or "none yet"
        raise InputError(f"{results.root}: no sweep '{name}' here; known: {known}")
    return parse_sweep(path.read_text(encoding="utf-8"), str(path))


def _write_if_changed(path: Path, text: str) -> None:
    if path.is_file() and path.read_text(encoding="utf-8") == text:
        return
    write_durably(path, text.encode())
