"""What was appended is there, whole, whatever happened to its writer."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from noisebench.records import durable
from noisebench.records.journal import JournalWriter, complete_lines, records, records_of


def test_lines_come_back_in_order(tmp_path: Path) -> None:
    with JournalWriter(tmp_path / "journal", "host") as writer:
        for number in range(3):
            writer.append({"number": number})
    assert [record["number"] for record in records(tmp_path / "journal")] == [0, 1, 2]
    assert writer.path.name.startswith("host-")


def test_two_writers_never_share_a_file(tmp_path: Path) -> None:
    with JournalWriter(tmp_path, "host") as first, JournalWriter(tmp_path, "host") as second:
        assert first.path != second.path


def test_a_torn_last_line_waits_and_a_corrupt_one_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "host-1.jsonl"
    path.write_bytes(b'{"a": 1}\nnot json\n[]\n{"a": 2}\n{"a": ')
    assert [record["a"] for record in records(tmp_path)] == [1, 2]
    lines, position = complete_lines(path)
    assert len(lines) == 4
    with path.open("ab") as file:
        file.write(b"3}\n")
    assert complete_lines(path, position)[0] == [b'{"a": 3}']


def test_what_was_appended_survives_sigkill(tmp_path: Path) -> None:
    code = f"""
import os, signal
from pathlib import Path
from noisebench.records.journal import JournalWriter
JournalWriter(Path({str(tmp_path)!r}), "host").append({{"done": True}})
os.kill(os.getpid(), signal.SIGKILL)
"""
    done = subprocess.run([sys.executable, "-c", code], check=False)
    assert done.returncode == -signal.SIGKILL
    assert list(records(tmp_path)) == [{"done": True}]


def test_a_full_file_system_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first write is cut short; its rest is closed off as a corrupt line, the record follows whole."""
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
        writer.append({"number": 1})
        writer.append({"number": 2})
    assert [record["number"] for record in records(tmp_path)] == [1, 2]
    assert len(complete_lines(writer.path)[0]) == 3


def test_a_lasting_failure_is_raised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(durable, "RETRY_SECONDS", (0.0,))
    monkeypatch.setattr(os, "write", full)
    with JournalWriter(tmp_path, "host") as writer, pytest.raises(OSError, match="No space left"):
        writer.append({})


def test_nan_never_reaches_the_file(tmp_path: Path) -> None:
    with JournalWriter(tmp_path, "host") as writer, pytest.raises(ValueError, match="JSON compliant"):
        writer.append({"f1": float("nan")})
    assert json.dumps(list(records(tmp_path))) == "[]"


def test_the_records_of_one_attempt_from_all_files(tmp_path: Path) -> None:
    with JournalWriter(tmp_path, "one") as one, JournalWriter(tmp_path, "two") as two:
        one.append({"attempt_id": "a", "event": "started"})
        one.append({"attempt_id": "b", "event": "started", "error": "not of a"})
        two.append({"attempt_id": "a", "event": "ended"})
    assert [record["event"] for record in records_of(tmp_path, "attempt_id", "a")] == ["started", "ended"]
    assert list(records_of(tmp_path, "attempt_id", "c")) == []
