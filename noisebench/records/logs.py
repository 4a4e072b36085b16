"""Log files: the output of trials, each line with its attempt."""

from __future__ import annotations

import io
import os
import stat
import sys
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import TextIO

from noisebench.records import provenance
from noisebench.records.attempts import now
from noisebench.records.folders import ResultsFolder, SweepFolder

# The limit of an attempt's output on one stream.
MAX_LOG_BYTES = 10 * 1024**2


class Log:
    """The log file of one process; attempts write to it one after another.

    With `echo`, the output also goes to its original stream. Output beyond `MAX_LOG_BYTES` on a stream of
    an attempt is dropped, with a note in the log.
    """

    def __init__(self, folder: SweepFolder, *, echo: bool = False) -> None:
        name = f"{provenance.host()}-{os.getpid()}-{uuid.uuid4().hex[:8]}.log"
        self._file = folder.logs / name
        self._echo = echo
        self.path = str(self._file.relative_to(folder.results.root))

    @contextmanager
    def of(self, attempt_id: str) -> Iterator[None]:
        """Write Python's output on stdout and stderr in the block to the log, warnings included.

        If the log cannot be written, the output is lost; the trial does not fail.
        """
        out, err = (self._lines(attempt_id, stream) for stream in (sys.stdout, sys.stderr))
        with closing(out), closing(err), redirect_stdout(out), redirect_stderr(err):
            yield

    def _lines(self, attempt_id: str, stream: TextIO) -> _Lines:
        return _Lines(self._file, attempt_id, stream if self._echo else None)


class _Lines(io.TextIOBase):
    """Writes each line with its time and attempt id, because attempts share a file."""

    def __init__(self, file: Path, attempt_id: str, echo: TextIO | None) -> None:
        self._path = file
        self._attempt = attempt_id
        self._echo = echo
        self._partial_line = ""
        self._bytes_left = MAX_LOG_BYTES

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        if self._echo is not None:
            self._echo.write(text)
        *complete, self._partial_line = (self._partial_line + text).split("\n")
        self._append(complete)
        if len(self._partial_line) > self._bytes_left:
            self._append([self._partial_line])
            self._partial_line = ""
        return len(text)

    def close(self) -> None:
        if not self.closed and self._partial_line:
            self._append([self._partial_line])
            self._partial_line = ""
        super().close()

    def _append(self, lines: list[str]) -> None:
        lines = self._within_limit(lines)
        if not lines:
            return
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("a", encoding="utf-8", errors="replace") as file:
                file.writelines(f"{now()} {self._attempt} {line}\n" for line in lines)
        except OSError:
            return

    def _within_limit(self, lines: list[str]) -> list[str]:
        """Return the lines within the limit, with a note in place of the first line beyond it."""
        written = []
        for line in lines:
            if self._bytes_left <= 0:
                break
            self._bytes_left -= len(line) + 1
            written.append(
                line if self._bytes_left > 0 else f"(the log ends here after {MAX_LOG_BYTES} bytes)"
            )
        return written


def lines_of(results: ResultsFolder, log: str | None, attempt_id: str) -> Iterator[str]:
    """Yield the lines of one attempt, with their times, from the log that its record names.

    Yields nothing if the log is missing or not a regular file in a sweep's log folder: a manipulated journal
    could name any other file, or a pipe that never closes.
    """
    if log is None:
        return
    path = (results.root / log).resolve()
    if path.parent.name != "logs" or path.parent.parent.parent != results.sweeps.resolve():
        return
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with open(descriptor, encoding="utf-8", errors="replace") as file:  # noqa: PTH123
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                return
            for line in file:
                time, _, rest = line.rstrip("\n").partition(" ")
                attempt, _, text = rest.partition(" ")
                if attempt == attempt_id:
                    yield f"{time} {text}"
    except OSError:
        return
