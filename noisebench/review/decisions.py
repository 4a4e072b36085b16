"""The decisions of a reviewer: a CSV file, checked against the samples that were judged."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from pathlib import Path

import pandas as pd

from noisebench.errors import InputError

MAX_BYTES = 512 * 1024**2
NEEDED = ("id", "sha256", "given", "verdict")


class Verdict(StrEnum):
    """What a person says of a given label; the kinds follow cleanlab/label-errors."""

    KEEP = "keep"  # the given label is right
    RELABEL = "relabel"  # another class is right
    SEVERAL = "several"  # the given label fits, and so does another
    NONE = "none"  # no class fits
    UNSURE = "unsure"

    @property
    def is_error(self) -> bool:
        """Whether the given label is wrong."""
        return self in (Verdict.RELABEL, Verdict.NONE)


class View(StrEnum):
    """How the reviewer came to a sample; cards of `RANDOM`, and unsuspicious ones of `LIST`, are random."""

    RANDOM = "random"
    LIST = "list"
    FILTER = "filter"


@dataclass(frozen=True)
class Decision:
    """One row of a decisions file. `corrected`: the right class, "" if the verdict names none.

    `cards`: the hash of the cards of the page on which it was made, "" if it does not say.
    """

    id: str
    sha256: str
    given: str
    suggested: str
    verdict: Verdict
    corrected: str
    reviewer: str
    view: View
    decided: str
    cards: str = ""


@dataclass(frozen=True)
class Refused:
    """A decision that does not fit the samples, with the reason."""

    id: str
    reason: str


COLUMNS = tuple(field.name for field in fields(Decision))


def read_decisions(path: Path) -> list[Decision]:
    """Return the decisions of a file; raise InputError as `parsed_decisions` does."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise InputError(f"{path}: is larger than {MAX_BYTES >> 20} MB, which no decisions file is")
        return parsed_decisions(path.read_bytes(), path)
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None


def parsed_decisions(data: bytes, path: Path) -> list[Decision]:
    """Return the decisions of a file's content; raise InputError with every problem of its first lines.

    Needs columns id, sha256, given, verdict; knows suggested, corrected, reviewer, view, decided, cards. If
    an id occurs twice, the last row counts.
    """
    reader = csv.DictReader(io.StringIO(_text(data, path)), strict=True)
    decisions: dict[str, Decision] = {}
    problems = []
    try:
        missing = [name for name in NEEDED if name not in (reader.fieldnames or [])]
        if missing:
            raise InputError(
                f"{path}: lacks the column {', '.join(missing)}; a decisions file has {', '.join(COLUMNS)}: "
                "save it with the page's button"
            )
        for row in reader:
            decision = _decision({name: value or "" for name, value in row.items() if name is not None})
            if isinstance(decision, str):
                problems.append(f"{path}:{reader.line_num} {decision}")
            else:
                decisions[decision.id] = decision
    except csv.Error as error:
        raise InputError(f"{path}:{reader.line_num + 1} is no CSV: {error}") from None
    if problems:
        and_others = [f"and {len(problems) - 10} more"] if len(problems) > 10 else []
        raise InputError("\n".join([*problems[:10], *and_others]))
    return list(decisions.values())


def _text(data: bytes, path: Path) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InputError(f"{path}: is not UTF-8 text; save it as CSV in UTF-8") from None


def _decision(row: Mapping[str, str]) -> Decision | str:
    """Return the row as a decision, or what is wrong with it."""
    verdict, view = row["verdict"].strip().lower(), row.get("view", "").strip().lower() or View.FILTER
    if verdict not in list(Verdict):
        return f"verdict {verdict!r} is unknown; known: {', '.join(Verdict)}"
    if view not in list(View):
        return f"view {view!r} is unknown; known: {', '.join(View)}"
    corrected = row.get("corrected", "")
    if verdict == Verdict.RELABEL and not corrected:
        return "verdict 'relabel' needs the right class in the column corrected"
    texts = {name: row.get(name, "") for name in COLUMNS if name not in ("verdict", "corrected", "view")}
    if verdict not in (Verdict.RELABEL, Verdict.NONE):
        corrected = ""
    return Decision(**texts, verdict=Verdict(verdict), corrected=corrected, view=View(view))


def fitting(
    decisions: list[Decision], table: pd.DataFrame, classes: tuple[str, ...]
) -> tuple[list[Decision], list[Refused]]:
    """Divide decisions into those that fit the table of all samples, and those refused.

    A decision fits if the sample is there, with the content and the given label that the reviewer saw, and if
    the corrected label is one of the classes.
    """
    seen = dict(zip(table["id"], zip(table["sha256"], table["given"], strict=True), strict=True))
    known = set(classes)
    fit, refused = [], []
    for each in decisions:
        reason = _misfit(each, seen.get(each.id), known)
        if reason is None:
            fit.append(each)
        else:
            refused.append(Refused(each.id, reason))
    return fit, refused


def _misfit(decision: Decision, seen: tuple[str, str] | None, classes: set[str]) -> str | None:
    if seen is None:
        return "no such sample"
    sha256, given = seen
    if decision.sha256 != sha256:
        return f"its content has changed: sha256 {sha256[:12]}, reviewed {decision.sha256[:12]}"
    if decision.given != given:
        return f"its label is now {given!r}, reviewed {decision.given!r}"
    if decision.corrected and decision.corrected not in classes:
        return f"corrected label {decision.corrected!r} is no class"
    if decision.verdict == Verdict.RELABEL and decision.corrected == given:
        return f"relabel to {given!r}, which is the given label"
    return None


def as_csv(decisions: list[Decision]) -> bytes:
    """Return the decisions as a file that `read_decisions` reads."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows([getattr(each, name) for name in COLUMNS] for each in decisions)
    return text.getvalue().encode()
