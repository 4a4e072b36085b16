"""`noisebench verify`: whether a results folder is whole."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from noisebench.cli.folders import existing, sweep_folder
from noisebench.cli.options import DEFAULT_RESULTS, Json, Results
from noisebench.cli.terminal import printable

if TYPE_CHECKING:
    from noisebench.store.verification import Verification


def verify(
    sweep: Annotated[
        str | None, typer.Argument(help="The sweep's name; default: all, and the database.")
    ] = None,
    results: Results = DEFAULT_RESULTS,
    without_scores: Annotated[
        bool, typer.Option("--without-scores", help="Do not check the per-sample scores.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Check records, scores, manifests and the database for damage; change nothing.

    Exit code 1 if there is damage. Each place is printed with what is wrong and what that means.
    """
    from noisebench.store.database_check import compare_database, lost_files
    from noisebench.store.verification import verify_files

    if sweep is None:
        folder = existing(results)
        parents = (folder.journal, folder.sweeps)
        sweeps = sorted({path.name for parent in parents if parent.is_dir() for path in parent.iterdir()})
    else:
        folder, sweeps = sweep_folder(results, sweep).results, [sweep]
    verification = verify_files(folder, sweeps, with_scores=not without_scores)
    if sweep is None:
        lost_files(folder, verification)
        compare_database(folder, verification)
    _print(verification, as_json)
    if not verification.whole:
        raise typer.Exit(1)


def _print(verification: Verification, as_json: bool) -> None:
    counts = {
        "files": verification.files,
        "lines": verification.lines,
        "lines_without_checksum": verification.unchecked,
        "manifests": verification.manifests,
        "scores": verification.scores,
    }
    if as_json:
        damages = [{**asdict(damage), "consequence": damage.consequence} for damage in verification.damages]
        content = {"whole": verification.whole, **counts, "damages": damages, "notes": verification.notes}
        print(json.dumps(content))
        return
    for damage in verification.damages:
        print(printable(f"{damage.place}: {damage.problem}"))
        print(f"    {damage.consequence}")
    for note in verification.notes:
        print(printable(f"note: {note}"), file=sys.stderr)
    old = verification.unchecked
    older = f" ({old} of an older version, without a checksum)" if old else ""
    print(
        f"{verification.lines} records{older} in {verification.files} journal files, "
        f"{verification.scores} files of scores, {verification.manifests} sweeps: "
        + ("whole" if verification.whole else f"{len(verification.damages)} places are damaged"),
        file=sys.stderr,
    )
