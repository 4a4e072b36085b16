"""`noisebench query`, `schema` and `ingest`: SQL over the database of results."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from noisebench.cli.folders import existing, warn_of_files
from noisebench.cli.options import DEFAULT_RESULTS, Json, Results
from noisebench.errors import EnvironmentFault, InputError


class Format(StrEnum):
    """The format of the rows."""

    table = "table"
    csv = "csv"
    json = "json"
    parquet = "parquet"


def query(
    sql: Annotated[
        str | None, typer.Argument(help="SQL over the tables and views that `noisebench schema` lists.")
    ] = None,
    results: Results = DEFAULT_RESULTS,
    named: Annotated[
        str | None, typer.Option("--named", help="Run a prepared query; `--named list` lists them.")
    ] = None,
    format: Annotated[Format, typer.Option("--format", help="Format of the rows.")] = Format.table,
    out: Annotated[Path | None, typer.Option("--out", help="Write to this file.", dir_okay=False)] = None,
    as_json: Json = False,
) -> None:
    """Run read-only SQL on the database, after updating it from the journal."""
    from noisebench.cli import rows
    from noisebench.store.query import named as named_query
    from noisebench.store.query import named_queries
    from noisebench.store.query import query as answer_query

    if named == "list":
        for name, description in named_queries().items():
            print(f"{name:16} {description}")
        return
    if (sql is None) == (named is None):
        raise InputError(
            'query: give either SQL, such as "SELECT * FROM runs", or --named NAME (--named list shows them)'
        )
    answer = answer_query(existing(results), sql if sql is not None else named_query(named or ""))
    if answer.age_seconds is not None:
        print(
            f"warning: this snapshot is {answer.age_seconds:.0f} s old and could not be renewed",
            file=sys.stderr,
        )
    rows.write(answer.table, "json" if as_json else format.value, out)


def schema(results: Results = DEFAULT_RESULTS, as_json: Json = False) -> None:
    """Show the tables and views of the database, with the meaning of their columns."""
    from noisebench.store.query import schema as described
    from noisebench.store.store import open_store

    with open_store(existing(results)) as store:
        relations = described(store)
    if as_json:
        print(json.dumps([asdict(relation) for relation in relations]))
        return
    for relation in relations:
        print(f"{relation.name} ({'table' if relation.is_table else 'view'}): {relation.comment}")
        for column in relation.columns:
            print(f"    {column.name:24} {column.type:24} {column.comment or ''}".rstrip())


def ingest(
    results: Results = DEFAULT_RESULTS,
    rebuild: Annotated[
        bool, typer.Option("--rebuild", help="Rebuild the database from the whole journal.")
    ] = False,
) -> None:
    """Update the database from the journal."""
    from noisebench.store.ingest import ingest as take_in

    report = take_in(existing(results), rebuild=rebuild)
    if not report.published:
        raise EnvironmentFault(f"{results}: the database could not be updated: {report.unpublished}")
    warn_of_files(report)
    print(f"{report.records} records taken in, {len(report.skipped)} lines skipped", file=sys.stderr)
