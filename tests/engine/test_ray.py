"""Sweeps on a real Ray: equal results, no lost trials, isolated failures."""

import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from noisebench.records.folders import ResultsFolder
from noisebench.store.query import query
from tests.command import COMMAND, noisebench
from tests.trials import sweep_text

pytestmark = [pytest.mark.ray, pytest.mark.slow]

LOSSES = ["CE", "{name: BL, gamma: 0.4}", "{name: PZ, c: 0.02}"]
DETECTORS = "[{name: confident-learning, folds: 2}, aum, {name: co-teaching, gradual: 2}]"
NUMBERS = "SELECT * EXCLUDE (attempt_id, seconds, ended_at, trial_key) FROM results ORDER BY trial_id"


def write_sweep(folder: Path, losses: list[str], **parts: str) -> None:
    (folder / "sweep.yaml").write_text(sweep_text(f"[{', '.join(losses)}]", **parts))


def numbers(results: Path) -> list[tuple[Any, ...]]:
    return query(ResultsFolder(results), NUMBERS).rows()


def test_engine_order_concurrency_and_reuse_do_not_change_results(tmp_path: Path) -> None:
    write_sweep(tmp_path, LOSSES, seeds="2", detector=DETECTORS)
    inline = noisebench("run", "sweep.yaml", "--inline", "--results", "inline", cwd=tmp_path)
    one = noisebench("run", "sweep.yaml", "--cpus", "1", "--results", "one", cwd=tmp_path)
    write_sweep(tmp_path, LOSSES[::-1], seeds="[1, 0]", detector=DETECTORS)
    two = noisebench("run", "sweep.yaml", "--cpus", "2", "--results", "two", cwd=tmp_path)
    assert [done.returncode for done in (inline, one, two)] == [0, 0, 0], two.stderr
    expected = numbers(tmp_path / "inline")
    assert len(expected) == 18
    assert numbers(tmp_path / "one") == expected
    assert numbers(tmp_path / "two") == expected
    again = noisebench("run", "sweep.yaml", "--results", "two", cwd=tmp_path)
    assert "nothing was pending" in again.stderr
    epochs = "SELECT * FROM epochs ORDER BY ALL"
    assert (
        query(ResultsFolder(tmp_path / "two"), epochs).rows()
        == query(ResultsFolder(tmp_path / "one"), epochs).rows()
    )


def wait_for(condition: Callable[[], bool], seconds: float = 300) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.1)


def completed_lines(results: Path) -> int:
    return sum(path.read_text().count('"status":"completed"') for path in results.glob("journal/*/*.jsonl"))


def start(folder: Path, *arguments: str) -> subprocess.Popen[bytes]:
    """Start `noisebench run sweep.yaml` in a new process group."""
    return subprocess.Popen(
        [*COMMAND, "run", "sweep.yaml", "--cpus", "2", *arguments],
        cwd=folder,
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def test_sigkill_of_the_whole_group_loses_nothing(tmp_path: Path) -> None:
    # Trials take several seconds, so at the kill some are pending, some running and some completed.
    write_sweep(tmp_path, LOSSES, seeds="4", training="{epochs: 80}")
    results = tmp_path / "results"
    with start(tmp_path) as driver:
        wait_for(lambda: completed_lines(results) >= 3)
        refused = noisebench("run", "sweep.yaml", cwd=tmp_path)
        assert (refused.returncode, "is running already" in refused.stderr) == (2, True)
        running = noisebench("status", "test", cwd=tmp_path).stdout
        assert "0 running" not in running
        os.killpg(driver.pid, signal.SIGKILL)
    assert completed_lines(results) < 12
    resumed = noisebench("resume", "test", "--cpus", "2", cwd=tmp_path)
    assert resumed.returncode == 0, resumed.stderr
    undisturbed = noisebench("run", "sweep.yaml", "--inline", "--results", "inline", cwd=tmp_path)
    assert undisturbed.returncode == 0
    resumed_numbers = numbers(results)
    assert len(resumed_numbers) == 12
    assert resumed_numbers == numbers(tmp_path / "inline")
    # A worker may outlive its driver by seconds and complete its attempt.
    ended = query(ResultsFolder(results), "SELECT DISTINCT status, error_kind FROM attempts").rows()
    assert set(ended) <= {("completed", None), ("interrupted", "driver-lost")}


@pytest.mark.parametrize("group", [False, True], ids=["process", "group"])
@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
def test_a_stopped_sweep_records_the_ends_and_can_be_resumed(
    tmp_path: Path, stop: signal.Signals, group: bool
) -> None:
    write_sweep(tmp_path, LOSSES[:2], seeds="6", training="{epochs: 12}")
    results = tmp_path / "results"
    with start(tmp_path) as driver:
        wait_for(lambda: completed_lines(results) >= 1)
        (os.killpg if group else os.kill)(driver.pid, stop)
        assert driver.wait(240) == 1
    assert completed_lines(results) < 12
    lines = [path.read_text() for path in results.glob("journal/*/*.jsonl")]
    started, ended = (
        sum(text.count(f'"event":"{event}"') for text in lines) for event in ("started", "ended")
    )
    assert started == ended
    resumed = noisebench("resume", "test", "--cpus", "2", cwd=tmp_path)
    assert resumed.returncode == 0, resumed.stderr
    assert len(numbers(results)) == 12
    ended = query(ResultsFolder(results), "SELECT DISTINCT status, error_kind FROM attempts").rows()
    assert set(ended) <= {("completed", None), ("interrupted", "cancelled")}


DEADLY = """
import os, signal
def raises(logits, targets):
    raise ValueError("this loss is broken")
def dies(logits, targets):
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_failing_and_a_dying_trial_do_not_affect_the_others(tmp_path: Path) -> None:
    (tmp_path / "deadly_losses.py").write_text(DEADLY)
    write_sweep(tmp_path, ['"deadly_losses:raises"', '"deadly_losses:dies"', *LOSSES], seeds="1")
    with tempfile.TemporaryDirectory() as scratch:  # pytest's folder is too deep for Ray's sockets
        done = noisebench("run", "sweep.yaml", "--cpus", "2", cwd=tmp_path, TMPDIR=scratch)
        assert list(Path(scratch).glob("noisebench-*")) == []
    assert done.returncode == 1
    assert "3 of 5 trials completed" in done.stderr
    counts = query(
        ResultsFolder(tmp_path / "results"),
        "SELECT status, error_kind, count(*) FROM attempts GROUP BY ALL ORDER BY ALL",
    ).rows()
    assert counts == [
        ("completed", None, 3),
        ("failed", "exception", 1),
        ("failed", "host-memory", 1),
        ("interrupted", "process-died", 1),
    ]
