"""Periodic work in a background thread."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def periodically(
    work: Callable[[], None], seconds: float, name: str, *, at_once: bool = True
) -> Iterator[None]:
    """Call `work` every `seconds` in a thread called `name` until the block ends.

    With `at_once`, the first call is at the start of the block. An exception in `work` ends the thread, not
    the block, so `work` must handle the errors that it expects.
    """
    stop = threading.Event()

    def repeat() -> None:
        if at_once:
            work()
        while not stop.wait(seconds):
            work()

    thread = threading.Thread(target=repeat, name=name, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
