"""Errors of the file system, raised at the k-th system call that changes a results folder."""

import builtins
import errno
import io
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS)
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT
# Written by threads at times of their own; their loss is no fault.
_BEST_EFFORT = ("/heartbeats/", "/logs/")


@dataclass
class Injection:
    """Raises `number` at call `at` (from 1) below `root`, and, if `lasting`, at all later ones; 0 at none."""

    root: Path
    at: int
    number: int
    lasting: bool
    calls: int = field(default=0)

    def count(self, path: Any) -> None:
        """Count a call on `path`, a path or a descriptor; raise where it is the one to fail."""
        name = Path(f"/proc/self/fd/{path}").readlink() if isinstance(path, int) else os.fspath(path)
        if not str(name).startswith(f"{self.root}/") or any(part in str(name) for part in _BEST_EFFORT):
            return
        self.calls += 1
        if self.at and (self.calls == self.at or (self.lasting and self.calls > self.at)):
            raise OSError(self.number, os.strerror(self.number), str(name))

    @contextmanager
    def active(self) -> Iterator[None]:
        """Let the calls of this process fail in the block."""
        real_open = os.open

        def opening(path: Any, flags: int, *rest: Any, **named: Any) -> int:
            if flags & _WRITES and named.get("dir_fd") is None:
                self.count(path)
            return real_open(path, flags, *rest, **named)

        patches = [
            patch.object(os, "open", opening),
            patch.object(io, "open", self._checked_open(io.open)),
            patch.object(builtins, "open", self._checked_open(builtins.open)),
            *(patch.object(os, name, self._checked(getattr(os, name))) for name in ("write", "fsync")),
            *(patch.object(os, name, self._checked(getattr(os, name))) for name in ("replace", "rename")),
        ]
        for each in patches:
            each.start()
        try:
            yield
        finally:
            for each in patches:
                each.stop()

    def _checked(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def checked(path: Any, *rest: Any, **named: Any) -> Any:
            self.count(path)
            return call(path, *rest, **named)

        return checked

    def _checked_open(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def checked(path: Any, mode: str = "r", *rest: Any, **named: Any) -> Any:
            if set(mode) & set("wax+") and not isinstance(path, int):
                self.count(path)
            return call(path, mode, *rest, **named)

        return checked
