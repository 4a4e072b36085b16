"""`noisebench export` and `import`: copy a sweep's results from one site to another."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from noisebench.cli.folders import sweep_folder
from noisebench.cli.options import DEFAULT_RESULTS, Results, SweepName
from noisebench.cli.terminal import printable

if TYPE_CHECKING:
    from noisebench.store.archive import Transfer


def export(
    sweep: SweepName,
    out: Annotated[Path, typer.Option("--out", help="The tar file to write.", dir_okay=False)],
    without_scores: Annotated[
        bool,
        typer.Option("--without-scores", help="Leave out the per-sample scores."),
    ] = False,
    results: Results = DEFAULT_RESULTS,
) -> None:
    """Write a sweep with its records and scores to one tar file."""
    from noisebench.store.archive import export_sweep

    written = export_sweep(sweep_folder(results, sweep), out, with_scores=not without_scores)
    _warn_of_skipped(written)
    print(f"{out}: {written.records} records, {written.scores} files of scores", file=sys.stderr)


def import_(
    file: Annotated[Path, typer.Argument(help="The tar file that `noisebench export` wrote.")],
    results: Results = DEFAULT_RESULTS,
) -> None:
    """Import a sweep that another site has exported; existing records stay as they are."""
    from noisebench.records.folders import ResultsFolder
    from noisebench.store.archive import import_archive

    taken = import_archive(ResultsFolder(results.absolute()), file)
    _warn_of_skipped(taken)
    print(f"{taken.sweep}: {taken.records} new records, {taken.scores} new files of scores", file=sys.stderr)
    if taken.sweep_kept:
        print(
            f"warning: {taken.sweep} asks for other trials here; its manifest was kept",
            file=sys.stderr,
        )


def _warn_of_skipped(transfer: Transfer) -> None:
    for file in transfer.skipped:
        print(printable(f"warning: left out {file}"), file=sys.stderr)
