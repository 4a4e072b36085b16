"""`noisebench review` and `noisebench labels`: decisions on suspected labels, and the corrected labels."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from noisebench.cli.folders import existing
from noisebench.cli.options import DEFAULT_RESULTS, Json, Results, SweepName
from noisebench.cli.terminal import printable

if TYPE_CHECKING:
    from noisebench.review.corrections import Review
    from noisebench.review.estimates import Interval


def review(
    sweep: SweepName,
    decisions: Annotated[
        Path, typer.Option("--decisions", help="The file that the page of suspects saved.", dir_okay=False)
    ],
    skip_changed: Annotated[
        bool,
        typer.Option("--skip-changed", help="Leave out decisions on samples or labels that have changed."),
    ] = False,
    results: Results = DEFAULT_RESULTS,
    as_json: Json = False,
) -> None:
    """Take in decisions on suspects: correct the labels, estimate how many wrong ones remain.

    Writes the corrected labels to labels.csv beside the page; no image is moved. The estimates have 95%
    intervals. They need some of the page's random cards.
    """
    from noisebench.review.corrections import review as take_in

    result = take_in(_folder(results, sweep), decisions, skip_changed=skip_changed)
    for each in result.refused:
        print(printable(f"left out: {each.id}: {each.reason}"), file=sys.stderr)
    if as_json:
        print(json.dumps(result.as_fields()))
    else:
        for line in _lines(result):
            print(printable(line))


def labels(
    sweep: SweepName,
    out: Annotated[Path, typer.Option("--out", help="The .csv or .parquet file to write.", dir_okay=False)],
    results: Results = DEFAULT_RESULTS,
) -> None:
    """Write all labels, corrected by the decisions so far, to a file with id, path and label."""
    from noisebench.review.corrections import write_labels

    count = write_labels(_folder(results, sweep), out)
    print(f"{out}: {count:,} labels", file=sys.stderr)


def _folder(results: Path, sweep: str) -> Path:
    from noisebench.errors import InputError

    root = existing(results)
    known = sorted(path.parent.name for path in root.root.glob("suspects/*/report.json"))
    if sweep not in known:
        raise InputError(
            f"{root.root}: no suspects of '{sweep}' here; known: {', '.join(known) or 'none yet'}; "
            "`noisebench detect DATA` finds suspects"
        )
    return root.sweep(sweep).suspects


def _lines(result: Review) -> list[str]:
    estimates = result.estimates
    verdicts = ", ".join(f"{count:,} {name}" for name, count in result.verdicts.items() if count)
    lines = [
        f"reviewed      {estimates.reviewed:,}: {verdicts}",
        f"corrected     {result.relabelled:,} relabelled, {result.left_out:,} left out",
        f"wrong in all  {_interval(estimates.total)}",
        f"still wrong   {_interval(estimates.remaining)}",
    ]
    if result.not_random:
        lines.append(
            f"not random    {result.not_random:,}: random cards of another ranking correct labels, but do "
            "not count for the estimates"
        )
    for cut in estimates.cuts:
        if cut.precision is not None:
            share = cut.precision
            middle, low, high = (f"{100 * each:.0f}" for each in (share.estimate, share.low, share.high))
            how = "all reviewed" if share.low == share.high else f"95%: {low} to {high}%"
            lines.append(f"top {cut.rank:<9,} {middle}% wrong ({how})")
    return [*lines, f"next          {result.next.text}", f"labels        {result.files[0]}"]


def _interval(interval: Interval | None) -> str:
    if interval is None:
        return "not known yet: review random cards of every part of the ranking"
    return f"{interval.estimate:,.0f} (95%: {interval.low:,.0f} to {interval.high:,.0f})"
