"""A free actor gets a trial that no other actor is being started for."""

import inspect
from types import SimpleNamespace

from ray.tune.execution.tune_controller import TuneController
from ray.tune.experiment import Trial

from noisebench.engine.scheduler import NewcomerScheduler


def chosen(status: dict[str, str], with_actor: set[str]) -> str | None:
    trials = {name: SimpleNamespace(name=name, status=state) for name, state in status.items()}
    controller = SimpleNamespace(
        _trial_to_actor=[trials[name] for name in with_actor], get_live_trials=lambda: trials.values()
    )
    found = NewcomerScheduler().choose_trial_to_run(controller)
    return found and found.name


def test_a_trial_without_an_actor_is_chosen() -> None:
    status = {"runs": Trial.RUNNING, "starts": Trial.PENDING, "waits": Trial.PENDING}
    assert chosen(status, with_actor={"runs", "starts"}) == "waits"


def test_no_trial_loses_the_actor_that_is_being_started_for_it() -> None:
    status = {"runs": Trial.RUNNING, "starts": Trial.PENDING}
    assert chosen(status, with_actor={"runs", "starts"}) is None


def test_tune_still_keeps_its_books_so() -> None:
    source = inspect.getsource(TuneController)
    assert "self._trial_to_actor[trial] = " in source
    assert callable(TuneController.get_live_trials)
