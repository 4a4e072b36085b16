"""The style of every figure: sizes, a colour-blind safe palette, files."""

import io
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

# Okabe and Ito (2008); wrong and right labels also differ in place, hatching or line style.
BLUE, ORANGE, GREEN, VERMILION, PURPLE, SKY, YELLOW, BLACK = (
    "#0072B2",
    "#E69F00",
    "#009E73",
    "#D55E00",
    "#CC79A7",
    "#56B4E9",
    "#F0E442",
    "#000000",
)
WRONG, RIGHT = VERMILION, GREEN
CYCLE = (BLUE, ORANGE, GREEN, VERMILION, PURPLE, SKY, BLACK)
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
WIDTH = 7.0  # inches: the text width of both papers

_WITHOUT_DATE: dict[str, dict[str, Any]] = {"pdf": {"CreationDate": None}, "svg": {"Date": None}, "png": {}}
RC: dict[Any, Any] = {
    "font.size": 8,
    "axes.titlesize": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#dddddd",
    "grid.linewidth": 0.5,
    "axes.axisbelow": True,
    "legend.frameon": False,
    "lines.linewidth": 1.4,
    "lines.markersize": 4,
    "svg.hashsalt": "noisebench",
    "pdf.fonttype": 42,
}


def styled() -> AbstractContextManager[None]:
    """Return the context in which figures must be drawn and saved to have this style."""
    return mpl.rc_context(RC)


def new_figure(rows: int, columns: int, height: float, **options: Any) -> tuple[Figure, Any]:
    """Return a figure of the text's width, `height` in inches, with its axes [rows, columns]."""
    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    return figure, figure.subplots(rows, columns, squeeze=False, **options)


def message_figure(text: str) -> Figure:
    """Return a figure with a message in place of a plot."""
    figure, axes = new_figure(1, 1, 2.0)
    axes[0, 0].axis("off")
    axes[0, 0].text(0.5, 0.5, text, ha="center", va="center", wrap=True)
    return figure


def save(figure: Figure, folder: Path, name: str) -> list[Path]:
    """Write the figure as PDF, SVG and PNG (200 dpi), always the same bytes; return the files."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{name}.{ending}" for ending in _WITHOUT_DATE]
    for path, metadata in zip(paths, _WITHOUT_DATE.values(), strict=True):
        figure.savefig(path, dpi=200, metadata=metadata)
    return paths


def svg(figure: Figure) -> bytes:
    """Return the figure as SVG, always the same bytes."""
    file = io.BytesIO()
    figure.savefig(file, format="svg", metadata=_WITHOUT_DATE["svg"])
    return file.getvalue()
