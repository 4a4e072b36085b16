"""States of sweeps and trials, derived from their records."""

import json
from dataclasses import asdict

import pytest

from noisebench.errors import InputError
from noisebench.store import states
from noisebench.store.blocks import sweep_tables
from noisebench.store.states import FailureGroup
from noisebench.store.store import open_store
from tests.store.results_folder import Folder, ended, started, trial, unsuccessful

COMPLETED, FAILED, INTERRUPTED, RUNNING, STALE, PENDING, ELSEWHERE = (trial(seed=seed) for seed in range(7))


@pytest.fixture
def sweep(folder: Folder) -> Folder:
    """A sweep with one trial in each state."""
    folder.manifest(
        {"table": [COMPLETED, FAILED, INTERRUPTED, RUNNING, STALE, PENDING], "again": [COMPLETED, ELSEWHERE]}
    )
    folder.journal(
        *(started(COMPLETED, "a0"), unsuccessful(COMPLETED, "a0", status="interrupted")),
        *(
            started(COMPLETED, "a1", at=20, device="cuda:0 NVIDIA V100"),
            ended(COMPLETED, "a1", at=30, seconds=1800.0),
        ),
        *(started(COMPLETED, "a2", at=40), unsuccessful(COMPLETED, "a2", at=50)),
        *(started(FAILED, "b0"), unsuccessful(FAILED, "b0", status="interrupted")),
        *(
            started(FAILED, "b1", at=20),
            unsuccessful(FAILED, "b1", at=30, error_kind="diverged", error="no loss"),
        ),
        *(started(INTERRUPTED, "c0"), unsuccessful(INTERRUPTED, "c0")),
        *(started(INTERRUPTED, "c1", at=20), unsuccessful(INTERRUPTED, "c1", at=30, status="interrupted")),
        *(started(RUNNING, "d0"), unsuccessful(RUNNING, "d0")),
        *(started(RUNNING, "d1", at=20, worker="fresh"), started(STALE, "e0", at=10, worker="stale")),
    )
    folder.journal(
        started(ELSEWHERE, "f0", sweep="other"), ended(ELSEWHERE, "f0", sweep="other"), sweep="other"
    )
    return folder


@pytest.mark.slow
def test_the_state_of_a_trial_follows_from_its_records(sweep: Folder) -> None:
    expected = {
        COMPLETED: "completed",
        FAILED: "failed",
        INTERRUPTED: "interrupted",
        RUNNING: "started",
        STALE: "started",
        PENDING: "pending",
        ELSEWHERE: "completed",
    }
    by_id = {each.trial_id: state for each, state in expected.items()}
    assert states.trial_states(open_store(sweep.results), "paper") == by_id
    assert states.trial_states(open_store(sweep.results), "unheard of") == {}
    unknown = "0" * 16
    assert states.states_of(open_store(sweep.results), [*by_id, unknown]) == {**by_id, unknown: "pending"}
    assert states.states_of(open_store(sweep.results), []) == {}


def test_unended_attempts_are_those_of_the_sweep(sweep: Folder) -> None:
    found = states.unended_attempts(open_store(sweep.results), "paper")
    assert [(each.attempt_id, each.trial_id, each.worker) for each in found] == [
        ("e0", STALE.trial_id, "stale"),
        ("d1", RUNNING.trial_id, "fresh"),
    ]
    assert states.unended_attempts(open_store(sweep.results), "other") == []


@pytest.mark.slow
def test_progress_counts_each_trial_once(sweep: Folder) -> None:
    progress = asdict(states.sweep_progress(open_store(sweep.results), "paper", ["fresh"]))
    hours = progress.pop("device_hours")
    assert progress == {
        "total": 7,
        "completed": 2,
        "running": 1,
        "failed": 1,
        "pending": 3,
        "failures": {"diverged": 1},
        "gpu_hours": 0.5,
        "guards": {},
        "rate_per_hour": None,
        "eta_seconds": None,
    }
    assert hours == pytest.approx((1800 + 7 * 10) / 3600)
    assert states.sweep_progress(open_store(sweep.results), "paper", []).running == 0


def test_progress_of_an_unknown_sweep_is_all_zeros(folder: Folder) -> None:
    progress = states.sweep_progress(open_store(folder.results), "unheard of", [])
    assert progress.total == progress.pending == progress.gpu_hours == 0
    assert progress.failures == {}


def test_failures_are_grouped(folder: Folder) -> None:
    trials = [trial(seed=seed) for seed in range(4)]
    folder.manifest({"table": trials, "again": trials})
    errors = ("boom", "bang", "boom")
    for number, (each, error) in enumerate(zip(trials, errors, strict=False)):
        folder.journal(started(each, f"{number}"), unsuccessful(each, f"{number}", error=error))
    example = min(trials[0].trial_id, trials[2].trial_id)
    assert states.failures(open_store(folder.results), "paper") == [
        FailureGroup("exception", "boom", 2, example),
        FailureGroup("exception", "bang", 1, trials[1].trial_id),
    ]


@pytest.mark.slow
def test_a_table_has_every_cell_that_was_asked_for_in_its_order(folder: Folder) -> None:
    bl = [trial("BL", gamma=gamma) for gamma in (0.9, 0.1)]
    folder.manifest({"second": [trial("PZ", c=0.1), trial("CE")], "first": [*bl, trial("CE")]}, seeds_asked=5)
    for number, (each, f1) in enumerate([(bl[0], 0.7), (bl[1], 0.9), (trial("CE"), 0.8)]):
        folder.journal(started(each, f"{number}"), ended(each, f"{number}", f1=f1))
    cells = sweep_tables(open_store(folder.results), "paper", "f1")
    keys = ("block", "loss", "parameter", "value", "mean", "n", "seeds_asked", "rank")
    assert [tuple(getattr(cell, key) for key in keys) for cell in cells] == [
        ("second", "PZ", "c", None, None, 0, 5, None),
        ("second", "CE", None, None, 0.8, 1, 5, 1),
        ("first", "BL", "gamma", 0.1, 0.9, 1, 5, 1),
        ("first", "CE", None, None, 0.8, 1, 5, 2),
    ]
    parameters = [json.loads(cell.loss_parameters) for cell in cells]
    assert (parameters[0], parameters[2]["gamma"]) == ({"c": 0.1}, 0.1)
    with pytest.raises(
        InputError, match="no table can be made of metric 'samples'; known: precision, recall, f1"
    ):
        sweep_tables(open_store(folder.results), "paper", "samples")


def test_a_trials_record_is_found_by_the_start_of_its_id(sweep: Folder) -> None:
    record = states.trial_record(open_store(sweep.results), COMPLETED.trial_id[:9])
    assert record.trial_id == COMPLETED.trial_id
    assert record.state == "completed"
    assert record.config == COMPLETED.as_fields()
    assert [attempt.attempt_id for attempt in record.attempts] == ["a0", "a1", "a2"]
    assert record.result is not None
    assert (record.result["attempt_id"], record.result["f1"]) == ("a1", 0.9)
    pending = states.trial_record(open_store(sweep.results), PENDING.trial_id)
    assert (pending.state, pending.attempts, pending.result) == ("pending", [], None)


def test_a_prefix_of_none_or_several_trials_is_refused(sweep: Folder) -> None:
    with pytest.raises(InputError, match="has an id that starts with 'xyz'"):
        states.trial_record(open_store(sweep.results), "xyz")
    with pytest.raises(InputError, match=r"several trials start with ''.*give more digits"):
        states.trial_record(open_store(sweep.results), "")


def test_a_trial_with_only_an_end_has_no_configuration(folder: Folder) -> None:
    folder.journal(ended(trial(), "a"))
    record = states.trial_record(open_store(folder.results), trial().trial_id)
    assert (record.state, record.config) == ("completed", None)
