"""Work in a thread of its own, now and then, for as long as a block lasts."""

import threading
import time

from noisebench.records.periodic import periodically


def test_again_and_again_until_the_block_ends() -> None:
    calls: list[str] = []
    thrice = threading.Event()

    def work() -> None:
        calls.append(threading.current_thread().name)
        if len(calls) == 3:
            thrice.set()

    with periodically(work, 0.01, "clock"):
        assert thrice.wait(10)
    made = len(calls)
    assert set(calls) == {"clock"}
    time.sleep(0.05)
    assert len(calls) == made


def test_at_once_or_only_after_the_first_pause() -> None:
    called = threading.Event()
    with periodically(called.set, 600, "clock"):
        assert called.wait(10)
    called.clear()
    with periodically(called.set, 600, "clock", at_once=False):
        pass
    assert not called.is_set()
