"""The lock that allows one driver for each sweep."""

import errno
import fcntl
import json
import os
import stat
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TextIO

from noisebench.errors import EnvironmentFault, InputError
from noisebench.records import provenance
from noisebench.records.attempts import now
from noisebench.records.durable import folder_inside, make_folder
from noisebench.records.folders import SweepFolder
from noisebench.records.heartbeats import fresh_workers


class SweepHeldError(InputError):
    """A live process already runs the sweep."""


@contextmanager
def sweep_lock(folder: SweepFolder) -> Iterator[None]:
    """Hold the sweep; raise SweepHeldError if a live process holds it already.

    The kernel releases the lock when the process ends for any reason, so the file's content never blocks the
    next run. The sweep's folder is locked as well, where its file system can do that: removing the lock file
    does not free the sweep. Raises EnvironmentFault if the folder is not writable, if its file system has no
    locks, or if the lock is a link.
    """
    root = folder.results.root
    with ExitStack() as held:
        try:
            make_folder(root)
            inside = folder.path.relative_to(root).as_posix()
            folder_descriptor = held.enter_context(folder_inside(root, inside, make=True))
            is_new = not folder.lock.exists()
            file = held.enter_context(_locked(folder, folder_descriptor))
        except OSError as error:
            raise EnvironmentFault(
                f"{folder.path}: cannot be written: {error.strerror}; choose another --results"
            ) from None
        if is_new:
            _refuse_if_alive(folder)
        _lock_folder(folder, folder_descriptor, is_new=is_new)
        file.seek(0)
        file.truncate()
        json.dump({"host": provenance.host(), "pid": os.getpid(), "since": now()}, file)
        file.flush()
        yield


def _locked(folder: SweepFolder, folder_descriptor: int) -> TextIO:
    """Return the lock file in the folder that is open as `folder_descriptor`, locked."""
    while True:
        file = os.fdopen(_opened(folder, folder_descriptor), "r+")
        try:
            _lock(folder, file)
            if os.path.samestat(os.fstat(file.fileno()), folder.lock.lstat()):
                return file
        except FileNotFoundError:
            pass  # deleted after it was opened: a lock on it would exclude no other process
        except BaseException:
            file.close()
            raise
        file.close()


def _opened(folder: SweepFolder, folder_descriptor: int) -> int:
    """Open or make the lock file; raise EnvironmentFault for what would write to a file elsewhere."""
    fault = EnvironmentFault(
        f"{folder.lock}: is a link, or no regular file, and would be overwritten; somebody has put it there: "
        "remove it"
    )
    # Without O_NONBLOCK, opening a FIFO could wait.
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK
    try:
        descriptor = os.open(folder.lock.name, flags, 0o666, dir_fd=folder_descriptor)
    except OSError as error:
        raise fault if error.errno in (errno.ELOOP, errno.EISDIR) else error from None
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode) or status.st_nlink > 1:
        os.close(descriptor)
        raise fault
    return descriptor


def _lock(folder: SweepFolder, file: TextIO) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.seek(0)
        raise SweepHeldError(
            f"sweep '{folder.name}' is running already ({_holder(file.read())}); "
            f"`noisebench status {folder.name}` shows how far it is"
        ) from None
    except OSError as error:
        raise EnvironmentFault(
            f"{folder.lock}: cannot be locked: {error.strerror}; choose --results on a file system with file "
            "locks (Lustre has them with the mount option `flock`)"
        ) from None


def _lock_folder(folder: SweepFolder, folder_descriptor: int, *, is_new: bool) -> None:
    """Lock the sweep's folder; raise SweepHeldError if a live driver whose lock file was deleted holds it.

    A lock file that was there and is free was put in the place of another one, by a driver that takes over
    from one without a sign of life: that one may still hold the folder.
    """
    try:
        fcntl.flock(folder_descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        if not is_new:
            return
        folder.lock.unlink(missing_ok=True)
        raise SweepHeldError(
            f"{folder.lock} is gone, but a process runs sweep '{folder.name}'; end it, or wait for its end"
        ) from None
    except OSError:
        return  # NFS locks no folders


def _refuse_if_alive(folder: SweepFolder) -> None:
    """Raise SweepHeldError if the lock file of a live driver was deleted."""
    workers = fresh_workers(folder)
    if workers:
        folder.lock.unlink(missing_ok=True)
        raise SweepHeldError(
            f"{folder.lock} is gone, but {workers[0]} ran sweep '{folder.name}' within the last minute; end "
            "it, or wait a minute if it has ended"
        )


def _holder(text: str) -> str:
    try:
        holder = json.loads(text)
        return f"process {holder['pid']} on {holder['host']}, since {holder['since']}"
    except (ValueError, KeyError, TypeError):
        return "by another process"
