"""Every figure, drawn from the synthetic database and from an empty results folder."""

import io
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

from analysis.building import paper_table
from analysis.feeding import Feed, feed
from analysis.figures import FIGURES, main
from analysis.grid import Cell, Row, Table
from analysis.items import TABLES
from analysis.plots import dynamics, heat_map, loss_curves
from analysis.plots.cells import usual_cells
from analysis.plots.critical_difference import critical_difference, ranks_of
from analysis.plots.style import RIGHT, WRONG, YELLOW, message_figure, save, styled
from noisebench.catalogue.component import Component
from tests.analysis.test_building import complete
from tests.store.results_folder import TRAINING, Folder, trial

Draw = Callable[[str], Figure]


@pytest.fixture(autouse=True)
def _style() -> Iterator[None]:
    with styled():
        yield


@pytest.fixture(scope="module")
def drawn(source: Feed) -> Draw:
    """Return a figure of the synthetic database by its name, drawn once for all tests."""

    @cache
    def draw(name: str) -> Figure:
        (item,) = (item for item in FIGURES if item.name == name)
        figure = item.draw(source)
        assert figure is not None
        return figure

    return draw


# What no synthetic results are made for is drawn in a test of its own.
@pytest.mark.slow
@pytest.mark.parametrize("name", [item.name for item in FIGURES if item.name != "memorisation"])
def test_a_figure_is_drawn_and_not_blank(drawn: Draw, name: str) -> None:
    picture = io.BytesIO()
    drawn(name).savefig(picture, format="rgba", dpi=50)
    pixels = np.frombuffer(picture.getvalue(), np.uint8).reshape(-1, 4)
    assert (pixels[:, :3] < 200).any(1).mean() > 0.01


@pytest.mark.slow
def test_without_results_a_figure_says_which_sweep_makes_it(
    folder: Folder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder.root.mkdir()
    source = feed(folder.results)
    absent = [item for item in FIGURES if item.draw(source) is None]
    assert [item.name for item in FIGURES if item not in absent] == [
        "figure1",
        "preliminary-figure2",
        "preliminary-figure3",
        "preliminary-figure4",
    ]
    assert main(["--results", str(folder.root), "--out", str(tmp_path / "out")]) == 0
    messages = capsys.readouterr().err.splitlines()
    assert messages == [item.absence for item in absent]
    assert (
        "Figure 5: effect of the delay: no results yet; noisebench run sweeps/paper-delay.yaml makes them"
        in messages
    )
    assert len(list((tmp_path / "out").iterdir())) == 3 * len(FIGURES)


@pytest.mark.slow
def test_the_same_figure_is_the_same_bytes(tmp_path: Path) -> None:
    first = [path.read_bytes() for path in save(message_figure("text"), tmp_path, "first")]
    second = [path.read_bytes() for path in save(message_figure("text"), tmp_path, "second")]
    assert first == second
    assert [data[:4] for data in first] == [b"%PDF", b"<?xm", b"\x89PNG"]


def test_the_losses_of_figure_1_by_hand() -> None:
    p = np.array([0.2, 0.5, 1.0])
    assert loss_curves.blurry(p, 0.5) == pytest.approx([0.719763, 0.490129, 0.0], abs=1e-6)
    assert loss_curves.piecewise_zero(p, 0.2) == pytest.approx([0.0, 0.693147, 0.0], abs=1e-6)


@pytest.mark.slow
def test_dynamics_have_a_box_an_epoch_for_wrong_and_right_labels(drawn: Draw) -> None:
    for name in ("figure2", "figure7"):
        axes = drawn(name).axes
        assert [axis.get_title() for axis in axes[:3]] == ["CE", "BL, $\\gamma$ = 0.7", "PZ, c = 0.02"]
        assert [len(axis.patches) for axis in axes] == [20] * 6 + [0, 20, 0]
        assert [axis.get_ylabel() for axis in axes[::3]] == [
            "probability p",
            "dL/dp as trained",
            "dL/dp as printed",
        ]


@pytest.mark.slow
def test_the_trained_gradient_of_bl_has_another_sign_than_the_printed_one(drawn: Draw) -> None:
    """By hand at gamma .7 and p = .01: -p^-.3 = -3.98; the printed formula gives +8.85."""
    p = np.array([0.01, 1.0])
    assert dynamics.trained_gradient(p, 0.7) == pytest.approx([-3.981, -1.0], abs=1e-3)
    printed = -(p**-0.3) * (1 + 0.7 * np.log(p))
    assert printed == pytest.approx([8.853, -1.0], abs=1e-3)
    trained, as_printed = drawn("figure7").axes[4], drawn("figure7").axes[7]
    highest = [max(line.get_ydata().max() for line in axis.lines) for axis in (trained, as_printed)]
    assert highest[0] < 0 < highest[1]


def test_the_preliminary_loss_figures_are_ce_and_fl_then_bl_then_pz(drawn: Draw) -> None:
    titles = [drawn(f"preliminary-figure{number}").axes[0].get_title() for number in (2, 3, 4)]
    assert titles == ["Cross Entropy and Focal Loss", "Blurry Loss", "Piecewise-zero Loss"]
    assert loss_curves.focal(np.array([0.5]), 2) == pytest.approx(0.25 * np.log(2))


def test_over_fitting_is_a_figure_of_its_own(drawn: Draw) -> None:
    assert [axis.get_title() for axis in drawn("overfitting").axes] == ["MNIST", "Fashion-MNIST"]


def test_preliminary_figure_5_has_the_baselines_and_a_delay_of_4(drawn: Draw) -> None:
    axes = drawn("preliminary-figure5").axes
    assert [axis.get_title() for axis in axes[:2]] == [
        "CE, FL, and BL with d = 4",
        "CE, FL, and PZ with d = 4",
    ]
    labels = [[text.get_text() for text in axis.get_xticklabels()] for axis in axes[2:]]
    assert labels[0] == ["CE", "FL", "0.1", "0.2", "0.3", "0.4", "0.5", "0.6", "0.7", "0.8", "0.9"]
    assert labels[1] == ["CE", "FL", "0.01", "0.02", "0.05", "0.1", "0.2"]
    assert [len(axis.patches) for axis in axes[2:]] == [22, 14]


def test_the_heat_map_marks_the_best(drawn: Draw) -> None:
    """Each panel: a best text in each row, a box for the best gamma and the best c of each."""
    for axis in drawn("figure4").axes[:2]:
        bold = [text.get_text() for text in axis.texts if text.get_color() == YELLOW]
        assert len(bold) == 4
        assert len(axis.patches) == 8
        assert len(axis.texts) == 4 * 24
    assert heat_map.DATASETS == ("MNIST", "CIFAR-100")


@pytest.mark.slow
def test_figures_leave_other_forms_out(folder: Folder) -> None:
    forms = [trial("BL", gamma=0.4, form=form) for form in ("detached", "printed")]
    folder.manifest({"table1": forms}, seeds_asked=1)
    complete(folder, (forms[0], {"f1": 0.5}), (forms[1], {"f1": 0.9}))
    (cell,) = usual_cells(feed(folder.results), "table1", "f1").itertuples()
    assert (cell.mean, cell.best_of_setting) == (0.5, True)


def test_the_delay_figure_has_a_panel_an_eta_and_a_line_a_cutoff(drawn: Draw) -> None:
    axes = drawn("figure5").axes
    assert [axis.get_title() for axis in axes] == [f"$\\eta$ = {eta}" for eta in (0.1, 0.2, 0.3, 0.4)]
    assert all(len(axis.containers) == 6 for axis in axes)


def test_histograms_name_both_distances(drawn: Draw) -> None:
    titles = [axis.get_title() for axis in drawn("figure6").axes]
    assert titles[1].startswith("BL, $\\gamma$ = 0.05\nd = 3.4")
    assert {WRONG, RIGHT} == {line.get_color() for line in drawn("figure6").axes[0].lines}


def test_forms_of_bl_are_lines_beside_gce(drawn: Draw) -> None:
    axes = drawn("bl-forms").axes
    assert [axis.get_title() for axis in axes] == [
        f"{dataset}, $\\eta$ = {eta}" for dataset in ("MNIST", "CIFAR-100") for eta in (0.2, 0.4)
    ]
    labels = [text.get_text() for text in drawn("bl-forms").legends[0].get_texts()]
    assert labels == ["CE", "BL detached", "BL printed", "BL clamped", "GCE"]
    assert all(len(line.get_xdata()) == 5 for line in axes[0].containers[0].lines[:1])


def test_ranks_are_over_the_rows_that_have_every_loss(source: Feed, folder: Folder) -> None:
    ranks = ranks_of(paper_table(source, TABLES[0]))
    assert ranks is not None
    assert (ranks.rows, ranks.methods[int(ranks.ranks.argmin())]) == (16, "BL")
    folder.root.mkdir()
    assert ranks_of(paper_table(feed(folder.results), TABLES[0])) is None


@pytest.mark.slow
def test_a_name_with_mathematics_is_drawn_as_text(tmp_path: Path) -> None:
    """A loss or data set of the user's own may have any name."""
    names = ["CE", "FL", r"mine:loss, mode $\frac{$"]
    cells = {loss: Cell(0.5 + 0.1 * index, n=1) for index, loss in enumerate(names)}
    rows = [Row((label, ""), cells) for label in ("first", "second")]
    table = Table("t", "T", "f1", 3, "s", "b", "", columns=names, rows=rows)
    figure = critical_difference(table)
    assert figure is not None
    assert len(save(figure, tmp_path, "ranks")) == 3


def test_rankings_are_drawn_over_the_length_of_the_training(folder: Folder) -> None:
    """Two detectors, each a line through its means over two seeds."""
    trials = {
        (name, epochs, seed): replace(
            trial(seed=seed), detector=Component.of(name), training=replace(TRAINING, epochs=epochs)
        )
        for name in ("ctrl", "none")
        for epochs in (5, 10)
        for seed in (0, 1)
    }
    folder.manifest({"memorisation": trials.values()})
    measured = [
        (each, {"f1": 0.5, "auroc": 0.9 - epochs / 100 + seed / 50 - (name == "none") / 10})
        for (name, epochs, seed), each in trials.items()
    ]
    complete(folder, *measured)
    (item,) = (item for item in FIGURES if item.name == "memorisation")
    figure = item.draw(feed(folder.results))
    assert figure is not None
    lines = {line.get_label(): line for line in figure.axes[0].get_lines()}
    assert lines["ctrl"].get_xydata() == pytest.approx(np.array([[5, 0.86], [10, 0.81]]))
    assert lines["none"].get_xydata() == pytest.approx(np.array([[5, 0.76], [10, 0.71]]))
