"""A results folder written by version 0.1, which wrote no checksums, gives the tables that it gave then."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from noisebench.records.folders import ResultsFolder
from noisebench.records.journal import records
from noisebench.store.ingest import ingest
from noisebench.store.query import query

RECORDED = Path(__file__).parents[1] / "records" / "version-0.1"
# What version 0.1's own tables held, with its five completed trials and one failed one.
TABLES: dict[str, list[dict[str, Any]]] = json.loads((RECORDED / "tables.json").read_text())


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> ResultsFolder:
    results = ResultsFolder(tmp_path_factory.mktemp("old"))
    results.sweep("old").journal.mkdir(parents=True)
    results.sweep("old").path.mkdir(parents=True)
    shutil.copyfile(RECORDED / "journal.jsonl", results.sweep("old").journal / "host-1.jsonl")
    shutil.copyfile(RECORDED / "manifest.jsonl", results.sweep("old").manifest)
    return results


@pytest.mark.parametrize("table", TABLES)
def test_every_table_is_as_it_was(results: ResultsFolder, table: str) -> None:
    expected = TABLES[table]
    columns = ", ".join(f'"{column}"' for column in expected[0])
    answer = query(results, f"SELECT {columns} FROM {table}")
    rows = [dict(zip(answer.columns, map(plain, row), strict=True)) for row in answer.rows()]
    assert sorted(rows, key=str) == sorted(expected, key=str)


def test_its_lines_count_as_lines_without_checksums(results: ResultsFolder) -> None:
    assert ingest(results, rebuild=True).skipped == ()
    marks = query(results, "SELECT DISTINCT started_checked, ended_checked FROM attempts").rows()
    assert marks == [(False, False)]


def test_its_records_are_read_one_by_one(results: ResultsFolder) -> None:
    assert len(list(records(results.sweep("old").journal))) == 12


def plain(value: Any) -> Any:
    return value.isoformat() if hasattr(value, "isoformat") else value
