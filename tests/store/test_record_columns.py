"""The database has a column for every field of the records."""

from dataclasses import fields

import pytest

from noisebench.records.attempts import Ended, Epoch, Result, Started
from noisebench.store.ingest import ingest
from noisebench.store.query import query
from tests.store.results_folder import Folder

ELSEWHERE = {"config", "result", "epochs"}  # tables of their own


@pytest.mark.parametrize(
    ("table", "records"),
    [("attempts", (Started, Ended)), ("results", (Result,)), ("epochs", (Epoch,))],
    ids=["attempts", "results", "epochs"],
)
def test_each_field_is_a_column(folder: Folder, table: str, records: tuple[type, ...]) -> None:
    ingest(folder.results)
    described = query(folder.results, f"SELECT column_name FROM (DESCRIBE {table})")
    columns = {name for (name,) in described.rows()}
    names = {field.name for record in records for field in fields(record)}  # type: ignore[arg-type]
    assert names - ELSEWHERE <= columns
