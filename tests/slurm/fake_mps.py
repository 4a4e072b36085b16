"""A program that behaves as nvidia-cuda-mps-control, and one that behaves as a program on a GPU.

Run as `fake_mps.py -f` it is the daemon, as `fake_mps.py` it sends the commands of its stdin to the daemon,
as `fake_mps.py client` it uses a "GPU": as CUDA does, it connects to the daemon if there is one, and says
nothing if there is none. Its one server is a process, started for the first client. FAKE_MPS is `broken` for
a daemon that does not start, `lost` for clients that find none. A file `fault` in its folder is a fault.
"""

import contextlib
import os
import socket
import socketserver
import subprocess
import sys
from pathlib import Path

FOLDER = Path(os.environ.get("CUDA_MPS_PIPE_DIRECTORY", "/nonexistent"))
SOCKET = FOLDER / "control"


class Daemon(socketserver.ThreadingUnixStreamServer):
    """What the connections share."""

    daemon_threads = True
    block_on_close = False

    def __init__(self) -> None:
        super().__init__(str(SOCKET), Connection)
        self.clients: set[str] = set()
        self.server_process: subprocess.Popen[bytes] | None = None


class Connection(socketserver.StreamRequestHandler):
    """A client for as long as it stays connected, or one command."""

    server: Daemon

    def handle(self) -> None:
        """Serve one connection."""
        word, _, argument = self.rfile.readline().decode().strip().partition(" ")
        if word == "client":
            self.server.server_process = self.server.server_process or subprocess.Popen(["sleep", "600"])
            self.server.clients.add(argument)
            self.wfile.write(b"ok\n")
            self.rfile.read()
            self.server.clients.discard(argument)
            return
        process = self.server.server_process
        answers = {
            "get_server_list": "" if process is None else f"{process.pid}\n",
            "get_client_list": "".join(f"{pid}\n" for pid in sorted(self.server.clients)),
            "get_server_status": "FAULT\n" if (FOLDER / "fault").exists() else "ACTIVE\n",
            "quit": "",
        }
        self.wfile.write(answers[word].encode())
        if word == "quit":
            if process is not None:
                process.kill()
                process.wait()
            (FOLDER.parent / "log" / "quit").touch()
            self.server.shutdown()


def main() -> int:
    """Act as the command line says."""
    if sys.argv[1:] == ["-f"]:
        if os.environ.get("FAKE_MPS") == "broken":
            print("Cannot create the control socket: permission denied")
            return 1
        (FOLDER / "devices").write_text(os.environ["CUDA_VISIBLE_DEVICES"])
        with Daemon() as daemon:
            daemon.serve_forever(poll_interval=0.02)
        return 0
    if sys.argv[1:] == ["client"]:
        with socket.socket(socket.AF_UNIX) as connection:
            with contextlib.suppress(OSError):
                if os.environ.get("FAKE_MPS") != "lost":
                    connection.connect(str(SOCKET))
                    connection.sendall(f"client {os.getpid()}\n".encode())
                    connection.recv(10)
            print("ready", flush=True)
            sys.stdin.read()
        return 0
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(SOCKET))
            connection.sendall(sys.stdin.readline().encode())
            print(connection.makefile().read(), end="")
    except OSError:
        print("Cannot find MPS control daemon process", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
