"""What Slurm gave this process."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import psutil

from noisebench.errors import EnvironmentFault

# Set by the batch script of a worker: seconds since 1970.
STARTED_VARIABLE = "NOISEBENCH_STARTED_AT"


@dataclass(frozen=True)
class Allocation:
    """A job's part of one node.

    `job_id` is ARRAY_TASK in an array: the task's raw id may be that of the whole array, and a command that
    takes it would act on every task. `ends_at` is the time limit in seconds since 1970, where it is known.
    """

    job_id: str
    cpus: int
    gpus: int
    ends_at: float | None


def allocation(environment: Mapping[str, str], minutes: int | None = None) -> Allocation:
    """Read the variables that Slurm and the batch script set; `minutes` is the job's time limit.

    Raises EnvironmentFault outside of Slurm.
    """
    devices = environment.get("CUDA_VISIBLE_DEVICES", "")
    cpus = environment.get("SLURM_CPUS_PER_TASK") or environment.get("SLURM_CPUS_ON_NODE") or "1"
    return Allocation(
        job_id=own_job_id(environment),
        cpus=int(cpus),
        gpus=len([device for device in devices.split(",") if device not in ("", "NoDevFiles")]),
        ends_at=_ends_at(environment, minutes),
    )


def own_job_id(environment: Mapping[str, str]) -> str:
    """Return the id by which this job alone is known: ARRAY_TASK in an array, else the job's id."""
    if "SLURM_JOB_ID" not in environment:
        raise EnvironmentFault("SLURM_JOB_ID is not set: this runs only inside a job of Slurm")
    if "SLURM_ARRAY_JOB_ID" in environment:
        return f"{environment['SLURM_ARRAY_JOB_ID']}_{environment['SLURM_ARRAY_TASK_ID']}"
    return environment["SLURM_JOB_ID"]


def _ends_at(environment: Mapping[str, str], minutes: int | None) -> float | None:
    # Slurm sets its variable since 23.02 only.
    if "SLURM_JOB_END_TIME" in environment:
        return float(environment["SLURM_JOB_END_TIME"])
    if minutes is not None and STARTED_VARIABLE in environment:
        return float(environment[STARTED_VARIABLE]) + 60 * minutes
    return None


def own_address(interfaces: Sequence[str]) -> str:
    """Return the IPv4 address at which other nodes reach this one.

    It is that of the first of `interfaces` that this node has; each is a name, such as ib0, or a network,
    such as 10.1.0.0/16. Without interfaces it is the hostname's, or the only one there is. Raises
    EnvironmentFault where that leaves a choice, or where no interface is there.
    """
    addresses = _addresses()
    known = ", ".join(f"{name} ({address})" for name, address in addresses.items()) or "none"
    for interface in interfaces:
        address = _address_at(interface, addresses)
        if address is not None:
            return address
    if interfaces:
        wanted = "', '".join(interfaces)
        raise EnvironmentFault(
            f"interface '{wanted}' has no IPv4 address on {socket.gethostname()}; "
            f"there are: {known}; correct `interface:` in the site"
        )
    outward = [address for address in addresses.values() if not address.startswith("127.")]
    named = _address_of_hostname()
    if named in outward:
        return named
    if len(outward) == 1:
        return outward[0]
    raise EnvironmentFault(
        f"{socket.gethostname()} has several addresses and its name has none of them: {known}; name the one "
        "that other nodes reach with `interface:` in the site"
    )


def _address_at(interface: str, addresses: Mapping[str, str]) -> str | None:
    if "/" not in interface:
        return addresses.get(interface)
    network = ipaddress.ip_network(interface, strict=False)
    inside = (address for address in addresses.values() if ipaddress.ip_address(address) in network)
    return next(inside, None)


def _address_of_hostname() -> str:
    try:
        return socket.gethostbyname(socket.gethostname())
    except OSError:
        return ""


def _addresses() -> dict[str, str]:
    """Return the first IPv4 address of each network interface that has one."""
    addresses = {}
    for name, assigned in psutil.net_if_addrs().items():
        ipv4 = [each.address for each in assigned if each.family == socket.AF_INET]
        if ipv4:
            addresses[name] = ipv4[0]
    return addresses
