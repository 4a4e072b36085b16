"""The command line as a user runs it: in a process of its own, or without the start of one."""

import contextlib
import io
import os
import subprocess
import sys
from functools import cache
from pathlib import Path
from unittest.mock import patch

import typer.main

from noisebench.cli.app import main

_get_command = cache(typer.main.get_command)
COMMAND = [sys.executable, "-c", "from noisebench.cli.app import main; main()"]


def noisebench(
    *arguments: str | Path,
    results: Path | None = None,
    cwd: Path | None = None,
    timeout: float = 900,
    **variables: str,
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, with more environment variables, and return it, both outputs as text."""
    return subprocess.run(
        [*COMMAND, *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=cwd,
        env={**environment_of(results), **variables},
        timeout=timeout,
        check=False,
    )


def noisebench_here(
    *arguments: str | Path, results: Path | None = None, cwd: Path
) -> subprocess.CompletedProcess[str]:
    """Run a command in this process, which has imported what each new one takes a second or more for."""
    words, code = ["noisebench", *map(str, arguments)], 0
    out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True) for _ in range(2))
    with (
        patch.dict(os.environ, environment_of(results), clear=True),
        # Typer reads the signatures of all commands again at each call, for longer than most commands take.
        patch.object(typer.main, "get_command", _get_command),
        patch.object(sys, "argv", words),
        contextlib.chdir(cwd),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        try:
            main()
        except SystemExit as end:
            code = int(end.code or 0)
    return subprocess.CompletedProcess(words, code, _text(out), _text(err))


def environment_of(results: Path | None) -> dict[str, str]:
    environment = {**os.environ, "NO_COLOR": "1"}
    environment.pop("NOISEBENCH_DATA", None)
    if results is not None:
        environment["NOISEBENCH_RESULTS"] = str(results)
    return environment


def _text(stream: io.TextIOWrapper) -> str:
    stream.seek(0)
    return stream.read()
