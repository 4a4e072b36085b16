"""The memory of a process, and the available memory of its machine."""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path

import psutil

_MB = 1024**2
# Shared libraries count in full for each process; torch alone takes most of a gigabyte.
MIN_SHARE_MB = 4096.0
# Listing the children of a process reads every process of the machine.
CHILDREN_SECONDS = 2.0
_CGROUPS = Path("/sys/fs/cgroup")


class ResidentMemory:
    """The resident memory of a process and its descendants.

    Pages of mapped files do not count, other shared pages count once for each process. New children count
    within `CHILDREN_SECONDS`.
    """

    def __init__(self, pid: int) -> None:
        self._process: psutil.Process | None = None
        with suppress(psutil.Error):
            self._process = psutil.Process(pid)
        self._children: list[psutil.Process] = []
        self._listed = -float("inf")

    def mb(self) -> float:
        """Return the resident memory in MB; 0 once the process has ended."""
        if self._process is None:
            return 0.0
        if time.monotonic() - self._listed >= CHILDREN_SECONDS:
            with suppress(psutil.Error):
                self._children = self._process.children(recursive=True)
            self._listed = time.monotonic()
        return sum(_resident_mb(process) for process in (self._process, *self._children))


def share_mb(part: float, whole_mb: float | None) -> float:
    """Return a trial's part of `whole_mb`, or of the free memory if no total is set.

    Free memory is not an enforced limit, so a trial may always take `MIN_SHARE_MB`.
    """
    return part * whole_mb if whole_mb is not None else max(MIN_SHARE_MB, part * available_mb())


def available_mb() -> float:
    """Return the MB that this process can still allocate: free memory, within its control groups' limits."""
    return min([psutil.virtual_memory().available / _MB, *_available_in_groups()])


def _resident_mb(process: psutil.Process) -> float:
    """Return anonymous and shared memory in MB; pages of mapped files are freed by the kernel on demand."""
    try:
        status = Path(f"/proc/{process.pid}/status").read_text()
    except OSError:  # it has ended
        return 0.0
    sizes = dict(line.split(":", 1) for line in status.splitlines())
    # A process that has ended but was not waited for has none.
    kilobytes = (int(sizes[name].split()[0]) for name in ("RssAnon", "RssShmem") if name in sizes)
    return sum(kilobytes) / 1024


def _available_in_groups() -> list[float]:
    """Return the MB left below the limit of each control group of this process, version 1 or 2."""
    available = []
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            top, limit, usage = _CGROUPS, "memory.max", "memory.current"
        elif "memory" in controllers.split(","):
            top, limit, usage = _CGROUPS / "memory", "memory.limit_in_bytes", "memory.usage_in_bytes"
        else:
            continue
        group_path = top / path.lstrip("/")
        # In a container the process's group may appear as the top group.
        parents = (parent for parent in group_path.parents if parent.is_relative_to(top))
        for group in {group_path, *parents, top}:
            try:
                free = int((group / limit).read_text()) - int((group / usage).read_text()) + _cached(group)
            except (OSError, ValueError):
                continue  # no such file, or no limit ("max")
            available.append(free / _MB)
    return available


def _cached(group: Path) -> int:
    """Return the bytes of a group's usage that are file pages, which the kernel frees on demand."""
    stat = dict(line.split() for line in (group / "memory.stat").read_text().splitlines())
    # In version 1 the name without "total_" excludes child groups.
    return int(stat.get("total_inactive_file", stat.get("inactive_file", "0")))
