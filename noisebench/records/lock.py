"""The lock that allows one driver for each sweep."""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from noisebench.errors import EnvironmentFault, InputError
from noisebench.records import provenance
from noisebench.records.attempts import now
from noisebench.records.folders import SweepFolder
from noisebench.records.heartbeats import fresh_workers


class SweepHeldError(InputError):
    """A live process already runs the sweep."""


@contextmanager
def sweep_lock(folder: SweepFolder) -> Iterator[None]:
    """Hold the sweep; raise SweepHeldError if a live process holds it already.

    The kernel releases the lock when the process ends for any reason, so the file's content never blocks the
    next run. Raises EnvironmentFault if the folder is not writable or its file system has no locks.
    """
    try:
        is_new = not folder.lock.exists()
        file = _locked(folder)
    except OSError as error:
        raise EnvironmentFault(
            f"{folder.path}: cannot be written: {error.strerror}; choose another --results"
        ) from None
    with file:
        if is_new:
            _refuse_if_alive(folder)
        file.seek(0)
        file.truncate()
        json.dump({"host": provenance.host(), "pid": os.getpid(), "since": now()}, file)
        file.flush()
        yield


def _locked(folder: SweepFolder) -> TextIO:
    """Return the lock file, locked."""
    folder.path.mkdir(parents=True, exist_ok=True)
    while True:
        file = folder.lock.open("a+")
        try:
            _lock(folder, file)
            if os.path.samestat(os.fstat(file.fileno()), folder.lock.stat()):
                return file
        except FileNotFoundError:
            pass  # deleted after it was opened: a lock on it would exclude no other process
        except BaseException:
            file.close()
            raise
        file.close()


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
