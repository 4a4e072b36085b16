"""A scratch folder is removed by its owner, or by the next process if the owner was killed."""

import errno
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from noisebench.engine.scratch import private_scratch

KILLED = """
import os, signal, sys
from pathlib import Path
from noisebench.engine.scratch import private_scratch

with private_scratch(Path(sys.argv[1])) as folder:
    (folder / "socket").touch()
    print(folder, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_scratch_folder_is_private_and_removed_at_the_end(tmp_path: Path) -> None:
    with private_scratch(tmp_path) as folder:
        assert folder.parent == tmp_path
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        (folder / "deep").mkdir()
    assert list(tmp_path.iterdir()) == []


def test_a_scratch_folder_is_removed_after_an_error(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), private_scratch(tmp_path):
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


def test_a_path_too_long_for_sockets_is_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deep = tmp_path / ("x" * 40)
    deep.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(deep))
    with private_scratch() as folder:
        assert folder.parent == Path("/tmp")
        # The longest path that Ray 2.60 creates in it.
        socket = folder / "ray/session_2026-01-01_00-00-00_000000_4194304/sockets/plasma_store.1"
        assert len(str(socket)) <= 107


def test_folders_of_killed_owners_are_removed_and_folders_in_use_stay(tmp_path: Path) -> None:
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, str(tmp_path)], capture_output=True, text=True, check=False
    )
    abandoned = Path(killed.stdout.strip())
    assert (abandoned / "socket").exists()
    (tmp_path / "noisebench-of-another-user").mkdir()
    with private_scratch(tmp_path) as first:
        assert not abandoned.exists()
        with private_scratch(tmp_path):
            assert first.exists()
    assert [path.name for path in tmp_path.iterdir()] == ["noisebench-of-another-user"]


def test_the_folder_of_another_machine_stays(tmp_path: Path) -> None:
    with private_scratch(tmp_path) as first:
        # Locks of another machine may not be visible here.
        other = first.parent / "noisebench-of-node2"
        other.mkdir()
        (other / "owner").write_text("node2")
        with private_scratch(tmp_path):
            assert other.exists()


def test_a_file_system_without_locks_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSYS, "Function not implemented")

    monkeypatch.setattr("fcntl.flock", refuse)
    with private_scratch(tmp_path) as folder, private_scratch(tmp_path):
        assert folder.exists()
