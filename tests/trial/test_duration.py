"""Estimates and limits of a trial's duration."""

from dataclasses import replace

import pytest

from noisebench.trial.duration import (
    CHECKPOINT_SECONDS,
    MAX_JUDGEMENT_SECONDS,
    Work,
    allowance_seconds,
    estimated_seconds,
    seconds_at_risk,
    time_suffices,
)
from tests.trials import trial_of


def test_the_allowance_is_ten_minutes_or_ten_estimates() -> None:
    short, long = trial_of(), trial_of(dataset="MNIST", training="{}")
    assert allowance_seconds(Work(short, gpu=False)) == 600
    assert allowance_seconds(Work(long, gpu=False)) == 10 * estimated_seconds(Work(long, gpu=False)) > 600
    assert allowance_seconds(Work(long, gpu=False), 0.5) == 30


@pytest.mark.parametrize(
    ("detector", "parts"),
    [
        ("{name: confident-learning, folds: 4}", 4),
        ("{name: aum, runs: 2}", 2),
        ("none", 1),
        ("{name: co-teaching, gradual: 2}", 1),  # two networks finish together
    ],
)
def test_a_finished_fold_or_run_is_never_lost(detector: str, parts: int) -> None:
    trial = trial_of(detector=detector)
    assert seconds_at_risk(Work(trial, gpu=False)) == estimated_seconds(Work(trial, gpu=False)) / parts


def test_an_attempt_that_only_judges_takes_little_time() -> None:
    long = trial_of(dataset="CIFAR-100", detector="ctrl", training="{epochs: 150}")
    judging = Work(long, gpu=False, judges=True)
    assert estimated_seconds(judging) == seconds_at_risk(judging) == 1
    assert allowance_seconds(judging) == MAX_JUDGEMENT_SECONDS < allowance_seconds(Work(long, gpu=False))
    assert allowance_seconds(Work(trial_of(), gpu=False, judges=True)) == 600


def test_what_is_gathered_for_others_takes_its_time() -> None:
    alone, asked = (
        Work(trial_of(detector="{name: ctrl, traces: in-passing}"), False),
        trial_of(detector="ctrl"),
    )
    leading = replace(alone, needs=("after-epoch.losses", "in-passing.losses"))
    assert estimated_seconds(alone) < estimated_seconds(leading) == estimated_seconds(Work(asked, False))


@pytest.mark.parametrize("gpu", [False, True])
def test_a_long_trial_loses_the_epochs_since_its_last_checkpoint_at_most(gpu: bool) -> None:
    trial = trial_of(
        dataset="MNIST", training="{epochs: 10}", detector="{name: confident-learning, folds: 5}"
    )
    fit = estimated_seconds(Work(trial, gpu=gpu)) / 5
    # On a CPU an epoch takes longer than the time between two checkpoints.
    assert (fit / 10 > CHECKPOINT_SECONDS) is not gpu
    at_most = min(fit, fit / 10 + CHECKPOINT_SECONDS) if gpu else fit / 10
    assert seconds_at_risk(Work(trial, gpu=gpu)) == at_most


@pytest.mark.parametrize(
    ("seconds", "left", "whole", "suffices"),
    [
        (1e9, float("inf"), None, True),
        (500.0, 760.0, 1000.0, True),
        (500.0, 740.0, 1000.0, False),
        (620.0, 850.0, 1000.0, True),  # does not fit on a new node either
        (620.0, 850.0, None, False),
        (10.0, -1.0, 1000.0, False),
    ],
    ids=["no limit", "enough", "too little", "never enough", "unknown whole", "overdue"],
)
def test_the_remaining_time_is_long_enough_for_a_trial_or_not(
    seconds: float, left: float, whole: float | None, suffices: bool
) -> None:
    assert time_suffices(seconds, left, whole) is suffices
