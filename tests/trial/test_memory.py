"""What a process takes, its children included."""

import os
import subprocess
import sys

from noisebench.trial.memory import LEAST_SHARE_MB, available_mb, resident_mb, share_mb

HUNDRED_MB = "x = b'x' * 100 * 1024**2; print('there', flush=True); input()"


def test_children_count() -> None:
    before = resident_mb(os.getpid())
    with subprocess.Popen(
        [sys.executable, "-c", HUNDRED_MB], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        child.stdout.readline()
        assert 100 < resident_mb(child.pid) < 200
        assert 100 < resident_mb(os.getpid()) - before < 200
        child.communicate(b"\n")
    assert resident_mb(child.pid) == 0


def test_there_is_some_left() -> None:
    total_mb = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1024**2
    assert 0 < available_mb() < total_mb


def test_a_share_of_what_was_said_else_of_what_is_free() -> None:
    assert share_mb(0.25, 3000) == 750
    assert share_mb(1e-9, None) == LEAST_SHARE_MB
    assert share_mb(1e3, None) >= LEAST_SHARE_MB
