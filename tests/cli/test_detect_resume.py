"""`noisebench detect`, killed at any moment and started again, ends as an uninterrupted one."""

import os
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest

from noisebench.records.folders import ResultsFolder
from tests.command import COMMAND, noisebench
from tests.data.own.pictures import checkers

ARGUMENTS = ("detect", "stripes", "--set", "training.epochs=15", "--inline")


@pytest.mark.slow
def test_sigterm_ends_a_detect_that_a_script_started_in_the_background(tmp_path: Path) -> None:
    """Such a program ignores SIGINT."""
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "noise.npz", X=rng.normal(size=(200, 3)), y=rng.integers(0, 2, 200))
    words = ("noise.npz", "--model", "linear", "--loss", "CE", "--set", "training.epochs=20000", "--inline")
    command = ["sh", "-c", 'trap "" INT; exec "$@"', "sh", *COMMAND, "detect", *words]
    environment = {**os.environ, "NOISEBENCH_RESULTS": str(tmp_path / "results")}
    with subprocess.Popen(
        command, cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True
    ) as process:
        journal = tmp_path / "results" / "journal" / "noise"
        # A line says that the trial has started.
        while not any(file.stat().st_size for file in journal.glob("*")) and process.poll() is None:
            time.sleep(0.01)
        process.terminate()
        _, errors = process.communicate()
    assert process.returncode == 1
    assert "interrupted; repeat the command to continue" in errors


@pytest.mark.slow
def test_a_killed_detect_ends_as_an_uninterrupted_one(tmp_path: Path) -> None:
    checkers(tmp_path / "stripes", 120, 8)
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    done = noisebench(*ARGUMENTS, results=whole, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    command = [*COMMAND, *ARGUMENTS]
    environment = {**os.environ, "NOISEBENCH_RESULTS": str(killed)}
    with subprocess.Popen(command, cwd=tmp_path, env=environment, stderr=subprocess.DEVNULL) as process:
        while not list(killed.glob("scores/*/*.parquet")) and process.poll() is None:
            time.sleep(0.01)
        process.kill()
    assert process.returncode == -9
    assert not (ResultsFolder(killed).sweep("stripes").suspects / "suspects.csv").exists()
    done = noisebench(*ARGUMENTS, results=killed, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    first, second = (
        (ResultsFolder(root).sweep("stripes").suspects / name).read_bytes()
        for root in (whole, killed)
        for name in ("suspects.csv",)
    )
    assert first == second
    assert first.count(b"\n") > 5
