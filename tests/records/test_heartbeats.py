"""A worker counts as alive while its heartbeat is fresh."""

import json
import os
import time
from pathlib import Path

from noisebench.records.folders import ResultsFolder
from noisebench.records.heartbeats import STALE_SECONDS, fresh_workers, heartbeat


def test_a_worker_is_alive_during_the_block(tmp_path: Path) -> None:
    results = ResultsFolder(tmp_path)
    with heartbeat(results.sweep("test"), "worker"):
        deadline = time.monotonic() + 10
        while not fresh_workers(results.sweep("test")) and time.monotonic() < deadline:
            time.sleep(0.01)
        assert fresh_workers(results.sweep("test")) == ["worker"]
        assert (
            json.loads((results.sweep("test").heartbeats / "worker.json").read_text())["pid"] == os.getpid()
        )
    assert fresh_workers(results.sweep("test")) == []


def test_a_worker_with_an_old_or_damaged_heartbeat_is_not_alive(tmp_path: Path) -> None:
    results = ResultsFolder(tmp_path)
    folder = results.sweep("test").heartbeats
    folder.mkdir(parents=True)
    (folder / "old.json").write_text(json.dumps({"time": time.time() - STALE_SECONDS - 1}))
    (folder / "fresh.json").write_text(json.dumps({"time": time.time()}))
    (folder / "damaged.json").write_text('{"time": ')
    assert fresh_workers(results.sweep("test")) == ["fresh"]
    assert fresh_workers(results.sweep("no-such-sweep")) == []
