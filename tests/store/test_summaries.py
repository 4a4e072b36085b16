"""Overviews of sweeps and blocks, and SQL with its parameters filled in."""

from noisebench.store.query import query
from noisebench.store.statements import SQL
from noisebench.store.store import open_store
from noisebench.store.summaries import all_failures, block_progress, doubts, overview
from tests.store.results_folder import Folder, ended, started, trial, unsuccessful


def eventful(folder: Folder) -> None:
    """One trial completed, two failed with the same error, one started, one pending; one unreadable line."""
    trials = [trial(seed=seed) for seed in range(5)]
    folder.manifest({"grid": trials, "half": trials[:2]}, seeds_asked=5)
    gpu = {"device": "cuda:0 V100"}
    folder.journal(started(trials[0], "a", **gpu), ended(trials[0], "a", 20, seconds=3600.0))
    for each, attempt in zip(trials[1:3], "bc", strict=True):
        folder.journal(started(each, attempt), unsuccessful(each, attempt, traceback="here", seconds=1800.0))
    folder.journal(started(trials[3], "d"), b"torn {\n")


def test_an_overview_counts_each_trial_once(folder: Folder) -> None:
    eventful(folder)
    found = overview(open_store(folder.results))
    counts = {name: getattr(found, name) for name in ("trials", "completed", "failed", "started", "pending")}
    assert counts == {"trials": 5, "completed": 1, "failed": 2, "started": 1, "pending": 1}
    assert (found.gpu_hours, found.cpu_thread_hours) == (1.0, 1.0)
    assert (found.hardware, found.commits) == (["V100", "cpu"], ["abc"])
    assert [(row.block, row.trials, row.completed) for row in block_progress(open_store(folder.results))] == [
        ("grid", 5, 1),
        ("half", 2, 1),
    ]


def test_an_overview_of_an_empty_folder_is_all_zeros(folder: Folder) -> None:
    found = overview(open_store(folder.results))
    assert (found.trials, found.gpu_hours, found.commits, found.first_start) == (0, 0, [], None)


def test_a_failure_is_counted_once_a_sweep_with_one_traceback(folder: Folder) -> None:
    eventful(folder)
    (row,) = all_failures(open_store(folder.results))
    examples = [trial(seed=seed).trial_id for seed in (1, 2)]
    assert (row.trials, row.error, row.traceback) == (2, "boom", "here")
    assert row.example == min(examples)


def test_each_doubtful_result_has_an_example(folder: Folder) -> None:
    eventful(folder)
    each = trial(seed=9)
    folder.journal(started(each, "e"), ended(each, "e", result={"f1": 0.0, "guard": "flags-nothing"}))
    found = {doubt.what.partition(":")[0]: doubt for doubt in doubts(open_store(folder.results))}
    assert found["useless flags"].example == each.trial_id
    assert found["unreadable line"].times == 1


def test_sql_with_its_parameters_filled_in_runs(folder: Folder) -> None:
    eventful(folder)
    sql = SQL.filled("blocks/cell", {"sweep": "paper", "block": "it's", "metric": "f1"})
    assert "block = 'it''s'" in sql
    assert sql.count("$") == 1
    ((config,),) = query(folder.results, "SELECT config_id FROM runs").rows()
    known = {"sweep": "paper", "block": "grid", "metric": "f1", "config_id": config}
    assert query(folder.results, SQL.filled("blocks/cell", known)).rows() == [(0.9, None, 1)]
