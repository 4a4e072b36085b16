"""A free actor gets a trial for which no other actor is being started."""

import inspect
from dataclasses import dataclass
from types import SimpleNamespace

from ray.tune.execution.tune_controller import TuneController
from ray.tune.experiment import Trial

from noisebench.engine.scheduler import _ENDED_TRIALS_KEPT, TUNE_TRIAL_ATTRIBUTES, QueueScheduler


class Controller:
    """The attributes of Tune's controller that hold trials."""

    def __init__(self) -> None:
        self._trials: list[Ended] = []
        self._stopped_trials: set[Ended] = set()
        self._failed_trials: set[Ended] = set()
        self._trials_to_cache: set[Ended] = set()
        self._trial_metadata: dict[str, str] = {}
        self._trial_to_actor: dict[Ended, str] = {}


@dataclass(eq=False)
class Ended:
    """A trial without folders."""

    trial_id: str
    finished: bool = True
    local_path: str | None = None
    path: str | None = None

    def is_finished(self) -> bool:
        return self.finished


def chosen(status: dict[str, str], with_actor: set[str]) -> str | None:
    trials = {name: SimpleNamespace(name=name, status=state) for name, state in status.items()}
    controller = SimpleNamespace(
        _trial_to_actor=[trials[name] for name in with_actor], get_live_trials=lambda: trials.values()
    )
    trial = QueueScheduler().choose_trial_to_run(controller)
    return trial and trial.name


def test_a_trial_without_an_actor_is_chosen() -> None:
    status = {"runs": Trial.RUNNING, "starts": Trial.PENDING, "waits": Trial.PENDING}
    assert chosen(status, with_actor={"runs", "starts"}) == "waits"


def test_a_trial_keeps_the_actor_that_is_being_started_for_it() -> None:
    status = {"runs": Trial.RUNNING, "starts": Trial.PENDING}
    assert chosen(status, with_actor={"runs", "starts"}) is None


def test_tunes_controller_has_the_attributes_that_are_used() -> None:
    source = inspect.getsource(TuneController)
    assert "self._trial_to_actor[trial] = " in source
    assert callable(TuneController.get_live_trials)
    assert [name for name in TUNE_TRIAL_ATTRIBUTES if f"self.{name}: " not in source] == []


def test_a_restarted_trial_is_kept() -> None:
    controller = Controller()
    scheduler = QueueScheduler()
    again, *others = (Ended(str(number)) for number in range(_ENDED_TRIALS_KEPT + 3))
    controller._trials = [again, *others]
    scheduler.on_trial_error(controller, again)  # type: ignore[arg-type]
    again.finished = False
    for trial in others:
        scheduler.on_trial_complete(controller, trial, {})  # type: ignore[arg-type]
    assert controller._trials == [again, *others[-_ENDED_TRIALS_KEPT:]]


def test_a_controller_without_these_attributes_is_not_changed() -> None:
    scheduler = QueueScheduler()
    for number in range(_ENDED_TRIALS_KEPT + 1):
        scheduler.on_trial_complete(SimpleNamespace(), Ended(str(number)), {})  # type: ignore[arg-type]
