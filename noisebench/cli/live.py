"""Progress of a running sweep, on stderr."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from types import TracebackType
from typing import TYPE_CHECKING, Self

from noisebench.cli.terminal import duration
from noisebench.records.periodic import periodically

if TYPE_CHECKING:
    from rich.progress import Progress as Bar
    from rich.progress import TaskID

    from noisebench.engine.progress import Progress

PLAIN_LINE_SECONDS = 10.0


class LiveProgress:
    """A progress bar on a terminal; elsewhere a line every ten seconds and one at the end.

    Prints nothing if nothing was pending. The lines are printed by a clock: right after a trial has ended,
    its place is not taken again yet, and a line would show one running trial too few.
    """

    def __init__(self, sweep: str) -> None:
        self._sweep = sweep
        self._bar: Bar | None = None
        self._task: TaskID | None = None
        self._progress: Progress | None = None
        self._at_exit = ExitStack()

    def __enter__(self) -> Self:
        if not sys.stderr.isatty():
            lines = periodically(self._print_line, PLAIN_LINE_SECONDS, "progress", at_once=False)
            self._at_exit.enter_context(lines)
        return self

    def update(self, progress: Progress) -> None:
        """Take the new state of the sweep."""
        self._progress = progress
        if sys.stderr.isatty():
            self._draw(progress, describe(progress))

    def _print_line(self) -> None:
        if self._progress is not None:
            print(f"{self._sweep}: {describe(self._progress)}", file=sys.stderr, flush=True)

    def _draw(self, progress: Progress, text: str) -> None:
        if self._bar is None:
            from rich.console import Console
            from rich.progress import BarColumn, TextColumn
            from rich.progress import Progress as NewBar

            names = TextColumn("{task.fields[sweep]}", markup=False)
            columns = (names, BarColumn(), TextColumn("{task.description}", markup=False))
            self._bar = NewBar(*columns, console=Console(stderr=True))
            self._bar.start()
            self._task = self._bar.add_task(text, total=progress.total, sweep=self._sweep)
        assert self._task is not None
        settled = progress.completed + progress.failed
        self._bar.update(self._task, completed=settled, description=text)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._at_exit.close()
        if self._bar is not None:
            self._bar.stop()
        elif not sys.stderr.isatty():
            self._print_line()


def describe(progress: Progress) -> str:
    """Return "34/57 done, 2 running, 21 pending, 640 trials/h, 2 min left", and failures if there are any."""
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
