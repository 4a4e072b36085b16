"""What Ray's open ports on a node answer to requests, with Ray's token and without."""

import re
import subprocess

from tests.packages import need
from tests.slurm.devcluster import Devcluster

# One call of each service of Ray; no port has more than one of them.
CALLS = (
    "ray.rpc.NodeManagerService/GetNodeStats",
    "ray.rpc.ObjectManagerService/Push",
    "ray.rpc.CoreWorkerService/GetCoreWorkerStats",
    "ray.rpc.NodeInfoGcsService/GetAllNodeInfo",
    "ray.rpc.RayletDriver/ClusterInfo",
)
GRPC = ("-H", "content-type: application/grpc", "-H", "te: trailers", "--http2-prior-knowledge")
EMPTY_MESSAGE = bytes(5)
REFUSALS = {"HTTP/1.1 401", "grpc-status: 16"}
ADMISSIONS = {"HTTP/1.1 200", "grpc-status: 0"}


def answers_of(cluster: Devcluster, node: str, token: str | None = None) -> dict[str, set[str]]:
    """Return the answers of each port of ours on a node, which has a network of its own, by its process.

    The requests present the token where one is given.
    """
    need(("curl", "ss"), ("curl", "iproute2"))
    daemon = (cluster.folder / f"run/slurmd-{node}.pid").read_text().strip()
    inside = ["nsenter", f"--target={daemon}", "--net"]
    expected = REFUSALS if token is None else ADMISSIONS
    found = {}
    for address, process in _listening(cluster, inside):
        answers = _answers_at(address, inside, 3, token)
        if not answers & expected:
            # The machine is busy, or the process has ended.
            answers |= _answers_at(address, inside, 20, token)
        if answers & expected or (address, process) in _listening(cluster, inside):
            found[f"{address} {process}"] = answers
    return found


def _listening(cluster: Devcluster, inside: list[str]) -> list[tuple[str, str]]:
    """Return (address and port, process) of what listens there, Slurm's own left out."""
    shown = cluster.run(*inside, "ss", "--listening", "--tcp", "--numeric", "--processes")
    found = [(line.split()[3], line.split()[-1]) for line in shown.splitlines()[1:]]
    return [each for each in found if '"slurmd"' not in each[1] and '"srun"' not in each[1]]


def _answers_at(address: str, inside: list[str], seconds: int, token: str | None) -> set[str]:
    """Return what a port answers to one call of each service, each within so many seconds."""
    url = f"http://{address.replace('*', '127.0.0.1')}/"
    calls = [[url], *([*GRPC, "--data-binary", "@-", f"{url}{call}"] for call in CALLS)]
    shown = [] if token is None else ["-H", f"authorization: Bearer {token}"]
    curl = [*inside, "curl", "--silent", "--max-time", str(seconds), *_CURL, *shown]
    return {answer for call in calls for answer in _answers([*curl, *call])}


_CURL = ("--dump-header", "-", "--output", "/dev/null")


def _answers(command: list[str]) -> list[str]:
    done = subprocess.run(command, input=EMPTY_MESSAGE, stdout=subprocess.PIPE, timeout=90, check=False)
    return re.findall(r"^(HTTP/1\.1 \d+|grpc-status: \d+)", done.stdout.decode(), re.MULTILINE)
