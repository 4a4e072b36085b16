"""What Ray's open ports on a node answer to requests without a token."""

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
)
GRPC = ("-H", "content-type: application/grpc", "-H", "te: trailers", "--http2-prior-knowledge")
EMPTY_MESSAGE = bytes(5)
REFUSALS = {"HTTP/1.1 401", "grpc-status: 16"}
ADMISSIONS = {"HTTP/1.1 200", "grpc-status: 0"}


def unasked(cluster: Devcluster, node: str) -> dict[str, set[str]]:
    """Return the answers of each port of ours on a node, which has a network of its own, by its process."""
    need(("curl", "ss"), ("curl", "iproute2"))
    daemon = (cluster.folder / f"run/slurmd-{node}.pid").read_text().strip()
    inside = ["nsenter", f"--target={daemon}", "--net"]
    listening = cluster.run(*inside, "ss", "--listening", "--tcp", "--numeric", "--processes")
    found = {}
    for line in listening.splitlines()[1:]:
        address, process = line.split()[3], line.split()[-1]
        if '"slurmd"' in process or '"srun"' in process:
            continue
        url = f"http://{address.replace('*', '127.0.0.1')}/"
        calls = [[url], *([*GRPC, "--data-binary", "@-", f"{url}{call}"] for call in CALLS)]
        found[f"{address} {process}"] = {
            answer for call in calls for answer in _answers([*inside, *_CURL, *call])
        }
    return found


_CURL = ("curl", "--silent", "--max-time", "3", "--dump-header", "-", "--output", "/dev/null")


def _answers(command: list[str]) -> list[str]:
    done = subprocess.run(command, input=EMPTY_MESSAGE, stdout=subprocess.PIPE, timeout=30, check=False)
    return re.findall(r"^(HTTP/1\.1 \d+|grpc-status: \d+)", done.stdout.decode(), re.MULTILINE)
