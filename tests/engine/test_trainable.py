"""The time limit of an attempt."""

from noisebench.engine.trainable import attempt_seconds
from noisebench.trial.duration import Work, estimated_seconds
from tests.trials import trial_of

HOUR = 3600.0
SHORT = trial_of()
LONG = trial_of(dataset="CIFAR-10", training="{}", detector="{name: confident-learning, folds: 5}")


def test_without_a_worker_time_limit_the_allowance_is_ten_estimates() -> None:
    assert attempt_seconds(Work(LONG, gpu=True), None, None) == 10 * estimated_seconds(Work(LONG, gpu=True))
    assert attempt_seconds(Work(SHORT, gpu=False), None, None) == 600


def test_a_trial_that_fits_into_a_workers_time_is_limited_to_it() -> None:
    estimate = estimated_seconds(Work(LONG, gpu=True))
    worker = 3 * estimate
    assert attempt_seconds(Work(LONG, gpu=True), worker, None) == 0.9 * worker


def test_a_trial_that_needs_several_workers_keeps_its_allowance() -> None:
    estimate = estimated_seconds(Work(LONG, gpu=True))
    assert attempt_seconds(Work(LONG, gpu=True), estimate, None) == 10 * estimate


def test_an_allowance_set_by_the_user_is_not_changed() -> None:
    assert attempt_seconds(Work(LONG, gpu=True), HOUR, 90) == 90 * 60
