"""`noisebench clean`: remove files that ended sweeps no longer need."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from noisebench.cli.folders import existing, sweep_folder, sweeps_in
from noisebench.cli.options import DEFAULT_RESULTS, Json, Results
from noisebench.cli.terminal import size

if TYPE_CHECKING:
    from noisebench.engine.cleaning import Removable

KINDS = "checkpoints, logs, scratch, scores or evidence"


def clean(
    sweep: Annotated[
        str | None, typer.Argument(help="The sweep's name; default: all that have ended.")
    ] = None,
    results: Results = DEFAULT_RESULTS,
    only: Annotated[
        list[str] | None,
        typer.Option("--only", help=f"Remove only {KINDS}; repeatable. Default: the first three."),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Remove the files; default: only list them.")] = False,
    as_json: Json = False,
) -> None:
    """List or remove files that ended sweeps no longer need. Records are never removed.

    These are checkpoints of trials that have ended, what trials and Slurm jobs printed, and scratch folders
    of killed processes in TMPDIR. Scores are removed only with `--only scores`, kept evidence only with
    `--only evidence`.
    """
    from noisebench.engine.cleaning import DEFAULT_KINDS, Kind, is_live, removable, remove
    from noisebench.errors import InputError

    unknown = sorted(set(only or ()) - set(Kind))
    if unknown:
        raise InputError(f"--only {unknown[0]}: unknown; known: {', '.join(Kind)}")
    kinds = [Kind(name) for name in only] if only else list(DEFAULT_KINDS)
    if sweep is not None:
        root = sweep_folder(results, sweep).results
        items = removable(root, [sweep], kinds)
    else:
        root = existing(results)
        ended = [name for name in sweeps_in(root) if not is_live(root.sweep(name))]
        items = removable(root, ended, kinds)
    if yes:
        remove(root, items)
    _print(items, removed=yes, as_json=as_json)


def _print(items: list[Removable], *, removed: bool, as_json: bool) -> None:
    total = sum(item.size for item in items)
    if as_json:
        rows = [
            {"kind": item.kind, "sweep": item.sweep, "paths": len(item.paths), "bytes": item.size}
            for item in items
        ]
        print(json.dumps({"removed": removed, "bytes": total, "items": rows}))
        return
    for item in items:
        print(f"{size(item.size):>9}  {item.kind}{f' of {item.sweep}' if item.sweep else ''}")
    if removed:
        print(f"{size(total)} removed", file=sys.stderr)
    elif items:
        print(f"{size(total)} can be removed: repeat the command with --yes", file=sys.stderr)
    else:
        print("nothing to remove", file=sys.stderr)
