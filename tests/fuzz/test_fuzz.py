"""A short run of each kind of random input, and whether the checks notice what they are for."""

from pathlib import Path
from typing import Any

import duckdb
import pytest

from noisebench.errors import InputError
from noisebench.store.store import Store
from tests.fuzz import lines
from tests.fuzz.__main__ import KINDS, fuzz

INPUTS = {
    **{"queries": 100, "lines": 200, "specs": 200, "profiles": 200, "archives": 50, "files": 500},
    **{"tables": 200, "reviews": 100},
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_random_input(kind: str, tmp_path: Path) -> None:
    outcomes = fuzz(kind, INPUTS[kind], 20, tmp_path)
    assert len(outcomes) > 1  # some is refused, some is not


def test_queries_that_write_are_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unguarded(store: Store, sql: str) -> Any:
        try:
            with duckdb.connect(store.results.database.with_name("other.duckdb")) as connection:
                return connection.sql(sql)
        except duckdb.Error as error:
            raise InputError(str(error)) from None

    monkeypatch.setattr(Store, "query", unguarded)
    with pytest.raises(AssertionError, match="changed"):
        fuzz("queries", 25, 20, tmp_path)


@pytest.mark.slow
def test_a_damaged_line_that_is_taken_in_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "is_unreadable", lambda _: True)
    with pytest.raises(AssertionError, match="taken in, although it holds no record"):
        fuzz("lines", 1, 20, tmp_path)
