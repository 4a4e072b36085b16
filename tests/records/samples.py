"""Records for tests of the journal."""

from dataclasses import replace
from datetime import UTC, datetime

from noisebench.records.attempts import Ended, Epoch, ErrorKind, Result, Started, Status
from tests.store.results_folder import BASE

NOON = datetime(2026, 11, 20, 12, 0, 0, 250_000, UTC)


def start(number: int = 0) -> Started:
    """Return the start of the attempt with this number, of a trial with this seed."""
    trial = replace(BASE, seed=number)
    return Started(f"{number:032x}", trial.trial_id, "test", trial.as_fields(), NOON, pid=7)


def completion(number: int = 0, f1: float | None = 0.5) -> Ended:
    """Return the completed end of the attempt with this number."""
    epochs = (Epoch(0, 0, loss=0.25), Epoch(0, 1, quantiles={"wrong": [0.1, 0.2]}))
    attempt = (f"{number:032x}", replace(BASE, seed=number).trial_id, "test")
    return Ended(
        *attempt, Status.COMPLETED, NOON, seconds=1.5, result=Result(f1=f1, flagged=3), epochs=epochs
    )


def failure(number: int = 0) -> Ended:
    """Return the failed end of the attempt with this number."""
    attempt = (f"{number:032x}", replace(BASE, seed=number).trial_id, "test")
    return Ended(*attempt, Status.FAILED, NOON, ErrorKind.EXCEPTION, "ValueError: é\n\u2028")
