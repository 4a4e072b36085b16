"""A sweep as submitted: its spec and its trials in the results folder."""

import json
import re
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from noisebench.catalogue.detectors import with_former_default
from noisebench.errors import InputError
from noisebench.records.consent import allow_code, check_code
from noisebench.records.durable import is_storage_error, read_of_sweep, write_of_sweep
from noisebench.records.folders import SweepFolder
from noisebench.records.lines import LineError, json_object
from noisebench.sweep.reference import module_of
from noisebench.sweep.sweep import Sweep, parse_sweep
from noisebench.sweep.trial import Trial

FORMER_DEFAULTS = (
    "was kept when `ctrl` and `small-loss` took their traces in passing by default, now after each epoch; "
    "write {name: ctrl, traces: in-passing} into the sweep's YAML and run it under the same name: its trials "
    "keep their ids"
)
_TRIAL_ID = re.compile("[0-9a-f]{16}")


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
    sweep = parse_sweep(kept_spec(folder), str(folder.spec))
    check_code(folder, sweep, allowed)
    return sweep


def kept_spec(folder: SweepFolder) -> str:
    """Return the YAML of a submitted sweep.

    Raises OSError if it cannot be read or leads over a link, InputError if it is not UTF-8 text.
    """
    try:
        return read_of_sweep(folder.spec).decode()
    except UnicodeDecodeError as error:
        raise InputError(
            f"{folder.spec}: not UTF-8 text ({error}); run the sweep's YAML file again"
        ) from None


def _refuse_another(folder: SweepFolder, sweep: Sweep) -> None:
    stored, problems = _kept(folder.manifest)
    if problems and _kept_text(folder) != sweep.text:
        raise InputError(
            f"{folder.manifest}: {problems[0]}, so it is unknown whether this is the sweep '{sweep.name}' "
            f"that is kept there; `noisebench resume {sweep.name}` writes it again from the kept spec, "
            "--replace replaces both (the records stay)"
        )
    submitted = {(block.name, trial.trial_id) for block in sweep.blocks for trial in block.trials}
    missing = stored - submitted
    if not missing:
        return
    if missing <= trials_of_former_defaults(sweep):
        raise InputError(f"{folder.spec}: {FORMER_DEFAULTS}")
    counts = Counter(block for block, _ in missing)
    blocks = ", ".join(f"{count} of block {block}" for block, count in sorted(counts.items()))
    example = min(missing)[1][:12]
    raise InputError(
        f"another sweep '{sweep.name}' is kept in {folder.path}: it has {len(missing)} trials that this one "
        f"lacks ({blocks}; for example {example}), this one has {len(submitted - stored)} that it lacks; "
        "give this sweep another name, or replace the kept one with --replace (its records stay)"
    )


def trials_of_former_defaults(sweep: Sweep) -> set[tuple[str, str]]:
    """Return (block, trial id) of each trial that the text of `sweep` named before a default changed."""
    return {
        (block.name, replace(trial, detector=with_former_default(trial.detector)).trial_id)
        for block in sweep.blocks
        for trial in block.trials
    }


def kept_trials(manifest: Path) -> set[tuple[str, str]]:
    """Return (block, trial id) of each line of a manifest that names a trial; none if it is missing.

    Raises OSError if the file cannot be read or leads over a link.
    """
    return _kept(manifest)[0]


def manifest_trials(manifest: Path) -> list[Trial]:
    """Return the trials of a manifest, without damaged lines; raises OSError as `kept_trials` does."""
    trials = []
    for entry in _lines(manifest)[0]:
        with suppress(ValueError, LookupError, TypeError, AttributeError, ArithmeticError, InputError):
            trials.append(Trial.from_fields(entry.config))
    return trials


@dataclass(frozen=True)
class ManifestLine:
    """What a line of a manifest says: a trial of a block, its id (16 hex digits) and its fields."""

    block: str
    trial_id: str
    config: dict[str, Any]


def manifest_lines(text: bytes) -> tuple[list[ManifestLine], list[str]]:
    """Return what the lines of a manifest say, and a problem for each line that names no trial.

    A trial's id becomes part of file names: anything but 16 hex digits could lead out of the results folder.
    """
    entries, problems = [], []
    for number, line in enumerate(text.splitlines(), start=1):
        try:
            entries.append(_manifest_line(line))
        except (LineError, KeyError) as error:
            problems.append(f"line {number} names no trial ({str(error)[:80]})")
    return entries, problems


def _manifest_line(line: bytes) -> ManifestLine:
    members = json_object(line)
    block, trial_id, config = members["block"], members["trial_id"], members["config"]
    if not isinstance(block, str) or not isinstance(config, dict):
        raise LineError("its block is no text, or its configuration no object")
    if not isinstance(trial_id, str) or not _TRIAL_ID.fullmatch(trial_id):
        raise LineError(f"trial id {trial_id!r:.40} is not 16 hex digits")
    return ManifestLine(block, trial_id, config)


def _kept(manifest: Path) -> tuple[set[tuple[str, str]], list[str]]:
    entries, problems = _lines(manifest)
    return {(entry.block, entry.trial_id) for entry in entries}, problems


def _lines(manifest: Path) -> tuple[list[ManifestLine], list[str]]:
    try:
        return manifest_lines(read_of_sweep(manifest))
    except FileNotFoundError:
        return [], []


def _kept_text(folder: SweepFolder) -> str | None:
    try:
        return kept_spec(folder)
    except (OSError, InputError) as error:
        if is_storage_error(error):
            raise
        return None


def _write_if_changed(path: Path, text: str) -> None:
    data = text.encode()
    try:
        if read_of_sweep(path) == data:
            return
    except OSError:
        pass  # none yet, or no file of ours, which is replaced
    write_of_sweep(path, data)
