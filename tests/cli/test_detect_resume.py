"""`noisebench detect`, killed at any moment and started again, ends as an uninterrupted one."""

import os
import subprocess
import time
from pathlib import Path

import pytest

from noisebench.records.folders import ResultsFolder
from tests.command import COMMAND, noisebench
from tests.data.own.pictures import checkers

ARGUMENTS = ("detect", "stripes", "--set", "training.epochs=15", "--inline")


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
