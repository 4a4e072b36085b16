"""Sweeps in this process: which trials run, and their records."""

import shutil
import uuid
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from noisebench.engine.progress import Progress
from noisebench.engine.run import Options, run_sweep
from noisebench.errors import EnvironmentFault, InputError
from noisebench.records import attempts, durable
from noisebench.records.attempts import End, ErrorKind, Status
from noisebench.records.folders import ResultsFolder
from noisebench.records.journal import JournalWriter
from noisebench.records.manifest import kept_sweep
from noisebench.store.query import query
from noisebench.sweep.trial import Trial
from tests.trials import sweep_of

INLINE = Options(inline=True)


@pytest.fixture
def results(tmp_path: Path) -> ResultsFolder:
    return ResultsFolder(tmp_path / "results")


def recorded_attempts(results: ResultsFolder) -> list[tuple[str, str | None]]:
    return query(
        results, "SELECT status, error_kind FROM attempts ORDER BY coalesce(ended_at, started_at)"
    ).rows()  # type: ignore[return-value]


@pytest.mark.slow
def test_a_second_run_starts_nothing(results: ResultsFolder) -> None:
    sweep = sweep_of(seeds="2")
    first = run_sweep(sweep, results, INLINE)
    assert (first.total, first.completed, first.started, first.failed) == (2, 2, 2, 0)
    second = run_sweep(sweep, results, INLINE)
    assert (second.total, second.completed, second.started) == (2, 2, 0)
    assert len(recorded_attempts(results)) == 2


def test_a_linked_journal_folder_is_refused_before_any_work(results: ResultsFolder, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    results.journal.mkdir(parents=True)
    results.sweep("test").journal.symlink_to(tmp_path / "outside")
    with pytest.raises(EnvironmentFault, match=r"journal/test: cannot hold records: .*Not a directory"):
        run_sweep(sweep_of(), results, INLINE)
    assert list((tmp_path / "outside").iterdir()) == []


@pytest.mark.slow
def test_two_sweeps_share_the_result_of_a_common_trial(results: ResultsFolder) -> None:
    run_sweep(sweep_of(name="first"), results, INLINE)
    outcome = run_sweep(sweep_of(name="second", seeds="2"), results, INLINE)
    assert (outcome.completed, outcome.started) == (2, 1)


@pytest.fixture
def failing_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "failing_losses.py").write_text(
        "def broken(logits, targets):\n    raise ValueError('this loss is broken')\n"
        "def infinite(logits, targets):\n    return logits[:, 0] * float('inf')\n"
    )
    return "failing_losses"


@pytest.mark.slow
def test_failures_are_isolated_and_resume_repeats_them(results: ResultsFolder, failing_module: str) -> None:
    losses = f'["{failing_module}:broken", CE, "{failing_module}:infinite"]'
    sweep = sweep_of(losses)
    outcome = run_sweep(sweep, results, INLINE)
    assert (outcome.completed, outcome.failed, outcome.failed_before) == (1, 2, 0)
    assert sorted(recorded_attempts(results), key=str) == [
        ("completed", None), ("failed", "diverged"), ("failed", "exception")
    ]  # fmt: skip
    again = run_sweep(sweep, results, INLINE)
    assert (again.started, again.failed, again.failed_before) == (0, 2, 2)
    resumed = run_sweep(sweep, results, Options(inline=True, include_failed=True))
    assert (resumed.started, resumed.failed) == (2, 2)


@pytest.mark.slow
@pytest.mark.parametrize("include_failed", [False, True])
def test_a_driver_that_takes_over_repeats_only_what_lacked_memory_once(
    results: ResultsFolder, include_failed: bool
) -> None:
    sweep = sweep_of(seeds="4")
    before, once, twice, broken = sweep.trials()
    memory, exception = ErrorKind.GPU_MEMORY, ErrorKind.EXCEPTION
    record_failures(results, (before, exception))
    submitted_at = datetime.now(UTC)
    record_failures(results, (once, memory), (twice, memory), (twice, memory), (broken, exception))
    options = replace(INLINE, include_failed=include_failed, submitted_at=submitted_at)
    outcome = run_sweep(sweep, results, options)
    assert (outcome.started, outcome.failed_before) == ((2, 2) if include_failed else (1, 3))
    named = run_sweep(sweep, results, replace(options, trial=twice.trial_id))
    assert (named.started, named.failed_before) == (0, 1)


def record_failures(results: ResultsFolder, *failures: tuple[Trial, ErrorKind]) -> None:
    """Write the records of attempts that failed under a former driver."""
    with JournalWriter(results.sweep("test").journal, "host") as journal:
        for trial, kind in failures:
            attempt_id = uuid.uuid4().hex
            journal.append(attempts.started(attempt_id, "test", trial, "worker", "cpu"))
            journal.append(
                attempts.ended(attempt_id, "test", trial.trial_id, End(Status.FAILED, kind, "why"))
            )


@pytest.mark.slow
def test_a_block_with_equal_failures_stops_until_resume(results: ResultsFolder, failing_module: str) -> None:
    sweep = sweep_of(f'["{failing_module}:broken"]', seeds="11")
    first = run_sweep(sweep, results, INLINE)
    assert (first.failed, first.held, first.unfinished) == (8, 3, 0)
    assert first.stopped == {"grid": "exception: ValueError: this loss is broken"}
    assert len(recorded_attempts(results)) == 8
    again = run_sweep(sweep, results, INLINE)
    assert (again.started, again.held, again.stopped) == (0, 3, first.stopped)
    resumed = run_sweep(sweep, results, replace(INLINE, restart=True))
    assert (resumed.started, resumed.failed, resumed.held, resumed.stopped) == (3, 11, 0, {})


@pytest.mark.slow
def test_attempts_of_a_dead_driver_are_interrupted_and_run_again(results: ResultsFolder) -> None:
    sweep = sweep_of()
    (trial,) = sweep.trials()
    with JournalWriter(results.sweep("test").journal, "host") as journal:
        journal.append(attempts.started("a" * 32, "test", trial, "dead", "cpu"))
    outcome = run_sweep(sweep, results, INLINE)
    assert outcome.completed == 1
    assert recorded_attempts(results) == [("interrupted", "driver-lost"), ("completed", None)]


@pytest.mark.slow
def test_a_single_block_is_run_by_its_name(results: ResultsFolder) -> None:
    sweep = sweep_of()
    assert run_sweep(sweep, results, Options(inline=True, block="grid")).total == 1
    with pytest.raises(InputError, match="has no block 'gird'; known: grid"):
        run_sweep(sweep, results, Options(inline=True, block="gird"))


@pytest.mark.slow
def test_a_repeated_trial_gives_the_same_result(results: ResultsFolder) -> None:
    sweep = sweep_of(seeds="2")
    run_sweep(sweep, results, INLINE)
    (trial, _) = sweep.trials()
    outcome = run_sweep(sweep, results, Options(inline=True, trial=trial.trial_id[:10]))
    assert (outcome.total, outcome.started) == (1, 1)
    assert len(recorded_attempts(results)) == 3
    assert query(results, "SELECT * FROM disagreements").rows() == []
    with pytest.raises(InputError, match="has no trial whose id starts with 'zz'"):
        run_sweep(sweep, results, Options(inline=True, trial="zz"))


@pytest.mark.slow
def test_a_sweep_is_stored_as_submitted(results: ResultsFolder) -> None:
    sweep = sweep_of(seeds="2")
    run_sweep(sweep, results, INLINE)
    assert kept_sweep(results.sweep("test")) == sweep
    with pytest.raises(InputError, match="no sweep 'other' here; known: test"):
        kept_sweep(results.sweep("other"))


@pytest.mark.slow
def test_progress_reports_every_change(results: ResultsFolder) -> None:
    seen = []
    run_sweep(
        sweep_of(seeds="2"), results, INLINE, lambda p: seen.append((p.completed, p.running, p.pending))
    )
    assert seen == [(0, 1, 1), (1, 0, 1), (1, 1, 0), (2, 0, 0)]


@pytest.mark.slow
def test_a_journal_removed_after_its_last_record_is_reported(
    results: ResultsFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The writer writes no more, so it notices nothing; without the records no trial is completed."""

    def remove_journal(progress: Progress) -> None:
        if progress.completed == progress.total:
            shutil.rmtree(results.sweep("demo").journal)

    monkeypatch.setattr(durable, "RETRY_SECONDS", (0.0,))
    with pytest.raises(EnvironmentFault, match="the records of 2 trials that ended are gone"):
        run_sweep(sweep_of(name="demo", seeds="2"), results, INLINE, remove_journal)
    outcome = run_sweep(sweep_of(name="demo", seeds="2"), results, INLINE)
    assert (outcome.completed, outcome.started) == (2, 2)
