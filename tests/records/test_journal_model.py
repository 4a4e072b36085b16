"""Durable appends survive on a model of a file system that loses unsynced data."""

import errno
import os
from pathlib import Path
from unittest.mock import patch

from hypothesis import example, given, settings
from hypothesis import strategies as st

from noisebench.records import durable
from noisebench.records.journal import JournalWriter, records
from tests.records.samples import completion, start

# The outcome of a call of write or fsync: it works, fails, or writes only this share of its bytes.
outcomes = st.one_of(st.just("works"), st.just("works"), st.just("fails"), st.floats(0.0, 0.99))
# What a power cut leaves of each unsynced byte range: its bytes, zeros, or nothing at the end of the file.
fates = st.sampled_from(["kept", "zeros", "lost"])


class Disk:
    """The pages of one journal file: those that a successful fsync covered are safe.

    After a failed fsync the pages it should have written count as clean, so no later fsync writes them.
    """

    def __init__(self, plan: list[object]) -> None:
        self.writes: list[bytes] = []
        self.safe: list[bool] = []
        self.pending: list[int] = []
        self._plan = iter(plan)

    def write(self, _: int, data: bytes) -> int:
        """Stand in for os.write."""
        outcome = next(self._plan, "works")
        if outcome == "fails":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        length = len(data) if outcome == "works" else int(len(data) * float(str(outcome)))
        self.pending.append(len(self.writes))
        self.writes.append(bytes(data[:length]))
        self.safe.append(False)
        return length

    def fsync(self, _: int) -> None:
        """Stand in for os.fsync."""
        outcome = next(self._plan, "works")
        for number in self.pending:
            self.safe[number] = outcome == "works"
        self.pending = []
        if outcome != "works":
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    def after_power_cut(self, chosen: list[str]) -> bytes:
        """Return the file's content: unsynced writes are kept or zeros; those at the end may be missing."""
        chosen = chosen + ["kept"] * len(self.writes)
        pieces = [
            data if safe or fate == "kept" else b"\0" * len(data)
            for data, safe, fate in zip(self.writes, self.safe, chosen, strict=False)
        ]
        while pieces and not self.safe[len(pieces) - 1] and chosen[len(pieces) - 1] == "lost":
            pieces.pop()
        return b"".join(pieces)


@settings(max_examples=150, derandomize=True, deadline=None, database=None)
@given(
    st.lists(outcomes, max_size=20),
    st.lists(fates, max_size=20),
    st.lists(st.booleans(), min_size=1, max_size=6),
)
@example(["works", "fails"], ["zeros"], [True])
@example([0.5, "works"], [], [True])
def test_every_durable_append_is_read_back(
    tmp_path_factory: object, plan: list[object], chosen: list[str], durably: list[bool]
) -> None:
    folder = Path(tmp_path_factory.mktemp("journal"))  # type: ignore[attr-defined]
    disk, promised, attempted = Disk(plan), [], []
    with JournalWriter(folder, "host") as writer:
        with (
            patch.object(os, "write", disk.write),
            patch.object(os, "fsync", disk.fsync),
            patch.object(durable, "RETRY_SECONDS", (0.0,)),
        ):
            for number, synced in enumerate(durably):
                record = completion(number) if synced else start(number)
                attempted.append(record)
                try:
                    writer.append(record, durable=synced)
                except OSError:
                    continue
                if synced:
                    promised.append(record)
        writer.path.write_bytes(disk.after_power_cut(chosen))
    read = list(records(folder))
    assert [record for record in promised if record not in read] == []
    assert [record for record in read if record not in attempted] == []
