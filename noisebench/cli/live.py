"""Progress of a running sweep, on stderr."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from rich.progress import Progress as Bar
    from rich.progress import TaskID

    from noisebench.engine.progress import Progress

PLAIN_LINE_SECONDS = 10.0


class LiveProgress:
    """A bar on a terminal, a line now and then elsewhere; nothing where nothing was pending."""

    def __init__(self, sweep: str) -> None:
        self._sweep = sweep
        self._bar: Bar | None = None
        self._task: TaskID | None = None
        self._last_line = 0.0

    def __enter__(self) -> Self:
        return self

    def update(self, progress: Progress) -> None:
        """Show the state of the sweep."""
        text = describe(progress)
        if sys.stderr.isatty():
            self._draw(progress, text)
            return
        done = not progress.pending and not progress.running
        if done or time.monotonic() - self._last_line >= PLAIN_LINE_SECONDS:
            self._last_line = time.monotonic()
            print(f"{self._sweep}: {text}", file=sys.stderr, flush=True)

    def _draw(self, progress: Progress, text: str) -> None:
        if self._bar is None:
            from rich.console import Console
            from rich.progress import BarColumn, TextColumn
            from rich.progress import Progress as NewBar

            columns = (TextColumn("{task.fields[sweep]}"), BarColumn(), TextColumn("{task.description}"))
            self._bar = NewBar(*columns, console=Console(stderr=True))
            self._bar.start()
            self._task = self._bar.add_task(text, total=progress.total, sweep=self._sweep)
        assert self._task is not None
        settled = progress.completed + progress.failed
        self._bar.update(self._task, completed=settled, description=text)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()


def describe(progress: Progress) -> str:
    """Return "34/57 done, 2 running, 21 pending, 640 trials/h, 2 min left", failures where there are any."""
    parts = [f"{progress.completed}/{progress.total} done"]
    if progress.failed:
        parts.append(f"{progress.failed} failed")
    parts += [f"{progress.running} running", f"{progress.pending} pending"]
    if progress.stopped:
        parts.append(f"{progress.held} of them in stopped blocks ({', '.join(progress.stopped)})")
    if progress.eta_seconds is not None:
        parts.append(f"{progress.rate_per_hour:.0f} trials/h")
        parts.append(f"{duration(progress.eta_seconds)} left")
    return ", ".join(parts)


def duration(seconds: float) -> str:
    """Return a length of time in the unit a person would use."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 90 * 60:
        return f"{seconds / 60:.0f} min"
    if seconds < 48 * 3600:
        return f"{seconds / 3600:.1f} h"
    return f"{seconds / 86400:.1f} d"
