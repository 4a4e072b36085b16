"""How much memory a process takes, with how much its machine has left for more."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

_PAGE = os.sysconf("SC_PAGE_SIZE")
_MB = 1024**2
# Processes that share libraries look larger than they are: torch alone is most of a gigabyte.
LEAST_SHARE_MB = 4096.0
_CGROUPS = Path("/sys/fs/cgroup")


def resident_mb(pid: int) -> float:
    """Return the resident memory of a process with all below it, in MB; 0 once it has gone.

    Pages that two of them share count twice, as they do where Slurm adds up a job.
    """
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except OSError:
        return 0.0
    return pages * _PAGE / _MB + sum(resident_mb(child) for child in _children(pid))


def share_mb(part: float, whole_mb: float | None) -> float:
    """Return a trial's part of the memory there is: of `whole_mb`, or of what is free where nobody has said.

    What is free is no limit that anybody watches over, so a trial may always take some.
    """
    return part * whole_mb if whole_mb is not None else max(LEAST_SHARE_MB, part * available_mb())


def available_mb() -> float:
    """Return how many MB more this process may take: what is free, or what its control groups leave."""
    return min([_free_mb(), *_left_by_groups()])


def _children(pid: int) -> list[int]:
    found: list[int] = []
    with suppress(OSError):  # the process may end meanwhile
        for thread in Path(f"/proc/{pid}/task").glob("*/children"):  # no file where the kernel keeps no list
            found += map(int, thread.read_text().split())
    return found


def _free_mb() -> float:
    lines = dict(line.split(":", 1) for line in Path("/proc/meminfo").read_text().splitlines())
    return int(lines["MemAvailable"].split()[0]) / 1024


def _left_by_groups() -> list[float]:
    """Return what each control group of this process, of either version, leaves of its limit, in MB."""
    found = []
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            top, limit, usage = _CGROUPS, "memory.max", "memory.current"
        elif "memory" in controllers.split(","):
            top, limit, usage = _CGROUPS / "memory", "memory.limit_in_bytes", "memory.usage_in_bytes"
        else:
            continue
        own = top / path.lstrip("/")
        # In a container the own group may be seen as the top one.
        for group in {own, *(parent for parent in own.parents if parent.is_relative_to(top)), top}:
            try:
                left = int((group / limit).read_text()) - int((group / usage).read_text()) + _cached(group)
            except (OSError, ValueError):
                continue  # no such file here, or no limit: "max"
            found.append(left / _MB)
    return found


def _cached(group: Path) -> int:
    """Return how many bytes of a group's usage are pages of files that the kernel gives up when asked."""
    stat = dict(line.split() for line in (group / "memory.stat").read_text().splitlines())
    # In version 1 the plain name leaves out the groups below.
    return int(stat.get("total_inactive_file", stat.get("inactive_file", "0")))
