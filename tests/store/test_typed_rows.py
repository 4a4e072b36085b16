"""The fields of typed rows are the columns of their SQL, in order."""

from collections.abc import Iterator
from dataclasses import fields

import pytest

from noisebench.store import blocks, summaries
from noisebench.store.statements import SQL
from noisebench.store.store import Store, open_store
from tests.store.results_folder import Folder

QUESTION = {
    "sweep": "paper",
    "block": "grid",
    "choose": "grid",
    "metric": "f1",
    "over": "family",
    "decimals": 3,
}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """An empty results folder."""
    with open_store(Folder(tmp_path_factory.mktemp("empty")).results) as opened:
        yield opened


@pytest.mark.parametrize(
    ("name", "row_type"),
    [
        ("blocks/candidates", blocks.Candidate),
        ("blocks/cells", blocks.BlockCell),
        ("blocks/trials", blocks.BlockTrial),
        ("blocks/epochs", blocks.TrainedEpoch),
        ("blocks/measured_trials", blocks.MeasuredTrial),
        ("summaries/overview", summaries.Overview),
        ("summaries/blocks", summaries.BlockCompletion),
        ("queries/progress", summaries.BlockProgress),
        ("summaries/hours", summaries.BlockHours),
        ("summaries/cost", summaries.TrialCost),
        ("summaries/failures", summaries.SweepFailure),
        ("summaries/doubts", summaries.Doubt),
        ("summaries/metrics", summaries.Metric),
    ],
)
def test_the_fields_are_the_columns(store: Store, name: str, row_type: type) -> None:
    columns = store.query(SQL.filled(name, QUESTION)).columns
    assert columns == [field.name for field in fields(row_type)]


def test_a_table_cell_has_its_block_before_the_columns(store: Store) -> None:
    columns = store.query(SQL.filled("blocks/table", QUESTION)).columns
    assert ["block", *columns] == [field.name for field in fields(blocks.TableCell)]
