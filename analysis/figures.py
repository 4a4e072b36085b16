"""`python -m analysis.figures`: the papers' figures as PDF, SVG and PNG."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from matplotlib.figure import Figure

from analysis.building import paper_table
from analysis.feeding import Feed, feed
from analysis.items import BLOCK_SPECS, TABLES
from analysis.options import existing, parser, run
from analysis.plots import (
    delays,
    dynamics,
    forms,
    heat_map,
    loss_curves,
    margins,
    memorisation,
    overfitting,
    parameter_sweep,
)
from analysis.plots.critical_difference import critical_difference
from analysis.plots.style import message_figure, save, styled


@dataclass(frozen=True)
class FigureItem:
    """A figure; `draw` returns None where block `block` has no results for it."""

    name: str
    title: str
    draw: Callable[[Feed], Figure | None]
    block: str | None

    @property
    def absence(self) -> str:
        """The message where there is nothing to draw."""
        spec = f"sweeps/{BLOCK_SPECS[self.block]}" if self.block else ""
        return f"{self.title}: no results yet; noisebench run {spec} makes them"


def _ranks(source: Feed) -> Figure | None:
    return critical_difference(paper_table(source, TABLES[0]))


def _analytic(draw: Callable[[], Figure], source: Feed) -> Figure:
    del source
    return draw()


FIGURES = (
    FigureItem("figure1", "Figure 1: BL and PZ", partial(_analytic, loss_curves.both), None),
    FigureItem("figure2", "Figure 2: training dynamics", dynamics.truncated, "fig2"),
    FigureItem("figure3", "Figure 3: effect of gamma and c", parameter_sweep.against_focal, "table1"),
    FigureItem("figure4", "Figure 4: F1 of every loss", heat_map.heat_map, "table1"),
    FigureItem("figure5", "Figure 5: effect of the delay", delays.by_cutoff, "fig5"),
    FigureItem("figure6", "Figure 6: AUM of wrong and right labels", margins.histograms, "table5"),
    FigureItem("figure7", "Figure 7: training dynamics, untruncated", dynamics.untruncated, "fig2"),
    FigureItem(
        "preliminary-figure2",
        "Preliminary Figure 2: CE and FL",
        partial(_analytic, loss_curves.focal_alone),
        None,
    ),
    FigureItem(
        "preliminary-figure3", "Preliminary Figure 3: BL", partial(_analytic, loss_curves.blurry_alone), None
    ),
    FigureItem(
        "preliminary-figure4",
        "Preliminary Figure 4: PZ",
        partial(_analytic, loss_curves.piecewise_zero_alone),
        None,
    ),
    FigureItem(
        "preliminary-figure5", "Preliminary Figure 5: detections", parameter_sweep.detections, "preliminary"
    ),
    FigureItem("preliminary-figure6", "Preliminary Figure 6: delay", delays.preliminary, "preliminary"),
    FigureItem("overfitting", "Over-fitting on clean data", overfitting.overfitting, overfitting.BLOCK),
    FigureItem(
        "memorisation",
        "Rankings as wrong labels are memorised",
        memorisation.memorisation,
        memorisation.BLOCK,
    ),
    FigureItem("bl-forms", "Forms of BL beside GCE", forms.by_parameter, forms.BLOCK),
    FigureItem("critical-difference", "Critical differences of Table 1", _ranks, "table1"),
)


def main(arguments: list[str]) -> int:
    """Write the figures; return the exit code."""
    chosen = parser("figures", __doc__).parse_args(arguments)
    source = feed(existing(chosen.results), chosen.sweep)
    for item in FIGURES:
        with styled():
            figure = item.draw(source)
            save(figure or message_figure(item.absence), chosen.out, item.name)
        if figure is None:
            print(item.absence, file=sys.stderr)
    return 0


if __name__ == "__main__":
    run(main)
