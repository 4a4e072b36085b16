"""A block stops only if all its first trials failed with the same error."""

from pathlib import Path

import pytest

from noisebench.engine.stops import EQUAL_FAILURES_TO_STOP, Stops, restart_blocks, stopped_blocks
from noisebench.records.attempts import End, ErrorKind, Status
from noisebench.records.folders import ResultsFolder, SweepFolder
from noisebench.sweep.block import Block
from tests.trials import sweep_of

TRIALS = tuple(sweep_of(seeds="20").trials())
FIRST, BOTH, SECOND = TRIALS[:8], TRIALS[8:12], TRIALS[12:]
BLOCKS = [Block("first", FIRST + BOTH, 1), Block("second", BOTH + SECOND, 1)]


@pytest.fixture
def folder(tmp_path: Path) -> SweepFolder:
    return ResultsFolder(tmp_path).sweep("test")


def failure(number: int, kind: str = "exception") -> End:
    return End(Status.FAILED, kind, f"object at 0x7f{number}: needs {number} MB")


def test_errors_that_differ_only_in_numbers_stop_a_block(folder: SweepFolder) -> None:
    stops = Stops(BLOCKS, folder)
    changed = [stops.note(trial, failure(number)) for number, trial in enumerate(FIRST)]
    assert changed == [False] * (EQUAL_FAILURES_TO_STOP - 1) + [True]
    error = "exception: object at 0x7f0: needs 0 MB"
    assert stopped_blocks(folder) == stops.errors == {"first": error}
    later = Stops(BLOCKS, folder)
    assert [later.lets_run(trial) for trial in (FIRST[0], BOTH[0], SECOND[0])] == [False, True, True]
    restart_blocks(folder)
    assert Stops(BLOCKS, folder).lets_run(FIRST[0])


@pytest.mark.parametrize(
    "other", [End(Status.COMPLETED), failure(3, "diverged"), End(Status.FAILED, ErrorKind.EXCEPTION, "Other")]
)
def test_one_different_end_keeps_the_block_running(folder: SweepFolder, other: End) -> None:
    stops = Stops(BLOCKS, folder)
    for number, trial in enumerate(SECOND):
        stops.note(trial, other if number == 3 else failure(number))
    for trial in SECOND:
        stops.note(trial, failure(0))
    assert stops.errors == {}


def test_a_completed_trial_lifts_the_stop(folder: SweepFolder) -> None:
    stops = Stops(BLOCKS, folder)
    for number, trial in enumerate(FIRST):
        stops.note(trial, failure(number))
    assert stops.note(BOTH[0], End(Status.COMPLETED))
    assert stopped_blocks(folder) == {}
    assert stops.lets_run(FIRST[0])
