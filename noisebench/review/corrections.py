"""A review as a whole: decisions in; corrected labels, tables and estimates out."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from noisebench.errors import InputError
from noisebench.records.durable import read_of_sweep, write_durably, write_of_sweep
from noisebench.review.decisions import (
    Decision,
    Refused,
    Verdict,
    View,
    as_csv,
    fitting,
    parsed_decisions,
    read_decisions,
)
from noisebench.review.estimates import Estimates, Reviewed, estimate
from noisebench.review.files import SuspectFiles, write_report, write_tables
from noisebench.review.next_cards import NextCards, next_cards
from noisebench.review.table import as_csv as table_as_csv
from noisebench.review.table import as_parquet
from noisebench.review.written import written


@dataclass(frozen=True)
class Review:
    """What is known after a review. `relabelled`, `left_out`: corrections of the labels.

    `not_random`: decisions on random cards of another ranking, which tell nothing of the cards not seen.
    """

    estimates: Estimates
    relabelled: int
    left_out: int
    verdicts: dict[str, int]
    not_random: int
    next: NextCards
    refused: tuple[Refused, ...]
    files: tuple[Path, ...]

    def as_fields(self) -> dict[str, Any]:
        """Return the review for JSON."""
        return {
            **self.estimates.as_fields(),
            "relabelled": self.relabelled,
            "left_out": self.left_out,
            "verdicts": self.verdicts,
            "not_random": self.not_random,
            "next": asdict(self.next),
            "refused": [asdict(each) for each in self.refused],
            "files": [str(path) for path in self.files],
        }


def review(folder: Path, decisions: Path, *, skip_changed: bool = False) -> Review:
    """Take in the decisions of a file; write decisions.csv, labels.csv, the tables and report.json.

    Decisions of earlier files stay; a new decision on the same sample replaces the old one. Raises InputError
    if a decision does not fit the samples, unless `skip_changed` is set, and then writes nothing.
    """
    files = SuspectFiles(folder)
    report, table = written(files)
    fit, refused = fitting(read_decisions(decisions), table, _classes(report))
    if refused and not (skip_changed and fit):
        raise InputError(_refusal(decisions, refused, fit))
    merged = {each.id: each for each in [*_earlier(files), *fit]}
    kept, _ = fitting(list(merged.values()), table, _classes(report))
    write_of_sweep(files.decisions, as_csv(list(merged.values())))
    return _write(files, report, table, kept, refused)


def take_up(files: SuspectFiles, report: dict[str, Any], table: pd.DataFrame) -> list[Refused]:
    """Write the tables of a new run and its report, with the decisions of earlier reviews.

    Returns the decisions that do not fit the samples; they stay in decisions.csv.
    """
    fit, refused = fitting(_earlier(files), table, _classes(report))
    if fit:
        _write(files, report, table, fit, refused)
        return refused
    if refused:
        files.labels.unlink(missing_ok=True)
    write_tables(files, table, report["suspects"])
    write_report(files, {**report, "review": None})
    return refused


def _earlier(files: SuspectFiles) -> list[Decision]:
    try:
        data = read_of_sweep(files.decisions)
    except FileNotFoundError:
        return []
    return parsed_decisions(data, files.decisions)


def _classes(report: dict[str, Any]) -> tuple[str, ...]:
    return tuple(each["name"] for each in report["by_class"])


def _write(
    files: SuspectFiles,
    report: dict[str, Any],
    table: pd.DataFrame,
    fit: list[Decision],
    refused: list[Refused],
) -> Review:
    """Write what follows from the decisions that fit; return it."""
    decisions = {each.id: each for each in fit}
    table = with_decisions(table, decisions)
    reviewed = reviewed_of(table, decisions, report["cards"])
    estimates = estimate(reviewed, report["suspects"])
    labels = corrected_labels(table)
    result = Review(
        estimates=estimates,
        relabelled=int(((table["corrected"] != "") & (table["corrected"] != table["given"])).sum()),
        left_out=len(table) - len(labels),
        verdicts={str(each): int((table["verdict"] == each).sum()) for each in Verdict},
        not_random=sum(each.view == View.RANDOM and not _is_of(each, report["cards"]) for each in fit),
        next=next_cards(estimates, reviewed, table["id"].tolist(), report["suspects"]),
        refused=tuple(refused),
        files=(files.labels, files.decisions, files.csv, files.parquet, files.all, files.report),
    )
    write_of_sweep(files.labels, table_as_csv(labels))
    write_tables(files, table, report["suspects"])
    write_report(files, {**report, "review": result.as_fields()})
    return result


def _refusal(path: Path, refused: list[Refused], fit: list[Decision]) -> str:
    examples = [f"  {each.id}: {each.reason}" for each in refused[:5]]
    and_others = [f"  and {len(refused) - 5} more"] if len(refused) > 5 else []
    rest = f"--skip-changed leaves them out and reads the other {len(fit):,}" if fit else "none fits"
    first = f"{path}: {len(refused):,} of {len(refused) + len(fit):,} decisions are on other data or labels:"
    return "\n".join([first, *examples, *and_others, f"use the page of these results; {rest}"])


def with_decisions(table: pd.DataFrame, decisions: dict[str, Decision]) -> pd.DataFrame:
    """Return the table of all samples with the columns verdict, corrected and reviewer filled."""
    by_row = [decisions.get(each) for each in table["id"]]
    return table.assign(
        verdict=["" if each is None else str(each.verdict) for each in by_row],
        corrected=["" if each is None else each.corrected for each in by_row],
        reviewer=["" if each is None else each.reviewer for each in by_row],
    )


def reviewed_of(table: pd.DataFrame, decisions: dict[str, Decision], cards: dict[str, Any]) -> Reviewed:
    """Return what the decisions say by rank; `cards` are those of report.json.

    A decision on a card of another ranking tells something of its own label alone.
    """
    ranks = dict(zip(table["id"], table["rank"].tolist(), strict=True))
    position = {rank: index for index, rank in enumerate(cards["drawn"])}
    by_rank = {ranks[each.id]: each for each in decisions.values()}

    def furthest(view: View, above: int) -> int:
        seen = (r for r, each in by_rank.items() if each.view == view and r > above and _is_of(each, cards))
        return max((position.get(r, -1) for r in seen), default=-1)

    unsure = {rank for rank, each in by_rank.items() if each.verdict == Verdict.UNSURE}
    return Reviewed(
        samples=len(table),
        ends=cards["ends"],
        drawn=cards["drawn"],
        listed=cards["listed"],
        wrong={rank: each.verdict.is_error for rank, each in by_rank.items() if rank not in unsure},
        unsure=frozenset(unsure),
        seen_of_draw=furthest(View.RANDOM, 0),
        seen_of_list=furthest(View.LIST, cards["listed"]),
    )


def _is_of(decision: Decision, cards: dict[str, Any]) -> bool:
    # A page without a hash wrote none into its decisions.
    return bool(decision.cards == cards.get("hash", ""))


def corrected_labels(table: pd.DataFrame) -> pd.DataFrame:
    """Return id, path, label, given label, verdict and hash of the content of all samples, by id.

    Only a verdict changes a label. Samples that no class fits are left out.
    """
    kept = table[(table["verdict"] != Verdict.NONE) | (table["corrected"] != "")]
    label = kept["corrected"].where(kept["corrected"] != "", kept["given"])
    labels = kept.assign(label=label)[["id", "path", "label", "given", "verdict", "sha256"]]
    return labels.sort_values("id", kind="stable")


def write_labels(folder: Path, out: Path) -> int:
    """Write the labels as corrected so far to a .csv or .parquet file; return their number."""
    _, table = written(SuspectFiles(folder))
    labels = corrected_labels(table)
    if out.suffix not in (".csv", ".parquet"):
        raise InputError(f"{out}: the ending must be .csv or .parquet")
    write_durably(out, as_parquet(labels) if out.suffix == ".parquet" else table_as_csv(labels))
    return len(labels)
