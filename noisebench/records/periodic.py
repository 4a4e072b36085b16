"""Work that is done now and then while something else goes on."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def periodically(
    work: Callable[[], None], seconds: float, name: str, *, at_once: bool = True
) -> Iterator[None]:
    """Call `work` every so many seconds, in a thread called `name`, until the block ends.

    `at_once`: the first time when the block begins. What `work` raises ends the thread, not the block, so
    it has to deal with what it expects.
    """
    stop = threading.Event()

    def rounds() -> None:
        if at_once:
            work()
        while not stop.wait(seconds):
            work()

    thread = threading.Thread(target=rounds, name=name, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
