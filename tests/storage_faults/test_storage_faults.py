"""A short run: some calls of each command, each error, once and lasting."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("cc") is None, reason="a C compiler makes the library that fails calls")
def test_a_failing_file_system_at_some_calls_of_each_command() -> None:
    """A process of its own: its cases are forks, which a process with threads cannot make."""
    arguments = [sys.executable, "-m", "tests.storage_faults", "--every", "61"]
    done = subprocess.run(arguments, capture_output=True, text=True, cwd=ROOT, timeout=900, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    rows = [[cell.strip() for cell in row.split("|")[1:-1]] for row in done.stdout.splitlines()]
    errors = ("ENOSPC", "EDQUOT", "EIO", "EROFS")
    assert [row[:2] for row in rows] == [[c, e] for c in ("run", "ingest", "import") for e in errors]
    assert all(int(row[2]) >= 2 and row[4] == "0" for row in rows), rows
