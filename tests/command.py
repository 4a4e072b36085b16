"""The command line as a user runs it: a process of its own."""

import os
import subprocess
import sys
from pathlib import Path

COMMAND = [sys.executable, "-c", "from noisebench.cli.app import main; main()"]


def noisebench(
    *arguments: str | Path,
    results: Path | None = None,
    cwd: Path | None = None,
    timeout: float = 300,
    **variables: str,
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, with more environment variables, and return it, both outputs as text."""
    environment = {**os.environ, "NO_COLOR": "1", **variables}
    environment.pop("NOISEBENCH_DATA", None)
    if results is not None:
        environment["NOISEBENCH_RESULTS"] = str(results)
    return subprocess.run(
        [*COMMAND, *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=cwd,
        env=environment,
        timeout=timeout,
        check=False,
    )
