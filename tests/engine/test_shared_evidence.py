"""Sweeps whose detectors share one training, with the results of separate trials."""

import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import noisebench.trial.measurement
from noisebench.engine.run import Options, run_sweep
from noisebench.records.attempts import Ended, Result
from noisebench.records.folders import ResultsFolder
from noisebench.records.journal import JournalWriter, records
from noisebench.sweep.sweep import Sweep, parse_sweep
from noisebench.training.surrogate import Surrogate
from noisebench.trial.runner import Runner
from tests.command import COMMAND
from tests.command import noisebench as run_command
from tests.engine.test_ray import wait_for
from tests.trials import sweep_of, sweep_text

INLINE = Options(inline=True)
DETECTORS = (
    "[ctrl, {name: small-loss, share: [null, 0.2], traces: [in-passing, after-epoch]}, none, "
    "{name: confident-learning, folds: 2, prune: [both, class]}, {name: aum, percentile: [90, 99]}]"
)
TRIALS, TRAININGS = 10, 3


def sweep(name: str = "test", **parts: str) -> Sweep:
    parts = {"detector": DETECTORS, "training": "{epochs: 2, batch_size: 128}", **parts}
    return sweep_of(name=name, dataset="{name: digits, samples: 200}", **parts)


def completed(results: ResultsFolder, name: str = "test") -> dict[str, Ended]:
    found = [line for line in records(results.sweep(name).journal) if isinstance(line, Ended)]
    return {line.trial_id: line for line in found if line.status == "completed"}


def numbers(end: Ended) -> tuple[Any, ...]:
    assert end.result is not None
    return Result(**{**vars(end.result), "seconds": None}), end.epochs, end.scores_sha256


@pytest.fixture(scope="module")
def separate(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Any, ...]]:
    """The results of the same trials, each trained separately."""
    results = ResultsFolder(tmp_path_factory.mktemp("separate"))
    with JournalWriter(results.sweep("test").journal, "host") as journal:
        runner = Runner(results, "test", "worker", None, torch.device("cpu"), journal)
        for number, trial in enumerate(sweep().trials()):
            runner.attempt(trial, f"{number:032}")
    ends = completed(results)
    assert all(end.evidence_attempt == end.attempt_id for end in ends.values())
    return {trial_id: numbers(end) for trial_id, end in ends.items()}


@pytest.fixture
def trainings(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The evidence ids that were trained."""
    seen: list[str] = []
    build: Callable[..., Surrogate] = Surrogate.of

    def counting(trial: Any, *arguments: Any) -> Surrogate:
        seen.append(trial.evidence_id)
        return build(trial, *arguments)

    monkeypatch.setattr(noisebench.trial.measurement.Surrogate, "of", counting)
    return seen


@pytest.mark.slow
def test_a_list_of_detectors_trains_once_for_each_plan(
    tmp_path: Path, separate: dict[str, tuple[Any, ...]], trainings: list[str]
) -> None:
    results = ResultsFolder(tmp_path)
    run_sweep(sweep(), results, INLINE)
    ends = completed(results)
    assert len(trainings) == len(set(trainings)) == TRAININGS
    assert {trial_id: numbers(end) for trial_id, end in ends.items()} == separate
    trained = {end.attempt_id for end in ends.values() if end.evidence_attempt == end.attempt_id}
    assert len(trained) == TRAININGS
    assert {end.evidence_attempt for end in ends.values()} == trained
    assert list(results.evidences.iterdir()) == []
    assert not results.sweep("test").awaited_evidence.exists()


@pytest.mark.slow
def test_kept_evidence_serves_later_sweeps(tmp_path: Path, trainings: list[str]) -> None:
    results = ResultsFolder(tmp_path)
    text = sweep_text(detector="ctrl", name="first")
    kept = parse_sweep(text.replace("blocks:", "keep_evidence: true\nblocks:"), "first.yaml")
    run_sweep(kept, results, INLINE)
    assert len(list(results.evidences.iterdir())) == 1
    run_sweep(sweep_of(detector="{name: small-loss, share: 0.3}", name="second"), results, INLINE)
    assert len(trainings) == 1
    (first,), (second,) = completed(results, "first").values(), completed(results, "second").values()
    assert second.evidence_attempt == first.attempt_id
    assert second.evidence == first.evidence


@pytest.mark.slow
def test_damaged_evidence_is_detected_and_trained_again(
    tmp_path: Path,
    separate: dict[str, tuple[Any, ...]],
    trainings: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    results = ResultsFolder(tmp_path)
    attempt = Runner.attempt

    def damaging(runner: Runner, *arguments: Any, **named: Any) -> Any:
        end = attempt(runner, *arguments, **named)
        for path in results.evidences.glob("*.evidence"):
            content = bytearray(path.read_bytes())
            content[-1] ^= 1
            path.write_bytes(content)
        return end

    monkeypatch.setattr(Runner, "attempt", damaging)
    run_sweep(sweep(), results, INLINE)
    assert len(trainings) == TRIALS
    assert {trial_id: numbers(end) for trial_id, end in completed(results).items()} == separate


@pytest.mark.parametrize("ended", [1, pytest.param(4, marks=pytest.mark.slow)])
def test_an_interrupted_sweep_continues_with_its_evidence(
    tmp_path: Path,
    separate: dict[str, tuple[Any, ...]],
    trainings: list[str],
    monkeypatch: pytest.MonkeyPatch,
    ended: int,
) -> None:
    results = ResultsFolder(tmp_path)
    attempt, left = Runner.attempt, [ended]

    def interrupted(runner: Runner, *arguments: Any, **named: Any) -> Any:
        if not left[0]:
            raise KeyboardInterrupt
        left[0] -= 1
        return attempt(runner, *arguments, **named)

    with monkeypatch.context() as patched:
        patched.setattr(Runner, "attempt", interrupted)
        run_sweep(sweep(), results, INLINE)
    assert len(completed(results)) == ended
    assert len(list(results.evidences.glob("*.evidence"))) == 1
    run_sweep(sweep(), results, INLINE)
    assert len(trainings) == TRAININGS
    assert {trial_id: numbers(end) for trial_id, end in completed(results).items()} == separate
    assert list(results.evidences.iterdir()) == []


SLOW = """
import time
def slow(losses, number):
    time.sleep(0.5)
    return losses[:, number:].mean(1)
"""


@pytest.mark.slow
@pytest.mark.parametrize("damaged", [False, True], ids=["intact", "damaged"])
def test_a_sweep_killed_while_it_judges_resumes_to_the_results_of_an_undisturbed_one(
    tmp_path: Path, damaged: bool
) -> None:
    (tmp_path / "slow_detectors.py").write_text(SLOW)
    detectors = '[{name: "slow_detectors:slow", number: [0, 1, 2]}, ctrl]'
    (tmp_path / "sweep.yaml").write_text(sweep_text("[CE, FL]", detector=detectors))
    results, plain = ResultsFolder(tmp_path / "results"), ResultsFolder(tmp_path / "plain")
    command = [*COMMAND, "run", "sweep.yaml", "--inline", "--results", "results"]
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.DEVNULL) as killed:
        wait_for(lambda: len(completed(results)) >= 1)
        os.kill(killed.pid, signal.SIGKILL)
    assert len(completed(results)) < 8
    (left,) = results.evidences.glob("*.evidence")
    if damaged:
        content = bytearray(left.read_bytes())
        content[-1] ^= 1
        left.write_bytes(content)
    for arguments, folder in (("resume test", "results"), ("run sweep.yaml", "plain")):
        done = run_command(*arguments.split(), "--inline", "--results", folder, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
    ends, undisturbed = completed(results), completed(plain)
    assert {trial_id: numbers(end) for trial_id, end in ends.items()} == {
        trial_id: numbers(end) for trial_id, end in undisturbed.items()
    }
    trainings = {end.evidence_attempt for end in ends.values()}
    assert len(trainings) == (3 if damaged else 2)
    assert list(results.evidences.iterdir()) == []
