"""A short run: some system calls of each command, a full file system, once and lasting."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_a_full_file_system_at_some_calls_of_each_command() -> None:
    """A process of its own: its cases are forks, which a process with threads cannot make."""
    arguments = [sys.executable, "-m", "tests.storage_faults", "--every", "17"]
    done = subprocess.run(arguments, capture_output=True, text=True, cwd=ROOT, timeout=600, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    *scenes, figures = done.stdout.splitlines()
    assert [scene.partition(":")[0] for scene in scenes] == ["run", "ingest", "import"]
    assert figures.endswith(" 0 faults")
    assert int(figures.split()[0]) >= 10
