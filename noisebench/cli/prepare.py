"""`noisebench prepare`: download and verify the data files of a sweep."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from noisebench.cli.options import Json
from noisebench.errors import InputError

LINE_SECONDS = 2.0


def prepare(
    spec: Annotated[Path, typer.Argument(help="The sweep's YAML file.")],
    data: Annotated[
        Path | None,
        typer.Option("--data", envvar="NOISEBENCH_DATA", help="Folder of the data sets; created if needed."),
    ] = None,
    offline: Annotated[
        bool,
        typer.Option("--offline", help="Show what is missing; download nothing."),
    ] = False,
    as_json: Json = False,
) -> None:
    """Verify the data sets and pretrained weights of a sweep by checksum; download what is missing."""
    from noisebench.data.download import fetch_all
    from noisebench.data.files import needed_files, problem
    from noisebench.sweep.sweep import load_sweep

    sweep = load_sweep(spec)
    if data is None:
        raise InputError("prepare: name the folder for the data sets with --data DIR")
    needed = needed_files(list(sweep.trials()))
    wrong = {file: text for file in needed if (text := problem(file, data))}
    if wrong and not offline:
        fetch_all(list(wrong), data, _ProgressLines())
        wrong = {}
    if as_json:
        states = {file.path: wrong.get(file, "ok") for file in needed}
        print(json.dumps({"data": str(data), "files": states}))
    else:
        for file in needed:
            print(
                f"{wrong[file]}; would be fetched from {file.url}"
                if file in wrong
                else f"{data / file.path}: ok"
            )
        if not needed:
            print(f"sweep {sweep.name} needs no data files", file=sys.stderr)
    if wrong:
        raise typer.Exit(3)


class _ProgressLines:
    """Prints a line for a download every two seconds, and when it is complete."""

    def __init__(self) -> None:
        self._last = 0.0

    def __call__(self, url: str, have: int, total: int | None) -> None:
        if have != total and time.monotonic() - self._last < LINE_SECONDS:
            return
        self._last = time.monotonic()
        of = f" of {total / 1e6:.1f}" if total else ""
        print(f"{url}: {have / 1e6:.1f}{of} MB", file=sys.stderr, flush=True)
