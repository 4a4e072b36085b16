"""Messages between jobs: private, replaced atomically, read as written, refused from older generations."""

import os
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from noisebench.records.folders import ResultsFolder
from noisebench.slurm.messages import Messages
from noisebench.slurm.protocol import Head, Kept, WorkerEnd

HEAD = Head("10.0.0.1:6379", "7-a", 1)


@pytest.fixture
def messages(tmp_path: Path) -> Messages:
    messages = Messages(ResultsFolder(tmp_path).sweep("test"))
    messages.begin()
    return messages


def test_only_the_user_can_enter_the_folder(tmp_path: Path) -> None:
    messages = Messages(ResultsFolder(tmp_path).sweep("test"))
    messages.folder.mkdir(parents=True, mode=0o777)
    messages.begin()
    assert messages.folder.stat().st_mode & 0o777 == 0o700
    assert messages.token.stat().st_mode & 0o777 == 0o600


def test_a_new_submission_has_a_new_token_and_no_old_messages_or_arguments(messages: Messages) -> None:
    token = messages.token.read_text()
    messages.publish(HEAD)
    messages.note_fault("worker", "1_0", "no such interface")
    messages.workers.ask_for_requeue("1_0", WorkerEnd.PREEMPTED)
    messages.workers.ask_to_drain("1_1")
    messages.ask_for_workers(3)
    for name in ("1_0_submitted.pkl", "1_0_0_log.out"):
        (messages.jobs_folder / name).touch()
    messages.begin()
    assert [path.name for path in messages.jobs_folder.iterdir()] == ["1_0_0_log.out"]
    assert messages.token.read_text() != token
    assert (messages.head(), messages.faults(), messages.scale_request()) == (None, {}, None)
    assert not messages.workers.wants_requeue("1_0")
    assert not messages.workers.is_draining("1_1")


def test_messages_are_read_as_they_were_written(messages: Messages) -> None:
    kept = Kept("x", "/data", "2030-01-02T03:04:05+00:00", "abc", [("driver", "1"), ("workers", "2")])
    messages.keep_submission(kept)
    messages.note_fault("driver", "1", "no such interface")
    messages.workers.ask_for_requeue("2_1", WorkerEnd.TIME_LIMIT)
    assert messages.kept_submission() == kept
    assert messages.faults() == {"driver-1": "no such interface"}
    assert (messages.workers.wants_requeue("2_1"), messages.workers.wants_requeue("2_0")) == (True, False)
    messages.workers.forget_requeue("2_1")
    assert not messages.workers.wants_requeue("2_1")


@pytest.mark.parametrize("content", ["", "{", "[]", '{"address": "x"}', '{"unknown": 1}'])
def test_a_torn_head_counts_as_absent(messages: Messages, content: str) -> None:
    (messages.folder / "head.json").write_text(content)
    assert messages.head() is None
    assert messages.next_generation() == 1


def test_an_older_driver_cannot_publish(messages: Messages) -> None:
    assert messages.publish(HEAD)
    newer = Head("10.0.0.2:6379", "8-b", messages.next_generation())
    assert messages.publish(newer)
    assert not messages.publish(replace(HEAD, beat=5))
    assert messages.head() == newer


def test_of_two_drivers_that_started_at_once_one_remains(messages: Messages) -> None:
    twin = replace(HEAD, driver="8-b")
    messages.publish(HEAD)
    assert messages.publish(twin)
    assert not messages.publish(HEAD)


def test_a_superseded_driver_knows_it_at_its_next_heartbeat(
    messages: Messages, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("noisebench.slurm.messages.BEAT_SECONDS", 0.01)
    superseded, newer = threading.Event(), threading.Event()
    with (
        messages.published(HEAD, superseded.set),
        messages.published(Head("10.0.0.2:6379", "8-b", 2), newer.set),
    ):
        assert superseded.wait(10)
    assert not newer.is_set()
    head = messages.head()
    assert head is not None
    assert head.driver == "8-b"


def test_what_is_no_text_or_no_file_blocks_no_message(messages: Messages) -> None:
    messages.note_fault("worker", "1_0", "no such interface")
    os.mkfifo(messages.folder / "faults" / "worker-1_1.txt")
    (messages.folder / "faults" / "worker-1_2.txt").write_bytes(b"\xff")
    assert messages.faults() == {"worker-1_0": "no such interface", "worker-1_2": "\ufffd"}
    (messages.folder / "submission.json").write_text("[" * 100_000)
    assert messages.kept_submission() is None
