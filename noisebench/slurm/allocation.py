"""What Slurm gave this process."""

from __future__ import annotations

import fcntl
import socket
import struct
from collections.abc import Mapping
from dataclasses import dataclass

from noisebench.errors import EnvironmentFault
from noisebench.slurm import commands

_SIOCGIFADDR = 0x8915


@dataclass(frozen=True)
class Allocation:
    """A job's part of one node; `ends_at` is its time limit in seconds since 1970, where Slurm tells."""

    job_id: str
    rank: int
    cpus: int
    gpus: int
    ends_at: float | None


def allocation(environment: Mapping[str, str]) -> Allocation:
    """Read the variables that Slurm sets for each task; EnvironmentFault outside of Slurm."""
    try:
        job_id = environment["SLURM_JOB_ID"]
    except KeyError:
        raise EnvironmentFault("SLURM_JOB_ID is not set: this runs only inside a job of Slurm") from None
    devices = environment.get("CUDA_VISIBLE_DEVICES", "")
    cpus = environment.get("SLURM_CPUS_PER_TASK") or environment.get("SLURM_CPUS_ON_NODE") or "1"
    # Slurm before 23.02 sets no such variable.
    end = environment.get("SLURM_JOB_END_TIME") or commands.end_time(job_id)
    return Allocation(
        job_id=job_id,
        rank=int(environment.get("SLURM_PROCID", "0")),
        cpus=int(cpus),
        gpus=len([device for device in devices.split(",") if device not in ("", "NoDevFiles")]),
        ends_at=None if end is None else float(end),
    )


def own_address(interface: str | None) -> str:
    """Return the IPv4 address by which other nodes reach this one.

    Without an interface it is the hostname's, or the only one there is; EnvironmentFault where that leaves
    a choice, or where the interface is missing.
    """
    addresses = _addresses()
    known = ", ".join(f"{name} ({address})" for name, address in addresses.items()) or "none"
    if interface is not None:
        if interface not in addresses:
            raise EnvironmentFault(
                f"interface '{interface}' has no IPv4 address on {socket.gethostname()}; "
                f"there are: {known}; mend `interface:` in the site"
            )
        return addresses[interface]
    outward = [address for address in addresses.values() if not address.startswith("127.")]
    named = _address_of_hostname()
    if named in outward:
        return named
    if len(outward) == 1:
        return outward[0]
    raise EnvironmentFault(
        f"which address of {socket.gethostname()} do other nodes reach? There are: {known}; "
        "name one with `interface:` in the site"
    )


def _address_of_hostname() -> str:
    try:
        return socket.gethostbyname(socket.gethostname())
    except OSError:
        return ""


def _addresses() -> dict[str, str]:
    """Return the IPv4 address of each network interface that has one."""
    found = {}
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        for _, name in socket.if_nameindex():
            request = struct.pack("256s", name.encode()[:15])
            try:
                answer = fcntl.ioctl(probe.fileno(), _SIOCGIFADDR, request)
            except OSError:
                continue  # an interface without an address
            found[name] = socket.inet_ntoa(answer[20:24])
    return found
