"""Journal lines are read back as written; changed lines are refused."""

import json
from dataclasses import replace

import pytest

from noisebench.records.attempts import Ended, ErrorKind, Record, Status
from noisebench.records.lines import LineError, decode, encode, has_checksum, with_checksum
from tests.records.samples import completion, failure, start


@pytest.mark.parametrize("record", [start(), completion(), failure()], ids=["start", "completion", "failure"])
def test_a_record_is_read_back(record: Record) -> None:
    line = encode(record)
    assert line.endswith(b"}\n")
    assert line.count(b"\n") == 1
    assert decode(line) == decode(line[:-1]) == record
    assert has_checksum(line)
    assert json.loads(line)["event"] == ("ended" if isinstance(record, Ended) else "started")


def test_every_changed_byte_is_detected() -> None:
    """A change before the checksum is refused; one in it is refused or leaves the record as it was."""
    line = encode(completion())
    body = line.rindex(b',"crc32"')
    for at in range(body):
        changed = line[:at] + bytes([line[at] ^ 1]) + line[at + 1 :]
        with pytest.raises(LineError, match="checksum"):
            decode(changed)
    for at in range(body, len(line) - 1):
        changed = line[:at] + bytes([line[at] ^ 1]) + line[at + 1 :]
        try:
            record = decode(changed)
        except LineError:
            continue
        assert record == completion()


def test_a_line_without_a_checksum_is_read() -> None:
    members = json.loads(encode(completion()))
    del members["crc32"]
    line = json.dumps(members).encode() + b"\n"
    assert not has_checksum(line)
    assert decode(line) == completion()


def test_members_of_a_newer_version_are_ignored() -> None:
    members = {**json.loads(encode(failure())), "colour": "blue", "error_kind": "sunspots"}
    assert decode(json.dumps(members).encode()) == replace(failure(), error_kind=ErrorKind.UNKNOWN)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"event": "paused"}, "no line begins with event 'paused'"),
        ({"attempt_id": None}, "'attempt_id' is missing"),
        ({"status": "fine"}, "status is 'fine', not one of completed, failed, interrupted"),
        ({"status": "completed"}, "completed without a result"),
        ({"seconds": "long"}, "seconds is 'long', which is of the wrong type"),
        ({"seconds": True}, "seconds is True"),
        ({"ended_at": "yesterday"}, "yesterday"),
        ({"ended_at": "2026-11-20T10:00:00"}, "has no time zone"),
        ({"epochs": [3]}, "epochs is 3"),
        ({"epochs": 3}, "not iterable"),
        ({"result": {"flagged": 0.5}}, "flagged is 0.5"),
    ],
)
def test_a_line_with_wrong_members_is_refused_with_the_reason(changes: dict[str, object], why: str) -> None:
    members = {**json.loads(encode(failure())), **changes}
    del members["crc32"]
    with pytest.raises(LineError, match=why):
        decode(json.dumps(members).encode())


def test_an_end_has_the_values_of_its_enums() -> None:
    record = decode(with_checksum(json.dumps(json.loads(encode(failure()))).encode()))
    assert isinstance(record, Ended)
    assert (record.end.status, record.end.error_kind) == (Status.FAILED, ErrorKind.EXCEPTION)
