"""Trials with different faults on a real Slurm: each is recorded with its kind, the others complete."""

from collections import Counter

import pytest

from tests.slurm.submitted import Submitted

pytestmark = [pytest.mark.slurm, pytest.mark.slow]


def test_each_fault_has_its_kind_and_ends_no_worker(faulty_trials: Submitted) -> None:
    faulty_trials.await_end(600)
    attempts = faulty_trials.attempts()
    assert Counter((attempt["status"], attempt["error_kind"]) for attempt in attempts) == {
        ("completed", None): 2,
        ("failed", "diverged"): 1,
        ("failed", "exception"): 1,
        ("failed", "host-memory"): 2,  # the second time alone on its node
        ("failed", "timeout"): 1,
    }
    assert len({attempt["slurm_job_id"] for attempt in attempts}) == 1
