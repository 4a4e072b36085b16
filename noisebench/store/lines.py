"""What a results folder's files have gained since they were last read."""

import errno
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from noisebench.records.durable import is_storage_error, open_inside
from noisebench.records.folders import ResultsFolder

# File inside the results folder -> bytes taken in, modification time in ns.
Taken = dict[str, tuple[int, int]]


# How the names of journal files begin that come from an archive.
IMPORTED = "import-"
# How long bytes that were written may stay invisible on a network file system.
LATE_SECONDS = 60.0


class Line(NamedTuple):
    """One line of a file in the results folder; `byte` is where it starts."""

    file: str
    byte: int
    text: bytes


@dataclass(frozen=True)
class Source:
    """A file of the results folder, to be read from byte `start`; `file` is its path inside the folder."""

    root: Path
    file: str
    start: int
    size: int
    modified_ns: int

    @property
    def shrunk(self) -> bool:
        """Whether it is shorter than what was read of it, so that it is not the file it was."""
        return self.size < self.start

    def lines(self) -> Iterator[Line]:
        """Yield the whole lines from `start` on.

        A last line without its newline is still being written, or was torn by its writer's death; it is left.
        So are, while the file is young, a line with zeros and all behind it: over a network, bytes may become
        visible later than what was written after them. Raises OSError where the file cannot be read, or is a
        symbolic link.
        """
        byte = self.start
        with open_inside(self.root, self.file) as file:
            file.seek(byte)
            for text in file:
                if not text.endswith(b"\n") or (b"\0" in text and self._is_young):
                    return
                yield Line(self.file, byte, text)
                byte += len(text)

    @property
    def _is_young(self) -> bool:
        return time.time() - self.modified_ns / 1e9 < LATE_SECONDS


@dataclass(frozen=True)
class Unreadable:
    """A file of the results folder that cannot be read, with the reason."""

    file: str
    why: str


def journals(results: ResultsFolder, taken: Taken) -> tuple[list[Source], list[Unreadable]]:
    """Return the journal files with whole lines that were not taken in yet, and those that shrank.

    With them, the files that cannot be read. Raises OSError where the file system fails.
    """
    sources, unreadable = [], []
    for source in _sources(results, results.journal.glob("*/*.jsonl"), taken):
        try:
            if source.shrunk or (source.size != source.start and any(source.lines())):
                sources.append(source)
        except OSError as error:
            if is_storage_error(error):
                raise
            unreadable.append(_unreadable(source, error))
    return sources, unreadable


def manifests(results: ResultsFolder, taken: Taken) -> tuple[list[Source], list[Unreadable]]:
    """Return the manifests that are not as they were taken in; they are replaced whole, so start at 0.

    With them, those that cannot be read. Raises OSError where the file system fails.
    """
    sources, unreadable = [], []
    for source in _sources(results, results.sweeps.glob("*/manifest.jsonl"), {}):
        if taken.get(source.file) == (source.size, source.modified_ns):
            continue
        try:
            any(source.lines())
        except OSError as error:
            if is_storage_error(error):
                raise
            unreadable.append(_unreadable(source, error))
        else:
            sources.append(source)
    return sources, unreadable


def _unreadable(source: Source, error: OSError) -> Unreadable:
    why = "is a symbolic link" if error.errno == errno.ELOOP else error.strerror or str(error)
    return Unreadable(source.file, why)


def removed(results: ResultsFolder, taken: Taken) -> list[str]:
    """Return the files that were taken in and are no longer there, sorted."""
    return sorted(file for file in taken if not (results.root / file).exists())


def _sources(results: ResultsFolder, paths: Iterable[Path], taken: Taken) -> Iterator[Source]:
    for path in sorted(paths):
        file = path.relative_to(results.root).as_posix()
        start, _ = taken.get(file, (0, 0))
        try:
            stat = path.lstat()
        except FileNotFoundError:  # removed since it was listed
            continue
        yield Source(results.root, file, start, stat.st_size, stat.st_mtime_ns)
