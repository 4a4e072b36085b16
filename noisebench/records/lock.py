"""One driver a sweep: a lock that dies with its holder."""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager

from noisebench.errors import EnvironmentFault, InputError
from noisebench.records import provenance
from noisebench.records.attempts import now
from noisebench.records.folders import SweepFolder


class SweepHeldError(InputError):
    """A live process runs the sweep already."""


@contextmanager
def sweep_lock(folder: SweepFolder) -> Iterator[None]:
    """Hold the sweep; raise SweepHeldError where a live process holds it already.

    The kernel lets go of the lock when its process dies, however it dies, so nothing that is left in
    the file can block the next run.
    """
    try:
        folder.path.mkdir(parents=True, exist_ok=True)
        file = folder.lock.open("a+")
    except OSError as error:
        raise EnvironmentFault(
            f"{folder.path}: cannot be written: {error.strerror}; choose another --results"
        ) from None
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise SweepHeldError(
                f"sweep '{folder.name}' is running already ({_holder(file.read())}); "
                f"`noisebench status {folder.name}` shows how far it is"
            ) from None
        file.seek(0)
        file.truncate()
        json.dump({"host": provenance.host(), "pid": os.getpid(), "since": now()}, file)
        file.flush()
        yield


def _holder(text: str) -> str:
    try:
        holder = json.loads(text)
        return f"process {holder['pid']} on {holder['host']}, since {holder['since']}"
    except (ValueError, KeyError, TypeError):
        return "by another process"
