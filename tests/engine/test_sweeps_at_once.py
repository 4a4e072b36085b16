"""Two sweeps that share evidence, and a trial, run at once in one results folder by two processes."""

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from noisebench.records.attempts import Ended, Result
from noisebench.records.folders import ResultsFolder
from noisebench.records.journal import records
from tests.command import COMMAND, noisebench_here
from tests.trials import sweep_text

pytestmark = pytest.mark.slow

# Each loss is cross entropy once a file of the name is there; `at_once` waits until both processes train it.
LOSSES = """
import os, time
from pathlib import Path
import torch

def _after(condition):
    deadline = time.monotonic() + 240
    while not condition():
        assert time.monotonic() < deadline, "the other process did not come"
        time.sleep(0.02)

def _cross_entropy(logits, targets):
    return torch.nn.functional.cross_entropy(logits, targets, reduction="none")

def at_once(logits, targets):
    Path(f"trains-{os.getpid()}").touch()
    _after(lambda: len(list(Path().glob("trains-*"))) >= 2)
    return _cross_entropy(logits, targets)

def early(logits, targets):
    _after(Path("second-trains").exists)
    return _cross_entropy(logits, targets)

def late(logits, targets):
    Path("second-trains").touch()
    _after(Path("first-has-ended").exists)
    return _cross_entropy(logits, targets)
"""
# The first trains `early` while the second trains `late`, which lasts until the first sweep has ended.
SWEEPS = {
    "first": ('["waiting:at_once", "waiting:early"]', "[ctrl, {name: small-loss, share: 0.2}]"),
    "second": (
        '["waiting:at_once", "waiting:late", "waiting:early"]',
        "[ctrl, {name: small-loss, share: 0.3}]",
    ),
}
MARKERS = ("trains-0", "trains-1", "second-trains", "first-has-ended")
Start = Callable[[str], subprocess.Popen[str]]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start a sweep in a process of its own, in `tmp_path`; it is ended with the test."""
    write_sweeps(tmp_path)
    begun: list[subprocess.Popen[str]] = []

    def run(sweep: str) -> subprocess.Popen[str]:
        words = [*COMMAND, "run", f"{sweep}.yaml", "--inline"]
        process = subprocess.Popen(
            words, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )
        begun.append(process)
        return process

    yield run
    for process in begun:
        process.kill()
        process.communicate()


def write_sweeps(folder: Path) -> None:
    (folder / "waiting.py").write_text(LOSSES)
    for name, (loss, detector) in SWEEPS.items():
        text = sweep_text(loss, name=name, detector=detector, dataset="{name: digits, samples: 200}")
        (folder / f"{name}.yaml").write_text(text)


def completed(results: ResultsFolder) -> dict[tuple[str, str], Ended]:
    """Return the end of each trial by sweep and trial; all must have completed, once for each sweep."""
    lines = [line for name in SWEEPS for line in records(results.sweep(name).journal)]
    ends = [line for line in lines if isinstance(line, Ended)]
    assert {end.status for end in ends} == {"completed"}
    found = {(end.sweep, end.trial_id): end for end in ends}
    assert len(found) == len(ends)
    return found


def numbers(end: Ended) -> tuple[Any, ...]:
    assert end.result is not None
    return Result(**{**vars(end.result), "seconds": None}), end.epochs, end.scores_sha256


def test_each_trial_has_the_result_of_a_sweep_alone(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, start: Start
) -> None:
    first, second = start("first"), start("second")
    assert first.wait(300) == 0, first.communicate()[1]
    (tmp_path / "first-has-ended").touch()
    assert second.wait(300) == 0, second.communicate()[1]
    results = ResultsFolder(tmp_path / "results")
    together = completed(results)
    assert len(together) == 4 + 6
    trainings = [end.evidence for end in together.values() if end.evidence_attempt == end.attempt_id]
    # Both train what they come to at once; the second judges what the first has trained since.
    assert len(trainings) == 4
    assert len(set(trainings)) == 3
    assert list(results.evidences.iterdir()) == []
    assert noisebench_here("verify", cwd=tmp_path).returncode == 0
    alone = alone_in(tmp_path_factory.mktemp("alone"))
    assert {key: numbers(end) for key, end in together.items()} == {
        key: numbers(end) for key, end in alone.items()
    }


def alone_in(folder: Path) -> dict[tuple[str, str], Ended]:
    """Return the ends where one sweep runs after the other, each in a results folder of its own."""
    write_sweeps(folder)
    for marker in MARKERS:
        (folder / marker).touch()
    ends = {}
    for name in SWEEPS:
        results = folder / name
        done = subprocess.run(
            [*COMMAND, "run", f"{name}.yaml", "--inline", "--results", str(results)],
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        ends |= completed(ResultsFolder(results))
    return ends
