"""Tables of small results folders, one for each special case."""

import math
from dataclasses import replace
from typing import Any

import pytest

from analysis.building import block_as_table, other_tables, paper_table
from analysis.feeding import Feed, feed
from analysis.formats import csv_text, html_table, markdown
from analysis.grid import Cell, Table
from analysis.items import EQUAL_TUNING, TABLES, TableItem
from noisebench.catalogue.component import Component
from noisebench.sweep.trial import Trial
from tests.store.results_folder import Folder, ended, started, trial


def complete(folder: Folder, *results: tuple[Trial, dict[str, Any]], **changes: Any) -> None:
    """Record a completed attempt for each trial, started with `changes`."""
    for each, result in results:
        folder.journal(started(each, each.trial_id, **changes), ended(each, each.trial_id, result=result))


def table_of(folder: Folder, metric: str = "f1", block: str = "grid", sweep: str | None = None) -> Table:
    """Return the table of one block."""
    item = TableItem("test", "", "Test", block, "test.yaml", metric)
    return block_as_table(feed(folder.results, sweep), item)


def only_row(table: Table) -> dict[str, Cell]:
    """Return the cells of a table's single row."""
    (row,) = table.rows
    return row.cells


@pytest.mark.slow
def test_where_lower_is_better_the_lowest_is_best_and_chosen(folder: Folder) -> None:
    fast, slow, ce = trial("BL", gamma=0.1), trial("BL", gamma=0.9), trial()
    folder.manifest({"grid": [ce, fast, slow]}, seeds_asked=1)
    complete(folder, (ce, {"seconds": 3.0}), (fast, {"seconds": 1.0}), (slow, {"seconds": 5.0}))
    cells = only_row(table_of(folder, "seconds"))
    assert (cells["BL"].value, cells["BL"].rank, cells["CE"].rank) == (0.1, 1, 2)


@pytest.mark.slow
def test_means_equal_at_the_printed_digits_share_the_mark(folder: Folder) -> None:
    values = {"CE": 0.96349, "MAE": 0.9631, "SCE": 0.9624, "NCE+MAE": 0.9}
    trials = {loss: trial(loss) for loss in values}
    folder.manifest({"grid": trials.values()}, seeds_asked=1)
    complete(folder, *((trials[loss], {"f1": f1}) for loss, f1 in values.items()))
    cells = only_row(table_of(folder))
    assert {loss: cell.rank for loss, cell in cells.items()} == {"CE": 1, "MAE": 1, "SCE": 2, "NCE+MAE": 3}
    text = markdown(table_of(folder))
    assert "| **<u>0.963</u>** | **<u>0.963</u>** | **0.962** | 0.900 |" in text


@pytest.mark.slow
def test_one_seed_has_no_deviation_and_says_so(folder: Folder) -> None:
    folder.manifest({"grid": [trial(seed=seed) for seed in (0, 1, 2)]}, seeds_asked=3)
    complete(folder, (trial(), {"f1": 0.5}))
    cell = only_row(table_of(folder))["CE"]
    assert (cell.std, cell.n, cell.warnings) == (None, 1, ["n=1 of 3"])
    assert "**<u>0.500</u>** (n=1 of 3)" in markdown(table_of(folder))


@pytest.mark.slow
def test_nan_is_no_seed(folder: Folder) -> None:
    folder.manifest({"grid": [trial(seed=0), trial(seed=1)]})
    complete(folder, (trial(seed=0), {"f1": 0.5}), (trial(seed=1), {"f1": math.nan}))
    cell = only_row(table_of(folder))["CE"]
    assert (cell.mean, cell.n, cell.warnings) == (0.5, 1, ["n=1 of 2"])


@pytest.mark.slow
def test_a_cell_of_nan_alone_is_missing(folder: Folder) -> None:
    folder.manifest({"grid": [trial(), trial("MAE")]}, seeds_asked=1)
    complete(folder, (trial(), {"f1": math.nan}), (trial("MAE"), {"f1": 0.5}))
    cells = only_row(table_of(folder))
    assert (cells["CE"].n, cells["CE"].mean, cells["CE"].rank, cells["MAE"].rank) == (0, None, None, 1)


@pytest.mark.slow
def test_a_loss_without_parameter_stands_beside_swept_ones(folder: Folder) -> None:
    trials = [trial("CE"), *(trial("PZ", c=c) for c in (0.02, 0.04))]
    folder.manifest({"grid": trials}, seeds_asked=1)
    complete(folder, *((each, {"f1": 0.5}) for each in trials))
    cells = only_row(table_of(folder))
    assert (cells["CE"].parameter, cells["CE"].value, cells["CE"].chosen) == (None, None, ())
    assert (cells["PZ"].parameter, cells["PZ"].chosen) == (
        "c",
        ("c=0.02",),
    )  # of equally good ones the smallest
    assert "\ndigits,0.2,CE,f1,,,0,0.5,,1,1,1,False,,abc,cpu," in csv_text(table_of(folder))


@pytest.mark.slow
def test_a_loss_without_results_stays_as_a_missing_cell(folder: Folder) -> None:
    folder.manifest({"grid": [trial(), trial("GCE", q=0.7)]}, seeds_asked=1)
    complete(folder, (trial(), {"f1": 0.5}))
    table = table_of(folder)
    assert (table.missing, only_row(table)["GCE"].n) == (1, 0)
    assert "| **<u>0.500</u>** | – |" in markdown(table)
    assert "1 cell is missing" in markdown(table)
    assert '<td class="missing">–</td>' in html_table(table)
    assert ",GCE,f1,q,,0,,,0,1,,False,,,," in csv_text(table)


@pytest.mark.slow
def test_a_parameter_swept_here_and_fixed_there(folder: Folder) -> None:
    swept = [trial("GCE", seed, q=q) for q in (0.3, 0.7) for seed in (0, 1)]
    folder.manifest({"swept": swept, "fixed": [each for each in swept if each.loss["q"] == 0.3]})
    complete(folder, *((each, {"f1": f1}) for each, f1 in zip(swept, (0.5, 0.6, 0.8, 0.9), strict=True)))
    chosen = only_row(table_of(folder, block="swept"))["GCE"]
    fixed = only_row(table_of(folder, block="fixed"))["GCE"]
    assert (chosen.value, chosen.chosen) == (0.7, ("q=0.7",))
    assert (fixed.value, fixed.chosen) == (0.3, ())


@pytest.mark.slow
def test_the_same_trial_in_two_sweeps_is_counted_for_each(folder: Folder) -> None:
    trials = [trial(seed=seed) for seed in (0, 1)]
    folder.manifest({"grid": trials})
    folder.manifest({"grid": trials[:1]}, seeds_asked=1, sweep="other")
    complete(folder, (trials[0], {"f1": 0.5}), (trials[1], {"f1": 0.7}))
    assert only_row(table_of(folder))["CE"].n == 2  # the fuller sweep feeds the block
    other = only_row(table_of(folder, sweep="other"))["CE"]
    assert (other.n, other.warnings) == (1, [])


def test_mixed_commits_and_hardware_are_marked(folder: Folder) -> None:
    trials = [trial(seed=seed) for seed in range(4)]
    folder.manifest({"grid": trials}, seeds_asked=4)
    v100, h200 = ("cuda:0 V100", "cuda:1 H200")
    complete(folder, (trials[0], {"f1": 0.5}), device=v100)
    complete(folder, (trials[1], {"f1": 0.6}), device=v100.replace("0 ", "3 "))
    complete(folder, (trials[2], {"f1": 0.6}), device=h200)
    complete(folder, (trials[3], {"f1": 0.6}), device=h200, commit="def")
    cell = only_row(table_of(folder))["CE"]
    assert (cell.hardware, cell.commits) == (("H200", "V100"), ("abc", "def"))
    assert "(2 commits, 2 kinds of hardware)" in markdown(table_of(folder))


@pytest.mark.slow
def test_a_whole_cell_among_partial_ones_has_its_n_too(folder: Folder) -> None:
    trials = [trial(loss, seed) for loss in ("CE", "MAE", "SCE") for seed in (0, 1)]
    folder.manifest({"grid": trials})
    done = [each for each in trials if each.seed == 0 or each.loss.name == "CE"]
    complete(folder, *((each, {"f1": 0.5}) for each in done))
    text = markdown(table_of(folder))
    assert "n = 1 where no other n is given" in text
    assert "0.500 ± 0.000</u>** (n=2) | **<u>0.500</u>** (n=1 of 2)" in text


def test_delays_of_a_loss_are_columns_of_their_own(folder: Folder) -> None:
    trials = [trial("PZ", c=c, delay=delay) for c in (0.02, 0.04) for delay in (0, 1)]
    folder.manifest({"grid": trials}, seeds_asked=1)
    complete(folder, *((each, {"f1": 0.5 + index / 10}) for index, each in enumerate(trials)))
    cells = only_row(table_of(folder))
    assert {name: cell.value for name, cell in cells.items()} == {"PZ, delay 0": 0.04, "PZ, delay 1": 0.04}


def test_forms_of_a_loss_are_columns_of_their_own(folder: Folder) -> None:
    forms = [trial("BL", gamma=gamma, form=form) for form in ("detached", "printed") for gamma in (0.1, 0.4)]
    folder.manifest({"grid": forms}, seeds_asked=1)
    complete(folder, *((each, {"f1": 0.5 + index / 10}) for index, each in enumerate(forms)))
    cells = only_row(table_of(folder))
    assert {name: (cell.mean, cell.chosen) for name, cell in cells.items()} == {
        "BL, form detached": (0.6, ("gamma=0.4",)),
        "BL, form printed": (0.8, ("gamma=0.4",)),
    }


@pytest.mark.slow
def test_an_unusual_form_is_named_even_where_it_stands_alone(folder: Folder) -> None:
    usual, other = trial("BL", gamma=0.4, form="detached"), trial("BL", gamma=0.4, form="printed", eta=0.4)
    folder.manifest({"both": [usual, other], "one": [other], "plain": [usual]}, seeds_asked=1)
    assert table_of(folder, block="both").columns == ["BL, form detached", "BL, form printed"]
    assert table_of(folder, block="one").columns == ["BL, form printed"]
    assert table_of(folder, block="plain").columns == ["BL"]


@pytest.mark.slow
def test_a_chosen_delay_never_mixes_forms(folder: Folder) -> None:
    trials = [
        trial("BL", gamma=0.4, form=form, delay=delay) for form in ("detached", "printed") for delay in (0, 2)
    ]
    folder.manifest({"grid": trials}, seeds_asked=1)
    complete(folder, *((each, {"f1": 0.5 + index / 10}) for index, each in enumerate(trials)))
    item = TableItem("test", "", "Test", "grid", "test.yaml", over="delays")
    cells = only_row(block_as_table(feed(folder.results), item))
    assert {name: (cell.mean, cell.chosen) for name, cell in cells.items()} == {
        "BL, form detached": (0.6, ("delay=2",)),
        "BL, form printed": (0.8, ("delay=2",)),
    }


@pytest.mark.slow
def test_a_users_loss_is_named_with_its_parameters(folder: Folder) -> None:
    users_loss = [trial("mine:loss", source="ab", cutoff=cutoff) for cutoff in (0.1, 0.2)]
    folder.manifest({"grid": [*users_loss, trial()]}, seeds_asked=1)
    assert table_of(folder).columns == ["CE", "mine:loss, cutoff 0.1", "mine:loss, cutoff 0.2"]


@pytest.mark.slow
def test_equal_tuning_chooses_on_other_seeds_than_it_reports(folder: Folder) -> None:
    """By `choose` alpha 1, beta 5 and gamma .1 are best; `report` would have chosen otherwise."""
    anl = {
        (alpha, beta): trial("ANL-CE", alpha=alpha, beta=beta, delta=1e-6)
        for alpha in (1.0, 5.0)
        for beta in (1.0, 5.0)
    }
    bl = {gamma: trial("BL", gamma=gamma, form="detached") for gamma in (0.1, 0.4)}
    chosen_by = {
        anl[1.0, 1.0]: 0.5,
        anl[1.0, 5.0]: 0.9,
        anl[5.0, 1.0]: 0.6,
        anl[5.0, 5.0]: 0.7,
        bl[0.1]: 0.8,
        bl[0.4]: 0.7,
    }
    measured = {each: 1.0 - f1 for each, f1 in chosen_by.items()}
    choose = {replace(each, seed=20): f1 for each, f1 in chosen_by.items()}
    folder.manifest({"choose": choose, "report": measured}, seeds_asked=1)
    complete(folder, *((each, {"f1": f1}) for each, f1 in (choose | measured).items()))
    names = {table.name: table for table in other_tables(feed(folder.results))}
    table = names["paper-report"]
    assert table.title.startswith("Equal tuning")
    assert {
        name: (round(cell.mean or 0, 9), cell.chosen, cell.rank) for name, cell in only_row(table).items()
    } == {
        "ANL-CE": (0.1, ("alpha=1", "beta=5"), 2),
        "BL": (0.2, ("gamma=0.1",), 1),
    }
    assert ",ANL-CE,f1,,,0,0.09999999999999998,,1,1,2,False,alpha=1 beta=5,abc" in csv_text(table)


@pytest.mark.slow
def test_what_was_chosen_but_not_reported_is_missing(folder: Folder) -> None:
    chosen = trial("BL", 20, gamma=0.1, form="detached")
    folder.manifest({"choose": [chosen], "report": [replace(chosen, seed=0)]}, seeds_asked=1)
    complete(folder, (chosen, {"f1": 0.9}))
    (table,) = (table for table in other_tables(feed(folder.results)) if table.block == "choose")
    assert table.missing == 0
    report = block_as_table(feed(folder.results), replace(EQUAL_TUNING, name="report"))
    assert (report.missing, only_row(report)["BL"].n) == (1, 0)


def test_parameters_that_follow_the_data_make_no_columns(folder: Folder) -> None:
    digits = trial("ANL-CE", alpha=1.0, beta=1.0, delta=1e-6)
    cifar = replace(trial("ANL-CE", alpha=5.0, beta=5.0, delta=5e-5), dataset=Component.of("CIFAR-10"))
    folder.manifest({"grid": [digits, cifar]}, seeds_asked=1)
    assert table_of(folder).columns == ["ANL-CE"]


def test_settings_that_differ_elsewhere_are_told_apart(folder: Folder) -> None:
    slow = replace(trial(), training=replace(trial().training, learning_rate=1e-4))
    folder.manifest({"grid": [trial(), slow]}, seeds_asked=1)
    table = table_of(folder)
    assert table.heads == ("data set", "eta", "setting")
    assert [row.labels[2] for row in table.rows] == ["learning_rate 0.001", "learning_rate 0.0001"]


@pytest.mark.slow
def test_blocks_of_no_paper_have_tables_too(folder: Folder) -> None:
    folder.manifest({"grid": [trial()], "empty": [trial("MAE")], "table1": [trial()]}, seeds_asked=1)
    complete(folder, (trial(), {"f1": 0.5}))
    assert [table.name for table in other_tables(feed(folder.results))] == ["paper-grid"]


@pytest.mark.slow
def test_blocks_of_the_same_name_have_a_table_for_each_sweep(folder: Folder) -> None:
    for sweep in ("first", "second"):
        folder.manifest({"grid": [trial()]}, seeds_asked=1, sweep=sweep)
    complete(folder, (trial(), {"f1": 0.5}))
    tables = other_tables(feed(folder.results))
    assert [(table.name, only_row(table)["CE"].n) for table in tables] == [
        ("first-grid", 1),
        ("second-grid", 1),
    ]
    assert [table.name for table in other_tables(feed(folder.results, "second"))] == ["second-grid"]


def test_rows_that_no_paper_prints_stand_in_its_table_as_well(folder: Folder) -> None:
    folder.manifest({"table1": [trial()]}, seeds_asked=1)
    complete(folder, (trial(), {"f1": 0.5}))
    table = paper_table(feed(folder.results), TABLES[0])
    assert [row.labels for row in table.rows][:2] == [("digits", "0.2"), ("MNIST", "0.1")]
    assert (len(table.rows), table.missing) == (17, 17 * 7 - 1)


@pytest.mark.slow
def test_the_caption_names_fewer_seeds_than_the_papers(folder: Folder) -> None:
    """As with mnist-rows, which asks for 3 seeds where Table 1 has 20."""
    mnist = [replace(trial(seed=seed), dataset=Component.of("MNIST", samples=None)) for seed in range(3)]
    folder.manifest({"table1": mnist}, seeds_asked=3)
    complete(folder, *((each, {"f1": 0.5}) for each in mnist))
    source = feed(folder.results)
    assert "n = 3 of the published 20 where no other n is given" in markdown(paper_table(source, TABLES[0]))


@pytest.mark.slow
def test_rows_stand_in_the_printed_order(source: Feed) -> None:
    (table4,) = (item for item in TABLES if item.name == "table4")
    labels = [row.labels[0] for row in paper_table(source, table4).rows]
    assert labels == ["CIFAR-10N-aggregate", "CIFAR-100N", "CIFAR-10N-worst"]
