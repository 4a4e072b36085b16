"""A block stops only where its first trials all failed, all in the same way."""

from pathlib import Path

import pytest

from noisebench.engine.stops import ALIKE_TO_STOP, Stops, restart_blocks, stopped_blocks
from noisebench.records.attempts import End
from noisebench.records.folders import ResultsFolder
from noisebench.sweep.block import Block
from tests.trials import sweep_of

TRIALS = tuple(sweep_of(seeds="20").trials())
FIRST, BOTH, SECOND = TRIALS[:8], TRIALS[8:12], TRIALS[12:]
BLOCKS = [Block("first", FIRST + BOTH, 1), Block("second", BOTH + SECOND, 1)]


@pytest.fixture
def results(tmp_path: Path) -> ResultsFolder:
    return ResultsFolder(tmp_path)


def failure(number: int, kind: str = "exception") -> End:
    return End("failed", kind, f"object at 0x7f{number}: needs {number} MB")


def test_alike_but_for_numbers_stops_one_block_and_is_kept(results: ResultsFolder) -> None:
    stops = Stops(BLOCKS, results, "test")
    changed = [stops.note(trial, failure(number)) for number, trial in enumerate(FIRST)]
    assert changed == [False] * (ALIKE_TO_STOP - 1) + [True]
    error = "exception: object at 0x7f0: needs 0 MB"
    assert stopped_blocks(results, "test") == stops.errors == {"first": error}
    later = Stops(BLOCKS, results, "test")
    assert [later.lets_run(trial) for trial in (FIRST[0], BOTH[0], SECOND[0])] == [False, True, True]
    restart_blocks(results, "test")
    assert Stops(BLOCKS, results, "test").lets_run(FIRST[0])


@pytest.mark.parametrize(
    "other", [End("completed"), failure(3, "diverged"), End("failed", "exception", "Other")]
)
def test_one_other_end_among_them_and_the_block_goes_on(results: ResultsFolder, other: End) -> None:
    stops = Stops(BLOCKS, results, "test")
    for number, trial in enumerate(SECOND):
        stops.note(trial, other if number == 3 else failure(number))
    for trial in SECOND:
        stops.note(trial, failure(0))
    assert stops.errors == {}


def test_a_completed_trial_takes_the_stop_back(results: ResultsFolder) -> None:
    stops = Stops(BLOCKS, results, "test")
    for number, trial in enumerate(FIRST):
        stops.note(trial, failure(number))
    assert stops.note(BOTH[0], End("completed"))
    assert stopped_blocks(results, "test") == {}
    assert stops.lets_run(FIRST[0])
