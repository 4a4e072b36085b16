"""What is tied with the best, over paired seeds."""

import math

from analysis.building import block_as_table, mark_ties
from analysis.feeding import Feed, feed
from analysis.grid import Table
from analysis.items import TableItem
from analysis.ties import contrasts, listing
from tests.analysis.test_building import complete
from tests.store.results_folder import Folder, trial


def table_of(source: Feed) -> Table:
    """Return the table of block `grid`."""
    return block_as_table(source, TableItem("test", "", "Test", "grid", "test.yaml"))


def test_pairing_finds_what_deviations_hide(folder: Folder) -> None:
    """CE is .01 above MAE in every seed, far less than seeds differ; SCE is as often above CE as below."""
    level = (0.5, 0.6, 0.7, 0.8)
    f1 = {
        "CE": level,
        "MAE": [value - 0.01 - 0.001 * (seed % 2) for seed, value in enumerate(level)],
        "SCE": [value - 0.005 + 0.02 * (-1) ** seed for seed, value in enumerate(level)],
    }
    trials = [trial(loss, seed) for loss in f1 for seed in range(4)]
    folder.manifest({"grid": trials}, seeds_asked=4)
    complete(folder, *((each, {"f1": f1[each.loss.name][each.seed]}) for each in trials))
    source = feed(folder.results)
    table = table_of(source)
    by_loss = {each.other: each for each in contrasts(source, table)}
    assert {name: each.tied for name, each in by_loss.items()} == {"MAE": False, "SCE": True}
    assert (round(by_loss["MAE"].difference, 4), by_loss["MAE"].seeds) == (0.0105, 4)
    assert by_loss["MAE"].low > 0 > by_loss["SCE"].low
    mark_ties(table, [each.config_id for each in by_loss.values() if each.tied])
    assert {name: cell.tied for name, cell in table.rows[0].cells.items()} == {
        "CE": False,
        "MAE": False,
        "SCE": True,
    }
    assert "| digits 0.2 | CE | MAE | 4 | +0.0105 [" in listing(table, list(by_loss.values())).markdown()


def test_without_common_seeds_nothing_is_told_apart(folder: Folder) -> None:
    trials = [trial("CE", 0), trial("MAE", 1)]
    folder.manifest({"grid": trials}, seeds_asked=1)
    complete(folder, (trials[0], {"f1": 0.9}), (trials[1], {"f1": 0.1}))
    source = feed(folder.results)
    (only,) = contrasts(source, table_of(source))
    assert (only.seeds, only.tied, math.isnan(only.p)) == (0, True, True)
