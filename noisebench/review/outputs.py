"""Writes what a run found: tables of suspects, a report, and the page on which a person reviews them."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pandas as pd

from noisebench.records.durable import write_of_sweep
from noisebench.review.corrections import take_up
from noisebench.review.files import SuspectFiles
from noisebench.review.gallery import Cards, gallery
from noisebench.review.samples import Samples
from noisebench.review.strata import draw, last_ranks
from noisebench.review.summary import Run, Summary, histogram, summarise
from noisebench.review.suspects import Suspects
from noisebench.review.table import table_of, valid


def write_suspects(folder: Path, samples: Samples, suspects: Suspects, run: Run) -> Summary:
    """Write suspects.csv, suspects.parquet, all.parquet, report.json and suspects.html; return the counts.

    Each file is replaced atomically. Decisions of earlier reviews are taken up where they fit the samples.
    """
    files = SuspectFiles(folder)
    table = table_of(samples, suspects)
    summary = summarise(table, suspects.suspects, tuple(valid(name) for name in samples.classes))
    listed = min(suspects.suspects, run.cards)
    ends = last_ranks(len(table), suspects.suspects, listed)
    drawn = draw(ends, suspects.p_given[suspects.order], run.budget, _seed(run))
    report = {
        **_about(run),
        "samples": summary.samples,
        "suspects": summary.suspects,
        "detectors": suspects.detectors,
        "seeds": suspects.seeds,
        "by_class": [asdict(each) for each in summary.by_class],
        "pairs": [asdict(each) for each in summary.pairs],
        "histogram": asdict(histogram(table, suspects.suspects)),
        "cards": {"listed": listed, "ends": ends, "drawn": drawn, "hash": _hash(table, listed, ends, drawn)},
    }
    refused = take_up(files, report, table)
    cards = Cards(table, suspects.order, listed, tuple(drawn), _seed(run))
    write_of_sweep(files.page, gallery(cards, samples, summary, report).encode())
    written = (files.page, files.csv, files.parquet, files.all, files.report)
    return replace(summary, files=written, decisions_left_out=len(refused))


def _about(run: Run) -> dict[str, Any]:
    return {
        "name": run.name,
        "data": valid(run.data),
        "data_hash": run.data_hash,
        "configuration": run.configuration,
        "notes": [valid(note) for note in run.notes],
        "tuning": run.tuning,
        "bracket": run.bracket,
    }


def _hash(table: pd.DataFrame, listed: int, ends: list[int], drawn: list[int]) -> str:
    """Return 16 hex digits that name the ranking and the cards: random cards of another are none of this."""
    text = json.dumps([table["id"].tolist(), listed, ends, drawn])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _seed(run: Run) -> int:
    return int.from_bytes(hashlib.sha256(f"{run.name}\0{run.data_hash}".encode()).digest()[:4], "big")
