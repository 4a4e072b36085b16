"""A sweep has one driver, and its lock is released with it."""

import errno
import fcntl
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from noisebench.errors import EnvironmentFault, InputError
from noisebench.records.folders import ResultsFolder
from noisebench.records.heartbeats import heartbeat
from noisebench.records.lock import SweepHeldError, sweep_lock

HOLDER = """
import sys, time
from pathlib import Path
from noisebench.records.lock import sweep_lock
from noisebench.records.folders import ResultsFolder
with sweep_lock(ResultsFolder(Path(sys.argv[1])).sweep("test")):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_live_holder_is_named_and_a_killed_holder_releases_the_lock(tmp_path: Path) -> None:
    results = ResultsFolder(tmp_path)
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with (
            pytest.raises(
                InputError, match=rf"'test' is running already \(process {holder.pid} on "
            ) as refused,
            sweep_lock(results.sweep("test")),
        ):
            pass
        assert refused.value.exit_code == 2
        with sweep_lock(results.sweep("another")):
            pass
        os.kill(holder.pid, signal.SIGKILL)
    with sweep_lock(results.sweep("test")):
        pass


def test_a_folder_that_cannot_be_created_gives_one_message(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(EnvironmentFault, match="cannot be written"),
        sweep_lock(ResultsFolder(tmp_path / "file").sweep("t")),
    ):
        pass


def test_a_deleted_lock_does_not_let_a_second_driver_run(tmp_path: Path) -> None:
    folder = ResultsFolder(tmp_path).sweep("test")
    with sweep_lock(folder), heartbeat(folder, "first"):
        while not list(folder.heartbeats.glob("first.json")):
            time.sleep(0.01)
        folder.lock.unlink()
        for _ in range(2):  # a refused driver must not free the way for the next
            with pytest.raises(SweepHeldError, match="first ran sweep 'test'"), sweep_lock(folder):
                pass
    with sweep_lock(folder):
        pass


def test_a_file_system_without_locks_gives_one_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def flock(*_: object) -> None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))

    monkeypatch.setattr(fcntl, "flock", flock)
    with (
        pytest.raises(EnvironmentFault, match=r"cannot be locked: Function not implemented"),
        sweep_lock(ResultsFolder(tmp_path).sweep("t")),
    ):
        pass


@pytest.mark.parametrize("plant", ["link", "hard link", "fifo", "folder"])
def test_a_lock_that_leads_to_another_file_changes_nothing(tmp_path: Path, plant: str) -> None:
    folder, thesis = ResultsFolder(tmp_path / "results").sweep("test"), tmp_path / "thesis.tex"
    folder.path.mkdir(parents=True)
    thesis.write_text("my thesis")
    match plant:
        case "link":
            folder.lock.symlink_to(thesis)
        case "hard link":
            folder.lock.hardlink_to(thesis)
        case "fifo":
            os.mkfifo(folder.lock)
        case _:
            folder.lock.mkdir()
    with (
        pytest.raises(EnvironmentFault, match=r"lock: is a link, or no regular file, .* remove it$"),
        sweep_lock(folder),
    ):
        pass
    assert thesis.read_text() == "my thesis"


def test_a_linked_sweep_folder_is_refused(tmp_path: Path) -> None:
    folder, outside = ResultsFolder(tmp_path / "results").sweep("test"), tmp_path / "outside"
    folder.results.sweeps.mkdir(parents=True)
    outside.mkdir()
    folder.path.symlink_to(outside)
    with pytest.raises(EnvironmentFault, match="cannot be written: Not a directory"), sweep_lock(folder):
        pass
    assert list(outside.iterdir()) == []


def test_a_deleted_lock_lets_nobody_in_before_the_first_heartbeat(tmp_path: Path) -> None:
    folder = ResultsFolder(tmp_path).sweep("test")
    with sweep_lock(folder):
        folder.lock.unlink()
        for _ in range(2):
            with pytest.raises(SweepHeldError, match="a process runs sweep 'test'"), sweep_lock(folder):
                pass
    with sweep_lock(folder):
        pass


def test_the_folders_of_a_new_sweep_are_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced, fsync = [], os.fsync

    def noted(descriptor: int) -> None:
        synced.append(Path(f"/proc/self/fd/{descriptor}").readlink())
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", noted)
    results = ResultsFolder(tmp_path / "new" / "results")
    with sweep_lock(results.sweep("test")):
        pass
    assert {tmp_path, tmp_path / "new", results.root, results.sweeps} <= set(synced)
