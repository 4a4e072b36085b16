"""One page, without network, on which a person reviews the suspects.

Every text of the data reaches the page through Jinja2's escaping or as JSON in a script element that holds no
code; the page's scripts insert texts as text nodes only, and its policy forbids every request.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from noisebench.html import render
from noisebench.review.samples import Samples
from noisebench.review.strata import list_order
from noisebench.review.summary import Pair, Summary
from noisebench.review.table import valid
from noisebench.review.thumbnails import thumbnails

CHUNK = 250  # thumbnails that the page decodes at once
MAX_CONFLICTS = 1000  # samples with equal content and different labels
EXAMPLES = 2  # images of each class
MAX_MATRIX = 20  # classes; with more, the most frequent pairs are listed alone
MAX_PAIRS = 60

_TEMPLATE = Path(__file__).with_name("templates") / "suspects.html"


@dataclass(frozen=True)
class Cards:
    """What the page shows: a table of all samples by rank with the row of each rank, `listed` suspects, and
    the ranks drawn at random.
    """

    table: pd.DataFrame
    rows: NDArray[np.int64]
    listed: int
    drawn: tuple[int, ...]
    seed: int


@dataclass(frozen=True)
class _Chosen:
    """The ranks of all cards, and the three orders in which the page shows them, as positions in `ranks`."""

    ranks: list[int]
    conflicts: list[int]
    listed: list[int]
    random: list[int]


def gallery(cards: Cards, samples: Samples, summary: Summary, report: Mapping[str, Any]) -> str:
    """Return the page."""
    chosen = _choose(cards)
    images = thumbnails(samples, [int(cards.rows[rank - 1]) for rank in chosen.ranks])
    data = _data(cards, chosen, samples, report)
    return render(
        _TEMPLATE,
        report=report,
        summary=summary,
        share=summary.suspects / summary.samples,
        bars=_bars(report["histogram"]),
        matrix=_matrix(summary),
        pairs=summary.pairs[:MAX_PAIRS],
        numbers={name: label for label, name in enumerate(data["classes"])},
        by_class=sorted(summary.by_class, key=lambda each: (-each.suspects, each.name)),
        configuration=_configuration(report),
        data=data,
        examples=_examples(cards, samples, {*data["given"], *data["suggested"]}),
        chunks=[images[start : start + CHUNK] for start in range(0, len(images), CHUNK)],
    )


def _choose(cards: Cards) -> _Chosen:
    conflicting = cards.table["duplicate_conflict"].to_numpy()
    # Equal images side by side: those with the group's first sample as key, at the position of its best rank.
    first = cards.table["duplicate_of"].where(cards.table["duplicate_of"] != "", cards.table["id"])
    groups: dict[str, list[int]] = {}
    for index in np.flatnonzero(conflicting):
        groups.setdefault(first.iloc[index], []).append(int(index) + 1)
    together = [rank for group in groups.values() for rank in group][:MAX_CONFLICTS]
    listed = [rank for rank in list_order(cards.listed, cards.drawn, cards.seed) if rank not in set(together)]
    ranks = list(dict.fromkeys([*together, *listed, *cards.drawn]))
    position = {rank: index for index, rank in enumerate(ranks)}
    return _Chosen(
        ranks,
        [position[rank] for rank in together],
        [position[rank] for rank in listed],
        [position[rank] for rank in cards.drawn],
    )


def _data(cards: Cards, chosen: _Chosen, samples: Samples, report: Mapping[str, Any]) -> dict[str, Any]:
    """Return the columns of all cards, for the page's script."""
    shown = cards.table.iloc[[rank - 1 for rank in chosen.ranks]]
    rows = cards.rows[np.array(chosen.ranks, dtype=np.int64) - 1]
    classes = [valid(name) for name in samples.classes]
    number = {name: index for index, name in reversed(list(enumerate(classes)))}
    rounded = {
        name: [None if np.isnan(value) else round(float(value), 3) for value in shown[name]]
        for name in ("p_given", "p_suggested", "suspicion", "agreement")
    }
    return {
        "key": f"noisebench/{report['name']}/{report['data_hash']}",
        "name": report["name"],
        "cards": report["cards"]["hash"],
        "classes": classes,
        "chunk": CHUNK,
        "ids": shown["id"].tolist(),
        "paths": shown["path"].tolist(),
        "sha256": shown["sha256"].tolist(),
        "given": samples.labels[rows].tolist(),
        "suggested": [number[name] for name in shown["suggested"]],
        **rounded,
        "flagged_by": shown["flagged_by"].tolist(),
        "notes": shown["note"].tolist(),
        "copies": _copies(cards.table, shown),
        "conflicts": chosen.conflicts,
        "listed": chosen.listed,
        "random": chosen.random,
    }


def _copies(table: pd.DataFrame, shown: pd.DataFrame) -> dict[int, list[tuple[str, str]]]:
    """Return id and given label of the other samples with equal content, by the card's position."""
    copied = table[(table["duplicate_of"] != "") | table["id"].isin(set(table["duplicate_of"]))]
    if copied.empty:
        return {}
    group = copied["duplicate_of"].where(copied["duplicate_of"] != "", copied["id"])
    members = {key: list(zip(part["id"], part["given"], strict=True)) for key, part in copied.groupby(group)}
    copies = {}
    for position, (sample_id, first) in enumerate(zip(shown["id"], shown["duplicate_of"], strict=True)):
        others = [each for each in members.get(first or sample_id, []) if each[0] != sample_id]
        if others:
            copies[position] = others[:10]
    return copies


def _examples(cards: Cards, samples: Samples, labels: set[int]) -> dict[int, list[str]]:
    """Return images of these classes, by the class's number: of its least suspicious samples."""
    if samples.picture is None:
        return {}
    judged = np.isfinite(cards.table["suspicion"].to_numpy(dtype=np.float64))
    rows: list[int] = []
    given = samples.labels[cards.rows]
    for label in sorted(labels):
        members = np.flatnonzero(judged[cards.listed :] & (given[cards.listed :] == label))
        rows += cards.rows[cards.listed :][members[-EXAMPLES:]].tolist()
    images: dict[int, list[str]] = {}
    for row, image in zip(rows, thumbnails(samples, rows), strict=True):
        if image is not None:
            images.setdefault(int(samples.labels[row]), []).append(image)
    return images


def _configuration(report: Mapping[str, Any]) -> str:
    return valid(json.dumps(report["configuration"], indent=2, ensure_ascii=False, default=str))


def _bars(histogram: Mapping[str, Sequence[float]]) -> list[dict[str, float]]:
    """Return the bars of the histogram: left, width, and heights as square roots of counts, from 0 to 1.

    Suspects are few; on a linear scale they would not be seen.
    """
    edges, suspects, others = histogram["edges"], histogram["suspects"], histogram["others"]
    highest = max((a + b for a, b in zip(suspects, others, strict=True)), default=1) or 1
    bars = []
    for index, (few, many) in enumerate(zip(suspects, others, strict=True)):
        total = ((few + many) / highest) ** 0.5
        share = few / (few + many) if few + many else 0
        bars.append(
            {
                "low": edges[index],
                "high": edges[index + 1],
                "suspects": few,
                "others": many,
                "height": total,
                "suspect_height": total * share,
            }
        )
    return bars


def _matrix(summary: Summary) -> dict[str, Any] | None:
    """Return counts of suspects by given (rows) and suggested label (columns); None with many classes."""
    names = [each.name for each in summary.by_class]
    if len(names) > MAX_MATRIX:
        return None
    counts = {(pair.given, pair.suggested): pair.count for pair in summary.pairs}
    highest = max(counts.values(), default=1)
    rows = [
        [
            {**asdict(Pair(given, other, counts.get((given, other), 0))), "same": given == other}
            for other in names
        ]
        for given in names
    ]
    return {"names": names, "rows": rows, "highest": highest}
