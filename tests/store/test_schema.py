"""The comments of tables, views and columns."""

from noisebench.store.query import schema
from noisebench.store.store import open_store
from tests.store.results_folder import Folder


def test_every_table_and_view_says_what_a_row_is(folder: Folder) -> None:
    relations = {relation.name: relation for relation in schema(open_store(folder.results))}
    promised = {"trials", "attempts", "results", "epochs", "sweep_trials", "metrics"}
    assert promised | {"runs", "cells", "best_cells", "ranked_cells", "disagreements"} <= set(relations)
    assert all(relation.comment for relation in relations.values())
    assert relations["results"].is_table
    assert not relations["runs"].is_table


def test_columns_are_in_order_with_type_and_comment(folder: Folder) -> None:
    relations = {relation.name: relation for relation in schema(open_store(folder.results))}
    columns = relations["cells"].columns
    assert [column.name for column in columns[-4:]] == ["metric", "mean", "std", "n"]
    eta = next(column for column in columns if column.name == "eta")
    assert eta.type == "DOUBLE"
    assert eta.comment == (
        "the rate of wrong labels asked for, in [0, 1); NULL where the labels are human and no rate was given"
    )
