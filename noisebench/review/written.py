"""Reads back what a run wrote of its suspects: report.json and all.parquet, checked before they are used."""

from __future__ import annotations

import io
import json
from typing import Any, TypeGuard

import pandas as pd

from noisebench.errors import DataError, InputError
from noisebench.records.durable import is_storage_error, read_of_sweep
from noisebench.review.files import SuspectFiles
from noisebench.review.table import DECISION

# What a review reads of report.json and of the columns of all.parquet.
_FIELDS = ("suspects", "by_class", "cards")
_TEXTS = ("id", "path", "sha256", "given", *DECISION)
_COLUMNS = ("rank", *_TEXTS)


def written(files: SuspectFiles) -> tuple[dict[str, Any], pd.DataFrame]:
    """Return report.json and the table of all samples; raise DataError where they do not fit together.

    Raises InputError where there are none.
    """
    import pyarrow

    if not files.report.is_file() or not files.all.is_file():
        raise InputError(
            f"{files.folder}: there are no suspects to review here; `noisebench detect DATA` finds them"
        )
    try:
        report = json.loads(read_of_sweep(files.report))
        table = pd.read_parquet(io.BytesIO(read_of_sweep(files.all)))
    except (ValueError, RecursionError, pyarrow.ArrowException, OSError, KeyError, TypeError) as error:
        if is_storage_error(error):
            raise
        raise _damage(files, str(error).splitlines()[0] if str(error) else type(error).__name__) from None
    columns = [name for name in _COLUMNS if name not in table]
    fields = [name for name in _FIELDS if not isinstance(report, dict) or name not in report]
    if columns or fields:
        raise _damage(files, f"without {', '.join([*fields, *columns])}")
    problem = _problem_of_table(table) or _problem_of_report(report, len(table))
    if problem is not None:
        raise _damage(files, problem)
    return report, table


def _damage(files: SuspectFiles, problem: str) -> DataError:
    return DataError(
        f"{files.folder}: report.json or all.parquet is damaged ({problem}); `noisebench detect DATA` writes "
        "both again and keeps the decisions"
    )


def _problem_of_table(table: pd.DataFrame) -> str | None:
    """Return what is wrong with the table of all samples, None for nothing."""
    for name in _TEXTS:
        if not all(isinstance(each, str) for each in table[name]):
            return f"not every {name} is a text"
    ranks = table["rank"]
    is_whole = pd.api.types.is_integer_dtype(ranks) and not table.empty
    if not is_whole or ranks.tolist() != list(range(1, len(table) + 1)):
        return "the ranks are not 1, 2, 3 and so on"
    return "an id occurs twice" if table["id"].duplicated().any() else None


def _problem_of_report(report: dict[str, Any], samples: int) -> str | None:
    """Return which field of a report on N samples is not as `detect` writes it, None for none."""
    classes, cards = report["by_class"], report["cards"]
    if not isinstance(classes, list) or not all(_has_name(each) for each in classes):
        return "by_class names no classes"
    if not _is_count(report["suspects"], samples):
        return f"suspects is no number from 0 to {samples}"
    if not isinstance(cards, dict) or not _is_count(cards.get("listed"), samples):
        return f"cards: listed is no number from 0 to {samples}"
    ends, drawn = cards.get("ends"), cards.get("drawn")
    if not _are_ranks(ends, samples) or ends != sorted(ends) or ends[-1:] != [samples]:
        return f"cards: ends are not ranks in order, the last {samples}"
    return None if _are_ranks(drawn, samples) else f"cards: drawn are not ranks from 1 to {samples}"


def _has_name(of_class: object) -> bool:
    return isinstance(of_class, dict) and isinstance(of_class.get("name"), str)


def _is_count(number: object, highest: int) -> bool:
    return type(number) is int and 0 <= number <= highest


def _are_ranks(ranks: Any, samples: int) -> TypeGuard[list[int]]:
    """Whether these are distinct ranks from 1 to N."""
    if not isinstance(ranks, list) or not all(_is_count(each, samples) and each for each in ranks):
        return False
    return len(set(ranks)) == len(ranks)
