"""Options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

Results = Annotated[
    Path,
    typer.Option("--results", envvar="NOISEBENCH_RESULTS", help="Folder of all results.", file_okay=False),
]
Data = Annotated[
    Path | None,
    typer.Option("--data", envvar="NOISEBENCH_DATA", help="Folder of the data sets.", file_okay=False),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]

DEFAULT_RESULTS = Path("results")
