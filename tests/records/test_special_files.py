"""A pipe or a link in place of a file of a results folder neither blocks a reader nor leads it elsewhere."""

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from noisebench.engine.evidence_groups import AwaitedElsewhere
from noisebench.engine.node import leave_note
from noisebench.engine.stops import stopped_blocks
from noisebench.records.attempts import LeaveReason
from noisebench.records.checkpoints import Checkpoints
from noisebench.records.consent import _allowed
from noisebench.records.evidence import DamagedEvidenceError, EvidenceFile
from noisebench.records.folders import ResultsFolder, SweepFolder
from noisebench.records.heartbeats import fresh_workers
from noisebench.records.scores import write_scores


@pytest.fixture(autouse=True)
def ends_when_blocked() -> Iterator[None]:
    """Interrupt a test that waits for a pipe."""

    def fail(*_: object) -> None:
        raise AssertionError("waits for a pipe")

    before = signal.signal(signal.SIGALRM, fail)
    signal.alarm(20)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture
def folder(tmp_path: Path) -> SweepFolder:
    return ResultsFolder(tmp_path / "results").sweep("paper")


def _evidence(folder: SweepFolder) -> tuple[object, object]:
    file = EvidenceFile(folder.results.evidence("e"))
    with pytest.raises(DamagedEvidenceError):
        file.read()
    return file.names(), None


def _other(folder: SweepFolder) -> SweepFolder:
    return folder.results.sweep("other")


# Each file, how it is read, and what it holds.
READ: dict[str, tuple[Callable[[SweepFolder], Path], Callable[[SweepFolder], object], object, str]] = {
    "stopped": (lambda f: f.stopped, stopped_blocks, {}, '{"grid": "secret"}'),
    "awaited": (
        lambda f: _other(f).awaited_evidence,
        lambda f: "secret" in AwaitedElsewhere(f),
        False,
        "secret",
    ),
    "left": (lambda f: f.heartbeats / "w.left", lambda f: leave_note(f, "w"), None, '{"kind": "preempted"}'),
    "heartbeat": (
        lambda f: f.heartbeats / "w.json",
        fresh_workers,
        [],
        json.dumps({"time": time.time() + 1e6}),
    ),
    "consent": (lambda f: f.allowed_code, _allowed, set(), '{"modules": ["secret"]}'),
    "checkpoint": (
        lambda f: f.results.checkpoint("c") / "a.pt",
        lambda f: Checkpoints(f.results.checkpoint("c")).read("a"),
        None,
        "",
    ),
    "evidence": (lambda f: f.results.evidence("e"), _evidence, (frozenset(), None), ""),
}


@pytest.mark.parametrize("name", READ)
@pytest.mark.parametrize("plant", ["pipe", "link", "linked folder", "folder"])
def test_a_reader_takes_it_as_absent(folder: SweepFolder, tmp_path: Path, name: str, plant: str) -> None:
    path_of, read, absent, content = READ[name]
    path = path_of(folder)
    path.parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / "elsewhere").mkdir()
    secret = tmp_path / "elsewhere" / path.name
    secret.write_text(content)
    secret.chmod(0o600)
    match plant:
        case "pipe":
            os.mkfifo(path)
        case "link":
            path.symlink_to(secret)
        case "linked folder":
            path.parent.rmdir()
            path.parent.symlink_to(secret.parent)
        case _:
            path.mkdir()
    assert read(folder) == absent


@pytest.mark.parametrize("content", ["[" * 100_000, "[1]", '{"kind": []}', "\udcff"])
def test_hostile_json_counts_as_absent(folder: SweepFolder, content: str) -> None:
    for path in (folder.stopped, folder.heartbeats / "w.left", folder.heartbeats / "w.json"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode(errors="surrogateescape"))
    assert fresh_workers(folder) == []
    assert leave_note(folder, "w") is None
    stops = stopped_blocks(folder)
    assert all(isinstance(error, str) for error in stops.values())


def test_a_note_in_a_plain_file_is_read(folder: SweepFolder) -> None:
    folder.heartbeats.mkdir(parents=True)
    (folder.heartbeats / "w.left").write_text('{"kind": "preempted"}')
    assert leave_note(folder, "w") is LeaveReason.PREEMPTED


def test_scores_replace_a_link_and_not_what_it_leads_to(folder: SweepFolder, tmp_path: Path) -> None:
    path = folder.results.scores("ab" * 8)
    path.parent.mkdir(parents=True)
    (tmp_path / "thesis").write_text("my thesis")
    path.symlink_to(tmp_path / "thesis")
    write_scores(folder.results, "ab" * 8, {"suspicion": np.arange(3)})
    assert (path.is_symlink(), (tmp_path / "thesis").read_text()) == (False, "my thesis")
