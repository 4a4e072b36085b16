"""A sweep as submitted: its spec and its trials in the results folder."""

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from noisebench.errors import InputError
from noisebench.records.consent import allow_code, check_code
from noisebench.records.durable import read_inside, write_durably
from noisebench.records.folders import SweepFolder
from noisebench.sweep.reference import module_of
from noisebench.sweep.sweep import Sweep, parse_sweep
from noisebench.sweep.trial import Trial


def keep_sweep(folder: SweepFolder, sweep: Sweep, *, replace: bool = False) -> None:
    """Write the spec and the manifest, one line for each (block, trial), if they differ from the files.

    Raises InputError if the stored sweep of this name has trials that `sweep` lacks, unless `replace` is set.
    A sweep may gain seeds, values and blocks. The code that the sweep names is allowed from then on: it
    comes from the user's own file, or `kept_sweep` has checked it.
    """
    if not replace:
        _refuse_another(folder, sweep)
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
    allow_code(folder, map(module_of, sweep.references()))


def kept_sweep(folder: SweepFolder, allowed: Sequence[str] = ()) -> Sweep:
    """Read a submitted sweep from the results folder, to run it.

    Raises InputError if there is no sweep of that name, or if it names code of modules that are neither in
    `allowed` nor allowed before.
    """
    if not folder.spec.is_file():
        sweeps = folder.results.sweeps
        specs = sorted(sweeps.glob("*/spec.yaml")) if sweeps.is_dir() else []
        known = ", ".join(path.parent.name for path in specs) or "none yet"
        raise InputError(f"{folder.results.root}: no sweep '{folder.name}' here; known: {known}")
    sweep = parse_sweep(read_inside(folder.path, folder.spec.name).decode(), str(folder.spec))
    check_code(folder, sweep, allowed)
    return sweep


def _refuse_another(folder: SweepFolder, sweep: Sweep) -> None:
    stored = kept_trials(folder.manifest)
    submitted = {(block.name, trial.trial_id) for block in sweep.blocks for trial in block.trials}
    missing = stored - submitted
    if not missing:
        return
    counts = Counter(block for block, _ in missing)
    blocks = ", ".join(f"{count} of block {block}" for block, count in sorted(counts.items()))
    example = min(missing)[1][:12]
    raise InputError(
        f"another sweep '{sweep.name}' is kept in {folder.path}: it has {len(missing)} trials that this one "
        f"lacks ({blocks}; for example {example}), this one has {len(submitted - stored)} that it lacks; "
        "give this sweep another name, or replace the kept one with --replace (its records stay)"
    )


def kept_trials(manifest: Path) -> set[tuple[str, str]]:
    """Return (block, trial id) of each line of a manifest; none if it is missing or damaged."""
    try:
        lines = [json.loads(line) for line in read_inside(manifest.parent, manifest.name).splitlines()]
        return {(line["block"], line["trial_id"]) for line in lines}
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return set()


def manifest_trials(manifest: Path) -> list[Trial]:
    """Return the trials of a manifest; none if it is missing or damaged."""
    try:
        lines = [json.loads(line) for line in read_inside(manifest.parent, manifest.name).splitlines()]
        return [Trial.from_fields(line["config"]) for line in lines]
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return []


def _write_if_changed(path: Path, text: str) -> None:
    if path.is_file() and path.read_text(encoding="utf-8") == text:
        return
    write_durably(path, text.encode())
