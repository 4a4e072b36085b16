"""What trials print, kept line by line with the attempt that printed it."""

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

# Of what one attempt prints on one stream, so much is kept.
MAX_LOG_BYTES = 10 * 1024**2


class Log:
    """The log file of one process; attempts write to it one after another.

    With `echo`, the output also goes to the stream that it was printed on. Each attempt may print
    `MAX_LOG_BYTES` on a stream; the log has a note where more was dropped.
    """

    def __init__(self, folder: SweepFolder, *, echo: bool = False) -> None:
        name = f"{provenance.host()}-{os.getpid()}-{uuid.uuid4().hex[:8]}.log"
        self._file = folder.logs / name
        self._echo = echo
        self.path = str(self._file.relative_to(folder.results.root))

    @contextmanager
    def of(self, attempt_id: str) -> Iterator[None]:
        """Write what Python prints on stdout or stderr in the block to the log, warnings included.

        If the log cannot be written, the output is lost: that is no reason for a trial to fail.
        """
        out, err = (self._lines(attempt_id, stream) for stream in (sys.stdout, sys.stderr))
        with closing(out), closing(err), redirect_stdout(out), redirect_stderr(err):
            yield

    def _lines(self, attempt_id: str, stream: TextIO) -> _Lines:
        return _Lines(self._file, attempt_id, stream if self._echo else None)


class _Lines(io.TextIOBase):
    """Writes each line with its time and attempt in front, because attempts share a file."""

    def __init__(self, file: Path, attempt_id: str, echo: TextIO | None) -> None:
        self._path = file
        self._attempt = attempt_id
        self._echo = echo
        self._begun = ""
        self._bytes_left = MAX_LOG_BYTES

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        if self._echo is not None:
            self._echo.write(text)
        *whole, self._begun = (self._begun + text).split("\n")
        self._append(whole)
        if len(self._begun) > self._bytes_left:
            self._append([self._begun])
            self._begun = ""
        return len(text)

    def close(self) -> None:
        if not self.closed and self._begun:
            self._append([self._begun])
            self._begun = ""
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
        """Return the lines that may still be written, with a note in place of the first that may not."""
        kept = []
        for line in lines:
            if self._bytes_left <= 0:
                break
            self._bytes_left -= len(line) + 1
            kept.append(line if self._bytes_left > 0 else f"(the log ends here after {MAX_LOG_BYTES} bytes)")
        return kept


def lines_of(results: ResultsFolder, log: str | None, attempt_id: str) -> Iterator[str]:
    """Yield the lines of one attempt from the log that its record names, each with its time in front.

    Yields nothing if the log is missing, or is not a regular file in the folder of a sweep's logs: a
    writer of the journal could name any other file, or a pipe that is never closed.
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
