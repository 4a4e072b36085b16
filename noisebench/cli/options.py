"""Options and arguments that several commands share."""

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
Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="PATH=VALUE",
        help="Replace a value of the sweep file, such as seeds=3 or training.precision=fast. Repeatable.",
    ),
]
Replace = Annotated[
    bool,
    typer.Option("--replace", help="Replace a different sweep of the same name; its records stay."),
]
SweepName = Annotated[str, typer.Argument(help="The sweep's name, as `noisebench status` lists it.")]

DEFAULT_RESULTS = Path("results")
