"""Log files: the output of trials, each line with its attempt."""

from __future__ import annotations

import io
import os
import sys
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, redirect_stderr, redirect_stdout, suppress
from typing import TextIO
from weakref import finalize

from noisebench.records import provenance
from noisebench.records.attempts import now
from noisebench.records.durable import folder_inside, make_folder, open_inside
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
        self._folder = folder
        self._descriptor: int | None = None
        self._echo = echo
        self.path = str((folder.logs / name).relative_to(folder.results.root))

    @contextmanager
    def of(self, attempt_id: str) -> Iterator[None]:
        """Write Python's output on stdout and stderr in the block to the log, warnings included.

        If the log cannot be written, the output is lost; the trial does not fail.
        """
        out, err = (self._lines(attempt_id, stream) for stream in (sys.stdout, sys.stderr))
        with closing(out), closing(err), redirect_stdout(out), redirect_stderr(err):
            yield

    def _lines(self, attempt_id: str, stream: TextIO) -> _Lines:
        return _Lines(self._write, attempt_id, stream if self._echo else None)

    def _write(self, text: bytes) -> None:
        """Append to the file, which stays open: a name that somebody replaces by a link leads elsewhere."""
        with suppress(OSError):
            if self._descriptor is None:
                self._descriptor = self._opened()
                finalize(self, os.close, self._descriptor)
            os.write(self._descriptor, text)

    def _opened(self) -> int:
        root, (parents, _, name) = self._folder.results.root, self.path.rpartition("/")
        make_folder(root)
        with folder_inside(root, parents, make=True) as folder:
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL
            return os.open(name, flags, 0o666, dir_fd=folder)


class _Lines(io.TextIOBase):
    """Writes each line with its time and attempt id, because attempts share a file."""

    def __init__(self, append: Callable[[bytes], None], attempt_id: str, echo: TextIO | None) -> None:
        self._append_text = append
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
        text = b"".join(self._within_limit(lines))
        if text:
            self._append_text(text)

    def _within_limit(self, lines: list[str]) -> Iterator[bytes]:
        """Yield the file's lines within the limit, with a note in place of the first line beyond it."""
        for line in lines:
            if self._bytes_left <= 0:
                return
            written = self._in_file(line)
            self._bytes_left -= len(written)
            if self._bytes_left > 0:
                yield written
            else:
                yield self._in_file(f"(the log ends here after {MAX_LOG_BYTES} bytes)")

    def _in_file(self, line: str) -> bytes:
        return f"{now()} {self._attempt} {line}\n".encode(errors="replace")


def lines_of(results: ResultsFolder, log: str | None, attempt_id: str) -> Iterator[str]:
    """Yield the lines of one attempt, with their times, from the log that its record names.

    Yields nothing if the log is missing or not a regular file in a sweep's log folder: a manipulated journal
    could name any other file, or a pipe that never closes.
    """
    if log is None:
        return
    match log.split("/"):
        case ["sweeps", _, "logs", _]:
            pass
        case _:
            return
    with suppress(OSError), open_inside(results.root, log) as file:
        for line in file:
            time, _, rest = line.decode(errors="replace").rstrip("\n").partition(" ")
            attempt, _, text = rest.partition(" ")
            if attempt == attempt_id:
                yield f"{time} {text}"
