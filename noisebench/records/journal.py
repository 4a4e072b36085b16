"""The journal: append-only files of records, one line for each."""

import os
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, Self

from noisebench.errors import EnvironmentFault
from noisebench.records.attempts import Record
from noisebench.records.durable import (
    folder_inside,
    make_folder,
    open_of_sweep,
    patiently,
    unreadable_skipped,
)
from noisebench.records.lines import LineError, decode, encode


class JournalLostError(OSError):
    """The journal file of a live process was removed."""


class JournalWriter:
    """One journal file, created and written by this process alone.

    A record is durable when `append` returns. Only this process writes to the file, so a torn line comes
    from its death or from a failing file system. Readers skip torn lines.
    """

    def __init__(self, folder: Path, host: str) -> None:
        """Create `<host>-<uuid>.jsonl` in `folder`, ROOT/journal/SWEEP, creating the folder if needed.

        Raises OSError if it cannot be created, or if a folder below ROOT is a link: readers refuse those.
        """
        self.path = folder / f"{host}-{uuid.uuid4().hex}.jsonl"
        flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_APPEND
        with journal_folder(folder) as descriptor:
            self._descriptor = os.open(self.path.name, flags, 0o644, dir_fd=descriptor)
            self._torn = False
            os.fsync(descriptor)

    def append(self, record: Record, *, durable: bool = True) -> None:
        """Append one record as one line; `durable` waits until it is on the disk.

        A write that fails is retried for about 40 seconds, then its OSError is raised. Raises
        JournalLostError if the file was removed: its records are lost.
        """
        line = encode(record)
        patiently(lambda: self._write(line, durable))
        if os.fstat(self._descriptor).st_nlink == 0:
            raise JournalLostError(
                f"{self.path}: was removed while its process wrote to it, and all its records are lost; "
                "leave the results folder of a running sweep alone, then resume the sweep"
            )

    def _write(self, line: bytes, durable: bool) -> None:
        # End the torn line of an earlier failed write. After a failed fsync it is unknown which bytes are on
        # the disk, and the next fsync does not write them again.
        payload = b"\n" + line if self._torn else line
        self._torn = True
        written = os.write(self._descriptor, payload)
        if written != len(payload):
            raise OSError(f"{self.path}: only {written} of {len(payload)} bytes were written")
        if durable:
            os.fsync(self._descriptor)
        self._torn = False

    def close(self) -> None:
        """Close the file; appending afterwards is an error."""
        os.close(self._descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def check_journal_folder(folder: Path) -> None:
    """Raise EnvironmentFault if no journal file can be made in ROOT/journal/SWEEP."""
    try:
        with journal_folder(folder):
            pass
    except OSError as error:
        raise EnvironmentFault(
            f"{folder}: cannot hold records: {error}; if it is a link, put the folder itself there"
        ) from None


@contextmanager
def journal_folder(folder: Path) -> Iterator[int]:
    """Open ROOT/journal/SWEEP, made if needed; yield its descriptor. Raises OSError like `folder_inside`."""
    root, inside = folder.parents[1], "/".join(folder.parts[-2:])
    make_folder(root)
    with folder_inside(root, inside, make=True) as descriptor:
        yield descriptor


def complete_lines(path: Path, start: int = 0) -> tuple[list[bytes], int]:
    """Return the whole lines of `path` from byte `start`, with the position after the last of them.

    A last line without a newline is incomplete or torn, and left for a later call. Raises OSError if the
    path, ROOT/journal/SWEEP/NAME, is not a regular file, or leads over a symbolic link below ROOT.
    """
    with open_of_sweep(path) as file:
        file.seek(start)
        data = file.read()
    end = data.rfind(b"\n") + 1
    return data[:end].split(b"\n")[:-1], start + end


def records(folder: Path) -> Iterator[Record]:
    """Yield every record in the journal files of `folder`; skip lines without a record.

    Files that cannot be read, such as links, are left out; ingestion reports them. Raises OSError where the
    file system fails.
    """
    for path in sorted(folder.glob("*.jsonl")):
        with unreadable_skipped():
            yield from readable(complete_lines(path)[0])


def records_of(folder: Path, key: Literal["attempt_id", "trial_id"], value: str) -> Iterator[Record]:
    """Yield the records of one attempt or trial; decode only lines that contain its id."""
    mention = value.encode()
    for path in sorted(folder.glob("*.jsonl")):
        with unreadable_skipped():
            candidates = readable(line for line in complete_lines(path)[0] if mention in line)
            yield from (record for record in candidates if getattr(record, key) == value)


def readable(lines: Iterable[bytes]) -> Iterator[Record]:
    """Yield the records of the lines; skip lines without a record."""
    for line in lines:
        try:
            yield decode(line)
        except LineError:
            continue
