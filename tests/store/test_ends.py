"""Ended lines read at once, against the same lines read one by one."""

import json

import pytest

from noisebench.records.lines import parse
from noisebench.store import ends, records
from tests.store.results_folder import ended, trial, unsuccessful

MARKS = {"ended_checked": False, "is_imported": False}


def test_at_once_equals_one_by_one() -> None:
    found = [
        ended(trial(), "a", peak_memory_mb=3, fast_path="fused"),
        unsuccessful(trial(seed=1), "b", error="\u00e9\n\u2028", epochs=None),
        ended(trial(seed=2), "c", f1=None, ended_at="2026-11-20T11:30:00.25+02:00", result={"future": [1]}),
    ]
    lines = [json.dumps(record).encode() + b"\n" for record in found]
    rows = [records.end_row(parse(line), ordinal, MARKS) for ordinal, line in enumerate(lines)]
    expected = records.table(rows, records.ENDS).to_pylist()
    at_once = ends.table(lines, [MARKS] * 3).to_pylist()
    for row in (*expected, *at_once):
        row["epochs"] = row["epochs"] or []
    assert at_once == expected


UNUSUAL = {
    "no UTF-8": json.dumps(ended(trial(), "x")).encode().replace(b"paper", b"pap\xff") + b"\n",
    "lone surrogate": json.dumps(ended(trial(), "\ud800")).encode() + b"\n",
    "two on a line": json.dumps(ended(trial(), "x")).encode() * 2 + b"\n",
    "two lines in one": b'{"event": "ended"' + b"\n",
    "quantiles": json.dumps(ended(trial(), "x", epochs=[{"quantiles": {"wrong": [1]}}])).encode() + b"\n",
    "error kind": json.dumps(unsuccessful(trial(), "x", error_kind="bad luck")).encode() + b"\n",
    "status": json.dumps(ended(trial(), "x", status="fine")).encode() + b"\n",
    "no result": json.dumps(ended(trial(), "x", result=None)).encode() + b"\n",
    "no attempt": json.dumps({**ended(trial(), "x"), "attempt_id": None}).encode() + b"\n",
    "no time zone": json.dumps(ended(trial(), "x", ended_at="2026-11-20T10:00:00")).encode() + b"\n",
    "a number above the range of floats": json.dumps(ended(trial(), "x", seconds=10**400)).encode() + b"\n",
    "an infinite metric": json.dumps(ended(trial(), "x")).replace("0.9", "1e999").encode() + b"\n",
    "an infinite loss": json.dumps(ended(trial(), "x", epochs=[{"loss": 10**400}])).encode() + b"\n",
    "a missing epoch": json.dumps(ended(trial(), "x", epochs=[{"loss": 1}, None])).encode() + b"\n",
    "text for a number": json.dumps(ended(trial(), "x", seconds="long")).encode() + b"\n",
    "text for epochs": json.dumps(ended(trial(), "x", epochs="many")).encode() + b"\n",
}


@pytest.mark.parametrize("line", UNUSUAL.values(), ids=UNUSUAL.keys())
def test_unusual_lines_are_read_one_by_one(line: bytes) -> None:
    usual = json.dumps(ended(trial(), "a")).encode() + b"\n"
    with pytest.raises(records.MALFORMED):
        ends.table([usual, line], [MARKS] * 2)
