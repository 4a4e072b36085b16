"""The journal: append-only lines that say what happened to each attempt."""

import json
import os
import uuid
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Self

from noisebench.records.durable import patiently, sync_folder


class JournalWriter:
    """One journal file, created and written by this process alone.

    A line is durable when `append` returns: a record that was reported is never lost. Because no
    other process writes to the file, the only line that can be torn is the last one of a process
    that died, or one that a full file system cut short; readers skip both.
    """

    def __init__(self, folder: Path, host: str) -> None:
        """Create `<host>-<uuid>.jsonl` in `folder`, making the folder where needed."""
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / f"{host}-{uuid.uuid4().hex}.jsonl"
        self._descriptor = os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_APPEND, 0o644)
        self._torn = False
        sync_folder(folder)

    def append(self, record: dict[str, Any], *, durable: bool = True) -> None:
        """Append one record as one line; `durable` waits until it is on the disk.

        A full or failing file system is tried again for about 40 seconds, then its OSError is raised.
        """
        line = json.dumps(record, separators=(",", ":"), allow_nan=False).encode() + b"\n"

        def write() -> None:
            self._write(line)
            if durable:
                os.fsync(self._descriptor)

        patiently(write)

    def _write(self, line: bytes) -> None:
        # What an earlier, cut-short write left behind is closed off as a line of its own.
        payload = b"\n" + line if self._torn else line
        self._torn = True
        written = os.write(self._descriptor, payload)
        if written != len(payload):
            raise OSError(f"{self.path}: only {written} of {len(payload)} bytes were written")
        self._torn = False

    def close(self) -> None:
        """Close the file; appending afterwards is an error."""
        os.close(self._descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def complete_lines(path: Path, start: int = 0) -> tuple[list[bytes], int]:
    """Return the whole lines of `path` from byte `start`, with the position after the last of them.

    A last line without its newline is still being written, or was torn by its writer's death; it is
    left for a later call.
    """
    with path.open("rb") as file:
        file.seek(start)
        data = file.read()
    end = data.rfind(b"\n") + 1
    return data[:end].split(b"\n")[:-1], start + end


def records(folder: Path) -> Iterator[dict[str, Any]]:
    """Yield every readable record in `folder`'s journal files, skipping lines that are not JSON objects."""
    for path in sorted(folder.glob("*.jsonl")):
        yield from readable(complete_lines(path)[0])


def records_of(folder: Path, key: str, value: str) -> Iterator[dict[str, Any]]:
    """Yield the records with this value, of one attempt or trial; files without it are not taken apart."""
    mention = value.encode()
    for path in sorted(folder.glob("*.jsonl")):
        if mention in path.read_bytes():
            found = readable(line for line in complete_lines(path)[0] if mention in line)
            yield from (record for record in found if record.get(key) == value)


def readable(lines: Iterable[bytes]) -> Iterator[dict[str, Any]]:
    """Yield the lines that are JSON objects."""
    for line in lines:
        try:
            record = json.loads(line)
        except ValueError:
            continue
        if isinstance(record, dict):
            yield record
