"""Every attempt writes its start and its end."""

import errno
import multiprocessing
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet
import pytest
import torch

from noisebench.errors import DataError, DivergedError
from noisebench.records.attempts import Ended, Record, Started
from noisebench.records.checkpoints import Checkpoints
from noisebench.records.folders import ResultsFolder
from noisebench.records.journal import JournalWriter, records
from noisebench.sweep.trial import Trial
from noisebench.trial import device
from noisebench.trial.duration import CHECKPOINT_SECONDS
from noisebench.trial.measurement import Measurement, measure
from noisebench.trial.runner import Runner
from noisebench.trial.watch import Limits
from tests.trials import trial_of


@pytest.fixture
def attempt(tmp_path: Path) -> Callable[..., tuple[str, list[Record]]]:
    def run(trial: Trial, execute: Any = measure, limits: Limits | None = None) -> tuple[str, list[Record]]:
        results = ResultsFolder(tmp_path)
        with JournalWriter(results.sweep("test").journal, "host") as journal:
            runner = Runner(results, "test", "worker", None, torch.device("cpu"), journal, execute)
            end = runner.attempt(trial, "a" * 32, limits)
        return end.status, list(records(results.sweep("test").journal))

    return run


def test_a_completed_trial(attempt: Callable[..., Any], tmp_path: Path) -> None:
    trial = trial_of()
    status, (started, ended) = attempt(trial)
    assert status == "completed"
    assert (type(started), type(ended)) == (Started, Ended)
    assert started.config == trial.as_fields()
    assert {"torch", "python", "cleanlab"} <= set(started.versions)
    assert (ended.status, ended.error_kind, ended.trial_id) == ("completed", None, trial.trial_id)
    assert 0 < ended.result.seconds <= ended.seconds
    assert ended.peak_memory_mb > 50
    assert len(ended.epochs) == 4
    scores = pyarrow.parquet.read_table(ResultsFolder(tmp_path).scores(trial.trial_id)).to_pydict()
    assert scores["index"] == list(range(400))
    flagged, wrong = (
        np.array(scores["flagged"]),
        np.array(scores["given_label"]) != np.array(scores["true_label"]),
    )
    assert ended.result.flagged == flagged.sum()
    assert ended.result.correct == (flagged & wrong).sum()


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (ValueError("no such thing"), "exception"),
        (SystemExit(3), "exception"),
        (DivergedError(4), "diverged"),
        (DataError("MNIST is missing"), "data"),
        (MemoryError(), "host-memory"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), "host-memory"),
        (torch.OutOfMemoryError("CUDA out of memory"), "gpu-memory"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_failed_trial(attempt: Callable[..., Any], error: BaseException, kind: str) -> None:
    def fail(*_: object) -> Measurement:
        raise error

    status, (_, ended) = attempt(trial_of(), fail)
    assert (status, ended.status, ended.error_kind) == ("failed", "failed", kind)
    assert type(error).__name__ in ended.error
    assert "in fail" in ended.traceback
    assert ended.result is None


def test_an_interrupted_trial_is_not_failed(attempt: Callable[..., Any], tmp_path: Path) -> None:
    def interrupt(*_: object) -> Measurement:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        attempt(trial_of(), interrupt)
    (_, ended) = records(ResultsFolder(tmp_path).journal / "test")
    assert (ended.status, ended.error_kind) == ("interrupted", "cancelled")


def test_nan_becomes_null(attempt: Callable[..., Any]) -> None:
    def without_errors(*_: object) -> Measurement:
        return Measurement({"f1": float("nan"), "precision": 0.0}, [], {})

    _, (_, ended) = attempt(trial_of(), without_errors)
    assert ended.result.f1 is None
    assert ended.result.precision == 0


def test_checkpoints_of_folds_are_kept_until_the_trial_completes(
    attempt: Callable[..., Any], tmp_path: Path
) -> None:
    folder = ResultsFolder(tmp_path).checkpoint(trial_of().trial_id)

    def stop_before_the_end(*arguments: Any) -> Measurement:
        measure(*arguments)
        raise ValueError("after the last fold")

    attempt(trial_of(), stop_before_the_end)
    assert sorted(path.name for path in folder.iterdir()) == ["run-0.pt", "run-1.pt"]
    assert attempt(trial_of())[0] == "completed"
    assert not folder.exists()


STORAGE = [errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS, errno.ESTALE]


@pytest.mark.parametrize("number", STORAGE, ids=errno.errorcode.get)
@pytest.mark.parametrize("hidden", [False, True])
def test_a_storage_error_does_not_fail_the_trial(
    attempt: Callable[..., Any], number: int, hidden: bool
) -> None:
    def write(*_: object) -> Measurement:
        try:
            raise OSError(number, "of the file system")
        except OSError:
            if hidden:
                raise DataError("the file is damaged") from None
            raise

    status, (_, ended) = attempt(trial_of(), write)
    assert status == "interrupted"
    assert (ended.status, ended.error_kind) == ("interrupted", "storage")


@pytest.mark.parametrize("failing", [1, 2], ids=["started", "ended"])
def test_a_journal_that_cannot_be_written_is_a_storage_error(
    tmp_path: Path, failing: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No end can be recorded, so the driver gets it from the return value."""
    results = ResultsFolder(tmp_path)
    writes = []
    append = JournalWriter.append

    def full(journal: JournalWriter, record: Record, *, durable: bool = True) -> None:
        writes.append(type(record))
        if len(writes) == failing:
            raise OSError("only 3 of 80 bytes were written")
        append(journal, record, durable=durable)

    monkeypatch.setattr(JournalWriter, "append", full)
    with JournalWriter(results.journal / "test", "host") as journal:
        runner = Runner(results, "test", "worker", None, torch.device("cpu"), journal)
        end = runner.attempt(trial_of(), "a" * 32)
    assert (end.status, end.error_kind) == ("interrupted", "storage")
    assert "only 3 of 80 bytes were written" in str(end.error)
    assert writes == [Started, Ended][:failing]


def test_the_gpu_of_an_attempt_is_recorded(
    attempt: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(device, "gpu_versions", lambda _: {"cuda": "12.8", "driver": "570.86.15"})
    monkeypatch.setattr(device, "peak_memory_mb", lambda _: 1234.5)
    _, (started, ended) = attempt(trial_of())
    assert started.versions["driver"] == "570.86.15"
    assert "torch" in started.versions
    assert ended.gpu_memory_mb == 1234.5


def test_epochs_are_kept_once_enough_time_has_passed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = iter([0.0, 59.0, 60.0, 61.0, 120.0, 121.0])
    monkeypatch.setattr(time, "monotonic", lambda: next(seconds))
    checkpoints = Checkpoints(tmp_path, epoch_seconds=CHECKPOINT_SECONDS)
    assert not checkpoints.epoch_due
    assert checkpoints.epoch_due
    checkpoints.write("fit-0", {})  # at 61
    assert not checkpoints.epoch_due
    assert checkpoints.epoch_due


def test_the_runner_keeps_epochs_by_time(attempt: Callable[..., Any]) -> None:
    seen = []

    def look(*arguments: Any) -> Measurement:
        seen.append(arguments[3]._epoch_seconds)
        return Measurement({}, [], {})

    attempt(trial_of(), look)
    assert seen == [CHECKPOINT_SECONDS]


def _hang(*_: object) -> Measurement:
    time.sleep(600)
    raise AssertionError("this process was not ended")


def _allocate(*_: object) -> Measurement:
    blocks = []
    while len(blocks) < 100:
        blocks.append(np.ones(8 * 1024**2))  # 64 MB each
        time.sleep(0.02)
    raise AssertionError("this process was not ended")


def _attempt_in(folder: Path, execute: Any, limits: Limits | None) -> None:
    results = ResultsFolder(folder)
    journal = JournalWriter(results.sweep("test").journal, "host")
    Runner(results, "test", "worker", None, torch.device("cpu"), journal, execute).attempt(
        trial_of(), "a" * 32, limits
    )


def _assert_on_device(*_: object) -> Measurement:
    raise RuntimeError("CUDA error: device-side assert triggered")


def _library_memory(*_: object) -> Measurement:
    raise RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("execute", "status", "kind"),
    [(_assert_on_device, "interrupted", "gpu-error"), (_library_memory, "failed", "gpu-memory")],
)
def test_a_process_whose_gpu_is_lost_records_it_and_ends(
    tmp_path: Path, execute: Any, status: str, kind: str
) -> None:
    process = multiprocessing.get_context("spawn").Process(target=_attempt_in, args=(tmp_path, execute, None))
    process.start()
    process.join(300)
    assert process.exitcode == 1
    _, ended = records(ResultsFolder(tmp_path).journal / "test")
    assert (ended.status, ended.error_kind) == (status, kind)
    assert execute.__name__ in ended.traceback


@pytest.mark.parametrize(
    ("execute", "limits", "kind", "reason"),
    [
        pytest.param(
            *(_hang, Limits(10_000, 0.5), "timeout", "not done after 0.0 minutes"),
            id="hangs",
            marks=pytest.mark.slow,
        ),
        pytest.param(
            *(_allocate, Limits(1_200, 300), "host-memory", "more than its share of 1200 MB"),
            id="eats memory",
            marks=pytest.mark.slow,
        ),
    ],
)
def test_a_trial_that_exceeds_its_limits_is_recorded_and_its_process_ends(
    tmp_path: Path, execute: Any, limits: Limits, kind: str, reason: str
) -> None:
    process = multiprocessing.get_context("spawn").Process(
        target=_attempt_in, args=(tmp_path, execute, limits)
    )
    process.start()
    process.join(300)
    assert process.exitcode == 1
    _, ended = records(ResultsFolder(tmp_path).journal / "test")
    assert (ended.status, ended.error_kind) == ("failed", kind)
    assert reason in ended.error
    assert execute.__name__ in ended.traceback


def test_limits_that_are_not_exceeded_change_nothing(attempt: Callable[..., Any]) -> None:
    status, (_, ended) = attempt(trial_of(), limits=Limits(10_000, 60))
    assert (status, ended.error_kind) == ("completed", None)
