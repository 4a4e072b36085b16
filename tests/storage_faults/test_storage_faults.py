"""A short run: some calls of each command, each error, once and lasting."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.storage_faults.scenes import NAMES

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("cc") is None, reason="a C compiler makes the library that fails calls")
def test_a_failing_file_system_at_some_calls_of_each_command() -> None:
    """A process of its own: its cases are forks, which a process with threads cannot make."""
    arguments = [sys.executable, "-m", "tests.storage_faults", "--every", "151"]
    done = subprocess.run(arguments, capture_output=True, text=True, cwd=ROOT, timeout=1800, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    rows = [[cell.strip() for cell in row.split("|")[1:-1]] for row in done.stdout.splitlines()]
    kinds = [*(["change", error] for error in ("ENOSPC", "EDQUOT", "EIO", "EROFS")), ["read", "EIO"]]
    assert [row[:3] for row in rows] == [[name, *kind] for name in NAMES for kind in kinds]
    assert all(row[5] == "0" for row in rows), rows
    # A full disk lets files be removed, so it fails no call of `clean`.
    full = [row for row in rows if row[0] == "clean" and row[2] in ("ENOSPC", "EDQUOT")]
    assert all(int(row[3]) >= 2 for row in rows if row not in full), rows
