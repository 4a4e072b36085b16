"""Queries on a results folder by an untrusted author."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from noisebench.errors import EnvironmentFault, InputError
from noisebench.store.ingest import ingest
from noisebench.store.query import named, named_queries, query
from noisebench.store.store import Store, open_store
from tests.store.results_folder import Folder, ended, started, trial


def test_an_answer_has_columns_and_rows(folder: Folder) -> None:
    folder.journal(started(trial(), "a"), ended(trial(), "a"))
    answer = query(folder.results, "SELECT loss, f1 AS score FROM runs WHERE loss = $loss", {"loss": "CE"})
    assert answer.columns == ["loss", "score"]
    assert answer.rows() == [("CE", 0.9)]
    assert answer.age_seconds is None


def test_an_empty_answer_keeps_its_columns(folder: Folder) -> None:
    answer = query(folder.results, "SELECT trial_id, f1 FROM runs")
    assert (answer.columns, answer.rows()) == (["trial_id", "f1"], [])


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    """An empty results folder with its database, for tests that change nothing."""
    folder = Folder(tmp_path_factory.mktemp("shared"))
    ingest(folder.results)
    return folder


READS = [
    "FROM metrics",
    "SHOW TABLES",
    "DESCRIBE runs",
    "SUMMARIZE runs",
    "EXPLAIN FROM runs",
    "PIVOT metrics ON name",
]


@pytest.mark.parametrize("sql", READS)
def test_every_way_of_reading_works(shared: Folder, sql: str) -> None:
    assert query(shared.results, sql).columns


FORBIDDEN = {
    "COPY (SELECT 1) TO '{outside}'": "only reads: SELECT, not COPY",
    "COPY runs FROM '{secret}'": "only reads: SELECT, not COPY",
    "EXPORT DATABASE '{outside}'": "only reads: SELECT, not EXPORT",
    "ATTACH ':memory:' AS other": "only reads: SELECT, not ATTACH",
    "ATTACH '{outside}' AS other": "only reads: SELECT, not ATTACH",
    "DETACH snapshot": "only reads: SELECT, not DETACH",
    "USE memory": "only reads: SELECT, not SET",
    "INSTALL httpfs": "only reads: SELECT, not LOAD",
    "LOAD httpfs": "only reads: SELECT, not LOAD",
    "SET enable_external_access = true": "only reads: SELECT, not SET",
    "RESET lock_configuration": "only reads: SELECT, not SET",
    "PRAGMA enable_profiling": "only reads: SELECT, not PRAGMA",
    "CALL pragma_version()": "only reads: SELECT, not CALL",
    "CREATE TABLE mine AS SELECT 1": "only reads: SELECT, not CREATE",
    "INSERT INTO runs VALUES (1)": "only reads: SELECT, not INSERT",
    "DELETE FROM results": "only reads: SELECT, not DELETE",
    "UPDATE results SET f1 = 1": "only reads: SELECT, not UPDATE",
    "DROP TABLE results": "only reads: SELECT, not DROP",
    "SELECT 1; DROP TABLE results": "one statement, here are 2",
    "": "one statement, here are 0",
    "EXPLAIN ANALYZE COPY (SELECT 1) TO '{outside}'": "disabled by configuration",
    "FROM read_csv('{secret}')": "disabled by configuration",
    "FROM read_text('{secret}')": "disabled by configuration",
    "FROM read_blob('{secret}')": "disabled by configuration",
    "FROM read_parquet('{secret}')": "Error",
    "FROM '{secret}'": "disabled by configuration",
    "FROM glob('{folder}/*')": "disabled by configuration",
    "FROM folder": "Table with name folder does not exist",
}


@pytest.mark.parametrize(("sql", "message"), FORBIDDEN.items())
def test_a_query_only_reads_the_database(shared: Folder, tmp_path: Path, sql: str, message: str) -> None:
    outside, secret = tmp_path / "outside", tmp_path / "secret.csv"
    secret.write_text("secret\n1\n")
    before = shared.results.database.read_bytes()
    with pytest.raises(InputError) as caught:
        query(shared.results, sql.format(outside=outside, secret=secret, folder=tmp_path))
    assert message in str(caught.value)
    assert list(tmp_path.iterdir()) == [secret]
    assert list(shared.root.iterdir()) == [shared.results.database]
    assert shared.results.database.read_bytes() == before


def test_wrong_sql_gives_duckdbs_message_with_the_position(folder: Folder) -> None:
    with pytest.raises(InputError) as caught:
        query(folder.results, "SELECT f1,\n  nope FROM runs")
    assert 'Referenced column "nope" not found' in str(caught.value)
    assert "LINE 2:   nope FROM runs\n          ^" in str(caught.value)
    with pytest.raises(InputError, match="LINE 1: SELEC 1"):
        query(folder.results, "SELEC 1")
    with pytest.raises(InputError, match="Could not convert string 'x'"):
        query(folder.results, "SELECT name::INTEGER FROM (SELECT 'x' AS name FROM metrics)")


@pytest.mark.slow
def test_the_error_of_a_damaged_block_names_the_rebuild_command(folder: Folder) -> None:
    folder.journal(*(started(trial(seed=seed), f"{seed}" * 999) for seed in range(9)))
    ingest(folder.results)
    data = folder.results.database.read_bytes()
    at = data.index(b"1" * 500)
    folder.results.database.write_bytes(data[:at] + b"x" + data[at + 1 :])
    with pytest.raises(EnvironmentFault, match="ingest --rebuild"):
        query(folder.results, "FROM attempts")
    ingest(folder.results, rebuild=True)
    assert len(query(folder.results, "FROM attempts").rows()) == 9


@pytest.fixture(scope="module")
def of_one_trial(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """A completed trial and a broken line."""
    folder = Folder(tmp_path_factory.mktemp("one"))
    folder.manifest({"table": [trial()]})
    folder.journal(started(trial(), "a"), ended(trial(), "a"), b"broken\n")
    with open_store(folder.results) as store:
        yield store


@pytest.mark.parametrize("name", sorted(named_queries()))
def test_every_named_query_answers(of_one_trial: Store, name: str) -> None:
    answer = of_one_trial.query(named(name))
    assert answer.columns
    assert len(answer.rows()) == {"disagreements": 0, "failures": 0, "measured": 2}.get(name, 1)


def test_named_queries_say_what_they_answer() -> None:
    known = named_queries()
    assert {"best_cells", "cells", "cost", "failures", "progress", "disagreements", "skipped_lines"} <= set(
        known
    )
    assert all(text.endswith(".") for text in known.values())
    with pytest.raises(InputError, match="no query is named 'best'; known: best_cells, cells"):
        named("best")
