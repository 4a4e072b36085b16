"""Jobs run nothing that another user could have put into the folders of a submitted sweep."""

import os
import subprocess
import sys
from pathlib import Path

import cloudpickle
import pytest
from submitit.core.utils import DelayedSubmission

from noisebench.errors import EnvironmentFault
from noisebench.records.folders import ResultsFolder
from noisebench.slurm.ownership import close_to_others, require_own_folders
from tests.second_user.other_user import OTHER

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder to another user")


class Touch:
    """Creates a file when it is unpickled."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> tuple[object, ...]:
        return open, (str(self.file), "w")


def start(folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the program of a job with id 7."""
    environment = {
        **os.environ,
        "SUBMITIT_EXECUTOR": "slurm",
        "SLURM_JOB_ID": "7",
        "SLURM_JOB_NUM_NODES": "1",
        "SLURM_NODEID": "0",
    }
    environment |= {"SLURM_NTASKS": "1", "SLURM_PROCID": "0", "SLURM_LOCALID": "0", "SLURM_JOB_NODELIST": "n"}
    words = [sys.executable, "-m", "noisebench.slurm.start", str(folder)]
    return subprocess.run(words, env=environment, capture_output=True, text=True, timeout=60, check=False)


def jobs_folder(tmp_path: Path) -> Path:
    """Return a private folder with the arguments of job 7: a call that prints."""
    folder = tmp_path / "jobs"
    folder.mkdir(mode=0o700)
    DelayedSubmission(print, "the call was made").dump(folder / "7_submitted.pkl")
    return folder


def test_the_call_of_a_job_is_made(tmp_path: Path) -> None:
    done = start(jobs_folder(tmp_path))
    assert (done.returncode, "the call was made" in done.stdout) == (0, True), done.stderr


@needs_root
@pytest.mark.parametrize(
    ("owner", "group", "mode", "fault"),
    [
        (OTHER, OTHER, 0o700, f"belongs to user {OTHER}"),
        (0, OTHER, 0o770, f"can be written by group {OTHER}"),
        (0, 0, 0o777, "can be written by everybody"),
    ],
)
def test_arguments_that_others_may_have_written_are_not_unpickled(
    tmp_path: Path, owner: int, group: int, mode: int, fault: str
) -> None:
    folder = jobs_folder(tmp_path)
    (folder / "7_submitted.pkl").write_bytes(cloudpickle.dumps(Touch(tmp_path / "planted")))
    os.chown(folder, owner, group)
    folder.chmod(mode)
    done = start(folder)
    assert done.returncode == 3
    assert done.stderr == (
        f"noisebench: {folder} {fault}: the job runs nothing that others may have put there\n"
    )
    assert not (tmp_path / "planted").exists()


def test_a_link_in_the_place_of_the_folder_is_not_followed(tmp_path: Path) -> None:
    jobs_folder(tmp_path).rename(tmp_path / "elsewhere")
    (tmp_path / "jobs").symlink_to(tmp_path / "elsewhere")
    done = start(tmp_path / "jobs")
    assert done.returncode == 3
    assert "it was a folder when the job was submitted" in done.stderr


@needs_root
@pytest.mark.parametrize("shared", ["results", "results/sweeps", "results/sweeps/test"])
def test_a_folder_that_a_group_can_write_is_refused(tmp_path: Path, shared: str) -> None:
    folder = ResultsFolder(tmp_path / "results").sweep("test")
    folder.path.mkdir(parents=True)
    require_own_folders(folder)
    os.chown(tmp_path / shared, -1, OTHER)
    (tmp_path / shared).chmod(0o2775)
    expected = f"{shared} can be written by group {OTHER}, who could change what your jobs run; submit into "
    with pytest.raises(EnvironmentFault, match=expected) as caught:
        require_own_folders(folder)
    assert str(caught.value).endswith(f"or: chmod g-w,o-w {tmp_path / shared}")


def test_the_sticky_bit_protects_what_lies_in_a_folder(tmp_path: Path) -> None:
    folder = ResultsFolder(tmp_path / "results").sweep("test")
    folder.path.mkdir(parents=True)
    folder.results.root.chmod(0o1777)
    require_own_folders(folder)


@needs_root
def test_the_folder_of_a_submitted_sweep_is_closed(tmp_path: Path) -> None:
    folder = ResultsFolder(tmp_path / "results").sweep("test")
    folder.path.mkdir(parents=True)
    os.chown(folder.path, -1, OTHER)
    folder.path.chmod(0o2775)
    close_to_others(folder)
    assert folder.path.stat().st_mode & 0o7777 == 0o2755


@needs_root
def test_the_folder_of_a_user_without_a_name_is_refused(tmp_path: Path) -> None:
    folder = ResultsFolder(tmp_path / "results").sweep("test")
    folder.path.mkdir(parents=True)
    os.chown(folder.path, OTHER, OTHER)
    folder.path.chmod(0o2775)
    with pytest.raises(EnvironmentFault, match=f"belongs to user {OTHER}"):
        close_to_others(folder)


@needs_root
def test_a_group_of_ones_own_is_no_other(tmp_path: Path) -> None:
    """With umask 002 and a group for each user, every new folder can be written by that group."""
    folder = ResultsFolder(tmp_path / "results").sweep("test")
    folder.path.mkdir(parents=True)
    for path in (folder.path, folder.results.sweeps, folder.results.root):
        os.chown(path, 0, 0)
        path.chmod(0o775)
    require_own_folders(folder)
