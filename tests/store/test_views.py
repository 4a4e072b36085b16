"""Selection, ranking, aggregation in SQL, against numbers worked out by hand."""

import math
from dataclasses import replace
from typing import Any

import pytest

from noisebench.catalogue.component import Component
from noisebench.store.query import query
from noisebench.sweep.trial import Trial
from tests.store.results_folder import Folder, ended, started, trial


def complete(folder: Folder, *results: tuple[Trial, dict[str, Any]]) -> None:
    """Record a completed attempt for each trial with the given result."""
    for number, (each, result) in enumerate(results):
        folder.journal(started(each, f"{number}"), ended(each, f"{number}", result=result))


def rows(folder: Folder, sql: str) -> list[tuple[Any, ...]]:
    return query(folder.results, sql).rows()


def test_a_cell_is_mean_sample_deviation_and_n(folder: Folder) -> None:
    values = (0.5, 0.7, 0.9)
    complete(folder, *((trial(seed=seed), {"f1": f1}) for seed, f1 in enumerate(values)))
    ((mean, std, n),) = rows(folder, "SELECT mean, std, n FROM cells WHERE metric = 'f1'")
    assert mean == pytest.approx(0.7, abs=1e-15)
    assert std == pytest.approx(0.2, abs=1e-15)
    assert n == 3


def test_one_seed_has_no_deviation(folder: Folder) -> None:
    complete(folder, (trial(), {"f1": 0.5}))
    assert rows(folder, "SELECT metric, mean, std, n FROM cells ORDER BY metric") == [
        ("f1", 0.5, None, 1),
        ("seconds", 10.0, None, 1),
    ]


def test_missing_values_count_neither_in_mean_nor_n(folder: Folder) -> None:
    complete(
        folder, (trial(seed=0), {"f1": 0.5}), (trial(seed=1), {"f1": None}), (trial(seed=2), {"f1": math.nan})
    )
    assert rows(folder, "SELECT mean, n FROM cells WHERE metric = 'f1'") == [(0.5, 1)]


def test_views_accept_huge_values(folder: Folder) -> None:
    complete(folder, (trial(seed=0), {"threshold": 1e300}), (trial(seed=1), {"threshold": -1e300}))
    assert rows(folder, "SELECT mean FROM cells WHERE metric = 'threshold'") == []


def test_the_best_value_of_the_swept_parameter_is_chosen_for_each_metric(folder: Folder) -> None:
    low, high = trial("BL", gamma=0.1), trial("BL", gamma=0.9)
    folder.manifest({"table": [low, high, trial("CE")]})
    complete(
        folder,
        (low, {"f1": 0.9, "recall": 0.1, "seconds": 30.0}),
        (high, {"f1": 0.8, "recall": 0.2, "seconds": 20.0}),
        (trial("CE"), {"f1": 0.7, "recall": 0.3, "seconds": 10.0}),
    )
    found = rows(folder, "SELECT metric, loss, parameter, value, mean FROM best_cells ORDER BY metric, loss")
    assert found == [
        ("f1", "BL", "gamma", 0.1, 0.9),
        ("f1", "CE", None, None, 0.7),
        ("recall", "BL", "gamma", 0.9, 0.2),
        ("recall", "CE", None, None, 0.3),
        ("seconds", "BL", "gamma", 0.9, 20.0),
        ("seconds", "CE", None, None, 10.0),
    ]
    ranks = rows(folder, "SELECT metric, loss, rank FROM ranked_cells WHERE loss = 'CE' ORDER BY metric")
    assert ranks == [("f1", "CE", 2), ("recall", "CE", 1), ("seconds", "CE", 1)]


def test_of_equal_values_the_smallest_is_chosen(folder: Folder) -> None:
    trials = [trial("PZ", c=c) for c in (0.04, 0.02, 0.1)]
    folder.manifest({"table": trials})
    complete(folder, *((each, {"f1": f1}) for each, f1 in zip(trials, (0.9, 0.9, 0.8), strict=True)))
    assert rows(folder, "SELECT value FROM best_cells WHERE metric = 'f1'") == [(0.02,)]


def test_a_delay_makes_another_family(folder: Folder) -> None:
    trials = [trial("PZ", c=c, delay=delay) for c in (0.02, 0.04) for delay in (0, 1)]
    folder.manifest({"table": trials})
    complete(folder, *((each, {"f1": 0.5 + index / 10}) for index, each in enumerate(trials)))
    found = rows(folder, "SELECT delay, value, mean FROM best_cells WHERE metric = 'f1' ORDER BY delay")
    assert found == [(0, 0.04, 0.7), (1, 0.04, 0.8)]


@pytest.mark.slow
def test_a_rank_is_among_the_losses_of_one_setting(folder: Folder) -> None:
    trials = [trial(loss, eta=eta) for eta in (0.2, 0.4) for loss in ("CE", "ANL-CE")]
    folder.manifest({"table": trials})
    complete(folder, *((each, {"f1": f1}) for each, f1 in zip(trials, (0.9, 0.8, 0.3, 0.4), strict=True)))
    found = rows(folder, "SELECT eta, loss, rank FROM ranked_cells WHERE metric = 'f1' ORDER BY eta, loss")
    assert found == [(0.2, "ANL-CE", 2), (0.2, "CE", 1), (0.4, "ANL-CE", 1), (0.4, "CE", 2)]


@pytest.mark.slow
def test_means_that_print_the_same_share_a_rank(folder: Folder) -> None:
    values = {"CE": 0.96349, "GCE": 0.96251, "FL": 0.9624, "ANL-CE": 0.9}
    trials = {loss: trial(loss) for loss in values}
    folder.manifest({"table": list(trials.values())})
    complete(folder, *((trials[loss], {"f1": f1}) for loss, f1 in values.items()))
    found = dict(rows(folder, "SELECT loss, rank FROM ranked_cells WHERE metric = 'f1'"))
    assert found == {"CE": 1, "GCE": 1, "FL": 2, "ANL-CE": 3}


def test_one_loss_alone_is_the_best(folder: Folder) -> None:
    folder.manifest({"table": [trial()]})
    complete(folder, (trial(), {"f1": 0.1}))
    assert rows(folder, "SELECT rank FROM ranked_cells WHERE metric = 'f1'") == [(1,)]


@pytest.mark.slow
def test_a_block_reads_its_own_trials_alone(folder: Folder) -> None:
    """The same trials in two sweeps; a parameter swept in one block, fixed in another; fewer seeds."""
    swept = [trial("GCE", seed, q=q) for q in (0.3, 0.7) for seed in (0, 1)]
    folder.manifest({"swept": swept, "fixed": [each for each in swept if each.loss["q"] == 0.3]})
    folder.manifest({"one seed": swept[:1]}, seeds_asked=1, sweep="other")
    complete(folder, *((each, {"f1": f1}) for each, f1 in zip(swept, (0.5, 0.6, 0.8, 0.9), strict=True)))
    columns = "sweep, block, value, round(mean, 9), n, seeds_asked"
    found = rows(folder, f"SELECT {columns} FROM best_cells WHERE metric = 'f1' ORDER BY sweep, block")
    assert found == [
        ("other", "one seed", 0.3, 0.5, 1, 1),
        ("paper", "fixed", 0.3, 0.55, 2, 2),
        ("paper", "swept", 0.7, 0.85, 2, 2),
    ]
    assert rows(folder, "SELECT value, n FROM cells WHERE metric = 'f1' ORDER BY value") == [
        (0.3, 2),
        (0.7, 2),
    ]
    assert rows(folder, "SELECT count(*) FROM runs") == [(4,)]


@pytest.mark.slow
def test_every_number_of_results_is_a_metric(folder: Folder) -> None:
    sql = """
        SELECT column_name FROM duckdb_columns() WHERE table_name = 'results'
            AND data_type IN ('DOUBLE', 'BIGINT')
    """
    assert sorted(rows(folder, sql)) == sorted(rows(folder, "SELECT name FROM metrics"))


def test_a_subset_of_a_data_set_is_named(folder: Folder) -> None:
    subset = replace(trial(), dataset=Component.of("MNIST", samples=3000), corruption=Component.of("human"))
    complete(folder, (subset, {"f1": 0.5}))
    assert rows(folder, "SELECT dataset, corruption, eta FROM trials") == [("MNIST:3000", "human", None)]


@pytest.mark.slow
def test_rankings_have_cells_and_old_records_have_none(folder: Folder) -> None:
    told = {"f1": 0.5, "auroc": 0.75, "average_precision": 0.25, "knows_rate": True}
    complete(folder, (trial(seed=0), {"f1": 0.5}), (trial(seed=1), told))
    sql = "SELECT metric, mean, n FROM cells WHERE metric IN ('auroc', 'average_precision') ORDER BY metric"
    assert rows(folder, sql) == [("auroc", 0.75, 1), ("average_precision", 0.25, 1)]
    sql = "SELECT auroc, knows_rate FROM runs ORDER BY seed"
    assert rows(folder, sql) == [(None, None), (0.75, True)]
