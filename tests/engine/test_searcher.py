"""The searcher's suggestions to Tune, and its handling of Tune's results."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from ray.exceptions import RayActorError
from ray.tune.experiment import Trial

from noisebench.engine.places import places_of
from noisebench.engine.progress import Progress
from noisebench.engine.queue import TrialQueue
from noisebench.engine.searcher import DECLINED, QueueSearcher
from noisebench.engine.tune import TUNE_ENVIRONMENT
from noisebench.records.folders import ResultsFolder
from tests.trials import sweep_of

COMPLETED = {"status": "completed", "error_kind": None, "error": None}


def searcher_of(
    tmp_path: Path, seeds: int, machines: Callable[[], int] = lambda: 1
) -> tuple[QueueSearcher, TrialQueue]:
    trials = sweep_of(seeds=str(seeds)).trials()
    queue = TrialQueue(trials, ResultsFolder(tmp_path).sweep("test"), Progress(seeds, 0, 0, seeds))
    places = replace(places_of(2, 0, {}, ["small-cnn"], max_machines=9), machines=machines)
    return QueueSearcher(queue, places), queue


def test_the_searcher_suggests_every_trial_once(tmp_path: Path) -> None:
    searcher, queue = searcher_of(tmp_path, 2)
    first, second = searcher.suggest("a"), searcher.suggest("b")
    assert (first["part"], first["trial"]["seed"], second["trial"]["seed"]) == (0.5, 0, 1)
    assert searcher.suggest("c") is None
    searcher.on_trial_complete("a", {"status": "failed", "error_kind": "exception", "error": "broken"})
    assert searcher.suggest("c") is None
    assert not searcher.is_done
    searcher.on_trial_complete("b", COMPLETED)
    assert searcher.is_done
    assert searcher.suggest("d") == searcher.FINISHED
    assert (queue.progress.completed, queue.progress.failed, queue.progress.running) == (1, 1, 0)


def test_a_declined_trial_waits_and_the_place_of_its_actor_stays_taken(tmp_path: Path) -> None:
    searcher, queue = searcher_of(tmp_path, 3)
    first, _ = searcher.suggest("a"), searcher.suggest("b")
    searcher.on_trial_result("a", {"status": DECLINED})
    assert (queue.waiting, queue.live) == (2, 1)
    assert searcher.suggest("c") is None  # the leaving node gets no trial
    searcher.on_trial_result("a", {"status": DECLINED})
    assert (queue.waiting, queue.live) == (2, 1)
    searcher.on_trial_complete("b", COMPLETED)
    again = searcher.suggest("c")
    assert again["trial"] == first["trial"]
    assert again["attempt"] != first["attempt"]
    searcher.on_trial_complete("a", error=True)  # its node has left
    assert (queue.waiting, queue.live) == (1, 1)


def test_tune_does_not_repeat_a_trial_whose_node_has_drained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in TUNE_ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    trial = Trial("actor", stub=True, max_failures=0)
    trial._handle_ray_actor_error(RayActorError(preempted=True))
    assert not trial.should_recover(), "Tune would repeat it under the same attempt id"
    searcher, queue = searcher_of(tmp_path, 1)
    first = searcher.suggest("a")
    searcher.on_trial_complete("a", error=True)
    second = searcher.suggest("b")
    assert (second["trial"], second["attempt"] == first["attempt"]) == (first["trial"], False)
    searcher.on_trial_complete("b", COMPLETED)
    assert (queue.progress.completed, queue.live, queue.waiting) == (1, 0, 0)


def test_live_trials_are_limited_to_the_places_of_the_live_machines(tmp_path: Path) -> None:
    machines = 1
    searcher, _ = searcher_of(tmp_path, 8, lambda: machines)
    assert [searcher.suggest(name) is None for name in "abc"] == [False, False, True]
    machines = 2
    assert [searcher.suggest(name) is None for name in "cde"] == [False, False, True]


def test_one_trial_is_suggested_even_without_a_machine(tmp_path: Path) -> None:
    searcher, _ = searcher_of(tmp_path, 2, lambda: 0)
    assert searcher.suggest("a") is not None
    assert searcher.suggest("b") is None
