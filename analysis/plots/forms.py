"""The forms of BL beside GCE at equal parameters."""

import json

from matplotlib.figure import Figure

from analysis.feeding import Feed
from analysis.plots.labels import plain_text
from analysis.plots.style import BLACK, CYCLE, MARKERS, new_figure
from noisebench.store.blocks import Candidate, block_candidates

BLOCK = "forms"


def by_parameter(source: Feed) -> Figure | None:
    """Draw F1 over gamma (GCE: q), a line a form, a panel for each (data set, eta), CE as dotted line."""
    sweep = source.sweep(BLOCK)
    cells = block_candidates(source.store, sweep, BLOCK, "f1") if sweep else []
    swept = [cell for cell in cells if cell.value is not None]
    if not swept:
        return None
    names = list(dict.fromkeys(_name(cell) for cell in swept))
    settings = list(dict.fromkeys(_setting(cell) for cell in swept))
    figure, axes = new_figure(1, len(settings), 2.8)
    for axis, setting in zip(axes[0], settings, strict=True):
        here = [cell for cell in swept if _setting(cell) == setting]
        for name, colour, marker in zip(names, CYCLE, MARKERS, strict=False):
            line = sorted((cell for cell in here if _name(cell) == name), key=lambda cell: cell.value or 0.0)
            values, means = [cell.value for cell in line], [cell.mean for cell in line]
            deviations = [cell.std or 0.0 for cell in line]
            axis.errorbar(values, means, deviations, color=colour, marker=marker, label=name, capsize=2)
        for cell in cells:
            if cell.loss == "CE" and _setting(cell) == setting:
                axis.axhline(cell.mean, color=BLACK, linestyle=":", label="CE")
        axis.set(
            title=f"{plain_text(setting[0])}, $\\eta$ = {setting[1]:g}", xlabel="$\\gamma$ of BL, q of GCE"
        )
    axes[0, 0].set_ylabel("F1")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels))
    return figure


def _setting(cell: Candidate) -> tuple[str, float | None]:
    return cell.dataset, cell.eta


def _name(cell: Candidate) -> str:
    form = json.loads(cell.loss_parameters).get("form")
    return cell.loss if form is None else f"{cell.loss} {form}"
