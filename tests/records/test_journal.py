"""Appended records are read back whole, even if their writer is killed."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from noisebench.records import durable
from noisebench.records.attempts import Ended, Started
from noisebench.records.journal import (
    JournalLostError,
    JournalWriter,
    complete_lines,
    records,
    records_of,
)
from noisebench.records.lines import encode
from tests.records.samples import completion, failure, start


def test_records_are_read_back_in_order(tmp_path: Path) -> None:
    written = [start(0), completion(0), start(1), failure(1)]
    with JournalWriter(tmp_path / "journal", "host") as writer:
        for record in written:
            writer.append(record)
    assert list(records(tmp_path / "journal")) == written
    assert writer.path.name.startswith("host-")


def test_two_writers_never_share_a_file(tmp_path: Path) -> None:
    with JournalWriter(tmp_path, "host") as first, JournalWriter(tmp_path, "host") as second:
        assert first.path != second.path


def test_a_torn_last_line_is_left_and_a_corrupt_line_is_skipped(tmp_path: Path) -> None:
    path = tmp_path / "host-1.jsonl"
    last = encode(start(2))
    path.write_bytes(encode(start(0)) + b"not json\n[]\n{}\n" + encode(start(1)) + last[:40])
    assert list(records(tmp_path)) == [start(0), start(1)]
    lines, position = complete_lines(path)
    assert len(lines) == 5
    with path.open("ab") as file:
        file.write(last[40:])
    assert complete_lines(path, position)[0] == [last[:-1]]


def test_an_appended_record_survives_sigkill(tmp_path: Path) -> None:
    code = f"""
import os, signal
from pathlib import Path
from noisebench.records.journal import JournalWriter
from tests.records.samples import completion
JournalWriter(Path({str(tmp_path)!r}), "host").append(completion())
os.kill(os.getpid(), signal.SIGKILL)
"""
    done = subprocess.run([sys.executable, "-c", code], check=False)
    assert done.returncode == -signal.SIGKILL
    assert list(records(tmp_path)) == [completion()]


def test_a_write_to_a_full_file_system_is_retried(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first write is partial; it becomes a corrupt line, and the whole record follows."""
    real_write, calls = os.write, []

    def failing_once(descriptor: int, data: bytes) -> int:
        calls.append(data)
        if len(calls) == 1:
            return real_write(descriptor, data[:5])
        if len(calls) == 2:
            raise OSError(28, "No space left on device")
        return real_write(descriptor, data)

    monkeypatch.setattr(durable, "RETRY_SECONDS", (0.0, 0.0))
    monkeypatch.setattr(os, "write", failing_once)
    with JournalWriter(tmp_path, "host") as writer:
        writer.append(start(1))
        writer.append(start(2))
    assert list(records(tmp_path)) == [start(1), start(2)]
    assert len(complete_lines(writer.path)[0]) == 3


def test_after_a_failed_fsync_the_record_is_written_again_on_a_new_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk loses the bytes of the failed fsync: they read as zeros."""
    path, real_fsync, calls = None, os.fsync, []

    def losing_once(descriptor: int) -> None:
        calls.append(descriptor)
        if len(calls) == 1:
            assert path is not None
            with path.open("r+b") as file:
                size = len(file.read())
                file.seek(0)
                file.write(b"\0" * size)
            raise OSError(5, "Input/output error")
        real_fsync(descriptor)

    monkeypatch.setattr(durable, "RETRY_SECONDS", (0.0,))
    with JournalWriter(tmp_path, "host") as writer:
        path = writer.path
        monkeypatch.setattr(os, "fsync", losing_once)
        writer.append(completion())
    assert list(records(tmp_path)) == [completion()]


def test_a_permanent_failure_is_raised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(durable, "RETRY_SECONDS", (0.0,))
    monkeypatch.setattr(os, "write", full)
    with JournalWriter(tmp_path, "host") as writer, pytest.raises(OSError, match="No space left"):
        writer.append(start())


@pytest.mark.parametrize("durably", [True, False])
def test_removing_the_file_of_a_live_writer_is_reported(tmp_path: Path, durably: bool) -> None:
    with JournalWriter(tmp_path, "host") as writer:
        writer.append(start(0))
        writer.path.unlink()
        with pytest.raises(JournalLostError, match="was removed while its process wrote to it"):
            writer.append(start(1), durable=durably)


def test_new_folders_are_synced_in_their_parents(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced = []

    def note(descriptor: int) -> None:
        synced.append(Path(f"/proc/self/fd/{descriptor}").readlink())

    monkeypatch.setattr(os, "fsync", note)
    with JournalWriter(tmp_path / "results" / "journal" / "sweep", "host"):
        pass
    assert synced == [
        tmp_path,
        tmp_path / "results",
        tmp_path / "results" / "journal",
        tmp_path / "results" / "journal" / "sweep",
    ]


def test_nan_is_never_written(tmp_path: Path) -> None:
    with JournalWriter(tmp_path, "host") as writer, pytest.raises(ValueError, match="JSON compliant"):
        writer.append(completion(f1=float("nan")))
    assert list(records(tmp_path)) == []


def test_the_records_of_an_attempt_are_read_from_all_files(tmp_path: Path) -> None:
    with JournalWriter(tmp_path, "one") as one, JournalWriter(tmp_path, "two") as two:
        one.append(start(1))
        one.append(start(2))
        two.append(failure(1))
    attempt = start(1).attempt_id
    assert list(map(type, records_of(tmp_path, "attempt_id", attempt))) == [Started, Ended]
    assert list(records_of(tmp_path, "attempt_id", "c")) == []


def test_a_link_to_a_file_outside_the_journal_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "journal").mkdir()
    (tmp_path / "secret").write_bytes(encode(start()))
    (tmp_path / "journal" / "host-1.jsonl").symlink_to(tmp_path / "secret")
    with pytest.raises(OSError, match="symbolic link"):
        complete_lines(tmp_path / "journal" / "host-1.jsonl")


def test_a_fifo_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "host-1.jsonl")
    with pytest.raises(OSError, match="is no regular file"):
        complete_lines(tmp_path / "host-1.jsonl")


def test_a_linked_journal_folder_is_neither_written_nor_read(tmp_path: Path) -> None:
    root, outside = tmp_path / "results", tmp_path / "outside" / "sweep"
    with JournalWriter(outside, "host") as writer:
        writer.append(start())
    (root / "journal").mkdir(parents=True)
    (root / "journal" / "sweep").symlink_to(outside)
    before = list(outside.iterdir())
    with pytest.raises(OSError, match=r"Not a directory: '.*/results/journal/sweep'"):
        JournalWriter(root / "journal" / "sweep", "host")
    assert list(outside.iterdir()) == before
    assert list(records(root / "journal" / "sweep")) == []
