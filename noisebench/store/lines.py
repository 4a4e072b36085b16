"""What a results folder's files have gained since they were last read."""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from noisebench.records.folders import ResultsFolder

# File inside the results folder -> bytes taken in, modification time in ns.
Taken = dict[str, tuple[int, int]]


# How the names of journal files begin that come from an archive.
IMPORTED = "import-"


@dataclass(frozen=True)
class Line:
    """One line of a file in the results folder; `byte` is where it starts."""

    file: str
    byte: int
    text: bytes


@dataclass(frozen=True)
class Source:
    """A file of the results folder, to be read from byte `start`; `file` is its path inside the folder."""

    path: Path
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
        """
        byte = self.start
        with self.path.open("rb") as file:
            file.seek(byte)
            for text in file:
                if not text.endswith(b"\n"):
                    return
                yield Line(self.file, byte, text)
                byte += len(text)


def journals(results: ResultsFolder, taken: Taken) -> list[Source]:
    """Return the journal files with whole lines that were not taken in yet, and those that shrank."""
    found = _sources(results, results.journal.glob("*/*.jsonl"), taken)
    grown = (source for source in found if source.size != source.start)
    return [source for source in grown if source.shrunk or any(source.lines())]


def manifests(results: ResultsFolder, taken: Taken) -> list[Source]:
    """Return the manifests that are not as they were taken in; they are replaced whole, so start at 0."""
    found = _sources(results, results.sweeps.glob("*/manifest.jsonl"), {})
    return [source for source in found if taken.get(source.file) != (source.size, source.modified_ns)]


def _sources(results: ResultsFolder, paths: Iterable[Path], taken: Taken) -> Iterator[Source]:
    for path in sorted(paths):
        file = path.relative_to(results.root).as_posix()
        start, _ = taken.get(file, (0, 0))
        stat = _stat(path)
        if stat is not None:
            yield Source(path, file, start, stat.st_size, stat.st_mtime_ns)


def _stat(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except FileNotFoundError:  # removed since it was listed
        return None
