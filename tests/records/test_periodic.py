"""Periodic work runs in a thread until the block ends."""

import threading
import time

from noisebench.records.periodic import periodically


def test_work_repeats_until_the_block_ends() -> None:
    calls: list[str] = []
    called_three_times = threading.Event()

    def work() -> None:
        calls.append(threading.current_thread().name)
        if len(calls) == 3:
            called_three_times.set()

    with periodically(work, 0.01, "clock"):
        assert called_three_times.wait(10)
    count = len(calls)
    assert set(calls) == {"clock"}
    time.sleep(0.05)
    assert len(calls) == count


def test_the_first_call_is_at_once_or_after_the_first_pause() -> None:
    called = threading.Event()
    with periodically(called.set, 600, "clock"):
        assert called.wait(10)
    called.clear()
    with periodically(called.set, 600, "clock", at_once=False):
        pass
    assert not called.is_set()
