"""`noisebench verify`: whether a results folder is whole, and whether trials repeat."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from noisebench.cli.folders import existing, sweep_folder
from noisebench.cli.options import DEFAULT_RESULTS, Data, Json, Results
from noisebench.cli.run import AllowCode, modules_of
from noisebench.cli.terminal import printable
from noisebench.errors import InputError

if TYPE_CHECKING:
    from noisebench.engine.rerun import Repetition
    from noisebench.records.folders import ResultsFolder, SweepFolder
    from noisebench.store.damage import Verification


def verify(
    sweep: Annotated[
        str | None,
        typer.Argument(help="The sweep's name, checked with the database; default: all, and own data."),
    ] = None,
    results: Results = DEFAULT_RESULTS,
    without_scores: Annotated[
        bool, typer.Option("--without-scores", help="Do not check the per-sample scores.")
    ] = False,
    repeat: Annotated[
        int | None,
        typer.Option("--rerun", min=1, metavar="N", help="Repeat N finished trials and compare the results."),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Seed of the choice of trials.")] = 0,
    data: Data = None,
    allow_code: AllowCode = None,
    as_json: Json = False,
) -> None:
    """Check records, scores, manifests, own data and the database for damage; change nothing.

    Exit code 1 if there is damage. Each location is printed with what is wrong and what that means. With
    --rerun, finished trials of the sweep are run again in this process instead, in a temporary folder: on a
    CPU with equal versions all their numbers have to be equal, elsewhere within 5 %.
    """
    if repeat is not None:
        if sweep is None:
            raise InputError("--rerun: name the sweep whose trials are to be repeated")
        folder = sweep_folder(results, sweep)
        _print_repetitions(_repetitions(folder, modules_of(allow_code), repeat, seed, data), as_json)
        return
    verification = _verified(sweep, results, with_scores=not without_scores)
    _print(verification, as_json)
    if not verification.whole:
        raise typer.Exit(1)


def _verified(sweep: str | None, results: Path, *, with_scores: bool) -> Verification:
    from noisebench.data.own import kept
    from noisebench.store.damage import Kind, Location
    from noisebench.store.database_check import compare_database, lost_files
    from noisebench.store.verification import verify_files

    if sweep is not None:
        folder = sweep_folder(results, sweep).results
        verification = verify_files(folder, [sweep], with_scores=with_scores)
        others = verify_files(folder, [name for name in _sweeps(folder) if name != sweep], with_scores=False)
        lost_files(folder, verification, sweep)
        # The database is of all sweeps.
        compare_database(folder, verification, certain=verification.whole and others.whole)
        return verification
    folder = existing(results)
    verification = verify_files(folder, _sweeps(folder), with_scores=with_scores)
    for content, problem in kept.problems(folder.own_data).items():
        verification.add(Kind.OWN_DATA, Location(f"{folder.own_data.name}/{content}"), problem)
    lost_files(folder, verification)
    compare_database(folder, verification, certain=verification.whole)
    return verification


def _sweeps(folder: ResultsFolder) -> list[str]:
    parents = (folder.journal, folder.sweeps)
    return sorted({path.name for parent in parents if parent.is_dir() for path in parent.iterdir()})


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
        print(printable(f"{damage.location}: {damage.problem}"))
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


def _repetitions(
    folder: SweepFolder, allowed: list[str], count: int, seed: int, data: Path | None
) -> list[Repetition]:
    from noisebench.engine.rerun import rerun
    from noisebench.records.manifest import kept_sweep

    trials = list(kept_sweep(folder, allowed).trials())
    repetitions = rerun(folder, trials, count, seed, None if data is None else data.absolute())
    if not repetitions:
        raise InputError(f"--rerun: no trial of {folder.name} has completed yet")
    return repetitions


def _print_repetitions(repetitions: list[Repetition], as_json: bool) -> None:
    differing = [repetition for repetition in repetitions if repetition.differences]
    if as_json:
        print(json.dumps([asdict(repetition) for repetition in repetitions], default=str))
    else:
        for repetition in differing:
            _print_repetition(repetition)
    exact = sum(repetition.exact for repetition in repetitions)
    print(
        f"{len(repetitions)} trials repeated, {exact} of them on a CPU with equal versions: "
        + (f"{len(differing)} differ" if differing else "no result differs"),
        file=sys.stderr,
    )
    if differing:
        raise typer.Exit(1)


def _print_repetition(repetition: Repetition) -> None:
    print(f"trial {repetition.trial_id}, attempt {repetition.attempt_id}:")
    for name, (recorded, repeated) in repetition.differences.items():
        print(printable(f"    {name}: recorded {recorded}, repeated {repeated}"))
    if repetition.exact:
        print(printable(f"    both on {repetition.recorded}"))
    else:
        print(printable(f"    recorded on {repetition.recorded}"))
        print(printable(f"    repeated on {repetition.repeated}"))
