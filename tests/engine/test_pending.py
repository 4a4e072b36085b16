"""Pending trials, seed 0 of every configuration first."""

from noisebench.engine.pending import pending_trials
from tests.trials import sweep_of

TRIALS = list(sweep_of("[CE, GCE]", seeds="3").trials())


def test_seed_zero_of_every_configuration_comes_first() -> None:
    ordered = pending_trials(TRIALS, {}, include_failed=False)
    assert [(t.seed, t.loss.name) for t in ordered] == [
        (seed, loss) for seed in (0, 1, 2) for loss in ("CE", "GCE")
    ]  # fmt: skip


def test_only_trials_without_a_result_are_pending() -> None:
    ids = [trial.trial_id for trial in TRIALS]
    states = dict(zip(ids, ["completed", "failed", "interrupted", "started", "pending"], strict=False))
    waiting = {trial.trial_id for trial in pending_trials(TRIALS, states, include_failed=False)}
    assert waiting == set(ids[2:])
    with_failed = {trial.trial_id for trial in pending_trials(TRIALS, states, include_failed=True)}
    assert with_failed == set(ids[1:])
