"""What trials print, kept line by line with the attempt that printed it."""

from __future__ import annotations

import io
import os
import sys
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import TextIO

from noisebench.records import provenance
from noisebench.records.attempts import now
from noisebench.records.folders import ResultsFolder, SweepFolder


class Log:
    """The log file of one process; attempts write to it one after another.

    `echo`: what is printed also goes where it went before, for people who watch a single process.
    """

    def __init__(self, folder: SweepFolder, *, echo: bool = False) -> None:
        name = f"{provenance.host()}-{os.getpid()}-{uuid.uuid4().hex[:8]}.log"
        self._file = folder.logs / name
        self._echo = echo
        self.path = str(self._file.relative_to(folder.results.root))

    @contextmanager
    def of(self, attempt_id: str) -> Iterator[None]:
        """Take what Python prints on stdout or stderr in the block, warnings and tracebacks too.

        A log that cannot be written is no reason for a trial to fail.
        """
        out, err = (self._lines(attempt_id, stream) for stream in (sys.stdout, sys.stderr))
        with closing(out), closing(err), redirect_stdout(out), redirect_stderr(err):
            yield

    def _lines(self, attempt_id: str, stream: TextIO) -> _Lines:
        return _Lines(self._file, attempt_id, stream if self._echo else None)


class _Lines(io.TextIOBase):
    """Writes each line with its time and attempt in front, for attempts share a file."""

    def __init__(self, file: Path, attempt_id: str, echo: TextIO | None) -> None:
        self._path = file
        self._attempt = attempt_id
        self._echo = echo
        self._begun = ""

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        if self._echo is not None:
            self._echo.write(text)
        *whole, self._begun = (self._begun + text).split("\n")
        self._append(whole)
        return len(text)

    def close(self) -> None:
        if not self.closed and self._begun:
            self._append([self._begun])
            self._begun = ""
        super().close()

    def _append(self, lines: list[str]) -> None:
        if not lines:
            return
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("a", encoding="utf-8", errors="replace") as file:
                file.writelines(f"{now()} {self._attempt} {line}\n" for line in lines)
        except OSError:
            return


def lines_of(results: ResultsFolder, log: str | None, attempt_id: str) -> Iterator[str]:
    """Yield the lines of one attempt from the log its record names, time in front; none if it is gone."""
    if log is None:
        return
    try:
        with (results.root / log).open(encoding="utf-8", errors="replace") as file:
            for line in file:
                time, _, rest = line.rstrip("\n").partition(" ")
                attempt, _, text = rest.partition(" ")
                if attempt == attempt_id:
                    yield f"{time} {text}"
    except OSError:
        return
