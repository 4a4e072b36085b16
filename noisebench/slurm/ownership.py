"""Whether only this user can write where the arguments and the token of a sweep's jobs lie.

A job runs what it reads there. Users who can write into a folder can replace the folders inside it, even
those that only their owner can write.
"""

from __future__ import annotations

import grp
import os
import pwd
import stat
from pathlib import Path

from noisebench.errors import EnvironmentFault
from noisebench.records.folders import SweepFolder


def close_to_others(folder: SweepFolder) -> None:
    """Let only this user write into the folder of a sweep that is submitted, and check those above it.

    Raises EnvironmentFault as `require_own_folders` does.
    """
    if folder.path.is_dir():
        status = folder.path.stat()
        if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH) and status.st_uid == os.geteuid():
            folder.path.chmod(stat.S_IMODE(status.st_mode) & ~(stat.S_IWGRP | stat.S_IWOTH))
    require_own_folders(folder)


def require_own_folders(folder: SweepFolder) -> None:
    """Raise EnvironmentFault unless the folders of a submitted sweep are this user's to write alone.

    These are the results folder, `sweeps` and the sweep's own; those that do not exist yet are skipped.
    """
    for path in (folder.results.root, folder.results.sweeps, folder.path):
        if path.exists():
            status = path.stat()
            # In a folder with the sticky bit, only its owner can replace what belongs to others.
            is_sticky = status.st_mode & stat.S_ISVTX and status.st_uid in (os.geteuid(), 0)
            fault = None if is_sticky else ownership_fault(status)
            if fault is not None:
                raise EnvironmentFault(
                    f"{path} {fault}, who could change what your jobs run; submit into a results folder that "
                    f"only you can write, or: chmod g-w,o-w {path}"
                )


def opened_own_folder(path: Path) -> int:
    """Open a folder that only this user can write into; return its descriptor.

    Read through the descriptor: the path may lead to another folder a moment later. Raises EnvironmentFault.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError as error:
        raise EnvironmentFault(
            f"{path}: {error.strerror}; it was a folder when the job was submitted"
        ) from None
    fault = ownership_fault(os.fstat(descriptor))
    if fault is not None:
        os.close(descriptor)
        raise EnvironmentFault(f"{path} {fault}: the job runs nothing that others may have put there")
    return descriptor


def ownership_fault(folder: os.stat_result) -> str | None:
    """Return why others may write into a folder, None if only this user (or root) may."""
    if folder.st_uid not in (os.geteuid(), 0):
        return f"belongs to {_user(folder.st_uid)}"
    if folder.st_mode & stat.S_IWOTH:
        return "can be written by everybody"
    if folder.st_mode & stat.S_IWGRP and not _is_private(folder.st_gid):
        return f"can be written by group {_group(folder.st_gid)}"
    return None


def _is_private(gid: int) -> bool:
    """Whether a group is the one that many systems make for each user, under the user's name."""
    try:
        group, user = grp.getgrgid(gid), pwd.getpwuid(os.geteuid())
    except KeyError:
        return False
    return group.gr_name == user.pw_name and set(group.gr_mem) <= {user.pw_name}


def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"


def _group(gid: int) -> str:
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)
