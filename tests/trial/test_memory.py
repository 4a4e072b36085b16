"""The memory of a process and its children."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np

from noisebench.trial.memory import MIN_SHARE_MB, ResidentMemory, available_mb, share_mb

HUNDRED_MB = "x = b'x' * 100 * 1024**2; print('there', flush=True); input()"


def test_children_count() -> None:
    before = ResidentMemory(os.getpid()).mb()
    with subprocess.Popen(
        [sys.executable, "-c", HUNDRED_MB], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        child.stdout.readline()
        of_child = ResidentMemory(child.pid)
        assert 100 < of_child.mb() < 200
        assert 100 < ResidentMemory(os.getpid()).mb() - before < 200
        child.communicate(b"\n")
    assert of_child.mb() == 0
    assert ResidentMemory(child.pid).mb() == 0


def test_mapped_files_do_not_count(tmp_path: Path) -> None:
    """The kernel frees their pages on demand; data that are mapped must not end a trial."""
    path = tmp_path / "values.bin"
    with path.open("wb") as file:
        file.truncate(100 * 1024**2)
    before = ResidentMemory(os.getpid()).mb()
    values = np.memmap(path, np.uint8, "r")
    assert values.sum() == 0
    assert ResidentMemory(os.getpid()).mb() - before < 20


def test_some_memory_is_available() -> None:
    total_mb = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1024**2
    assert 0 < available_mb() < total_mb


def test_a_share_is_a_part_of_the_total_or_of_free_memory() -> None:
    assert share_mb(0.25, 3000) == 750
    assert share_mb(1e-9, None) == MIN_SHARE_MB
    assert share_mb(1e3, None) >= MIN_SHARE_MB
