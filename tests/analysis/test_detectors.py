"""Rankings of detectors: by hand, and from the records of a results folder."""

from dataclasses import replace

import numpy as np
import pytest

from analysis.detectors import Judged, help_listing, help_of, listings, main, ranking, rankings
from analysis.feeding import feed
from analysis.report import SECTIONS
from analysis.significance import paired_test
from noisebench.catalogue.component import Component
from noisebench.sweep.trial import Trial
from tests.analysis.test_building import complete
from tests.store.results_folder import Folder, trial

# By detector and loss, AUROC for each of four trainings. BL raises good by 0.01 to 0.03, fair by nothing on
# average.
VALUES = {
    ("good", "CE"): [0.90, 0.91, 0.92, 0.93],
    ("good", "BL 0.4"): [0.91, 0.93, 0.95, 0.95],
    ("fair", "CE"): [0.80, 0.82, 0.81, 0.84],
    ("fair", "BL 0.4"): [0.82, 0.80, 0.82, 0.83],
    ("poor", "CE"): [0.60, 0.63, 0.58, 0.61],
    ("poor", "BL 0.4"): [0.61, 0.62, 0.60, 0.60],
}
TRIALS = [
    Judged(detector, loss, pair, value, value - 0.1, value - 0.2, detector == "fair")
    for (detector, loss), values in VALUES.items()
    for pair, value in enumerate(values)
]


def test_detectors_are_in_the_order_of_their_ranks() -> None:
    found = ranking(TRIALS, "block", "auroc", "AUROC")
    assert list(found.heads) == ["detector", "told the rate", "CE", "BL 0.4", "mean rank"]
    assert [list(row) for row in found.rows] == [
        ["good", "", "0.9150¹", "0.9350¹", "1.0"],
        ["fair", "yes", "0.8175", "0.8175", "2.0"],
        ["poor", "", "0.6050", "0.6075", "3.0"],
    ]
    # Eight trainings in the same order: Friedman's statistic is 16 with two degrees of freedom.
    assert "over 8 trainings: p = 0.00034" in found.notes[1]


def test_what_the_test_leaves_undecided_is_tied() -> None:
    near = [replace(each, auroc=0.9 + 0.02 * (-1) ** each.pair) for each in TRIALS if each.detector == "fair"]
    others = [each for each in TRIALS if each.detector != "fair"]
    found = ranking([*others, *near], "block", "auroc", "AUROC")
    assert {row[0]: row[2] for row in found.rows} == {"good": "0.9150¹", "fair": "0.9000 =", "poor": "0.6050"}


def test_average_precision_is_ranked_as_auroc_is() -> None:
    found = ranking(TRIALS, "block", "average_precision", "average precision")
    assert [list(row) for row in found.rows] == [
        ["good", "", "0.8150¹", "0.8350¹", "1.0"],
        ["fair", "yes", "0.7175", "0.7175", "2.0"],
        ["poor", "", "0.5050", "0.5075", "3.0"],
    ]


def test_by_f1_detectors_that_are_told_the_rate_have_a_table_of_their_own() -> None:
    # Told the rate, fair has the highest F1 of all: it takes no mark and no rank from the others.
    raised = [replace(each, f1=0.9) if each.knows_rate else each for each in TRIALS]
    third = [replace(each, detector="third", f1=0.3) for each in TRIALS if each.detector == "poor"]
    others, told = rankings([*raised, *third], "block", "f1", "F1")
    assert [list(row) for row in others.rows] == [
        ["good", "", "0.7150¹", "0.7350¹", "1.0"],
        ["poor", "", "0.4050", "0.4075", "2.0"],
        ["third", "", "0.3000", "0.3000", "3.0"],
    ]
    assert [list(row) for row in told.rows] == [["fair", "yes", "0.9000", "0.9000", "–"]]
    assert (told.name, told.title) == ("block-f1-told", "block: detectors that are told the rate, by F1")
    assert all(
        any("told the rate must not be compared" in note for note in each.notes) for each in (others, told)
    )


def test_rankings_without_a_rule_compare_all_detectors() -> None:
    for metric in ("auroc", "average_precision"):
        (found,) = rankings(TRIALS, "block", metric, metric)
        assert {row[0] for row in found.rows} == {"good", "fair", "poor"}
        assert not any("must not" in note for note in found.notes)


def test_help_is_the_paired_difference_from_ce() -> None:
    found = {each.detector: each for each in help_of(TRIALS, "auroc")}
    good = np.array([0.01, 0.02, 0.03, 0.02])
    of_good = found["good"].difference
    assert (of_good.pairs, of_good.mean) == (4, pytest.approx(0.02))
    assert of_good.effect == pytest.approx(good.mean() / good.std(ddof=1))
    # The smallest of three p-values counts three times.
    assert of_good.p == pytest.approx(3 * paired_test(good))
    assert [found[name].verdict for name in ("good", "fair", "poor")] == ["helps", "undecided", "undecided"]
    assert help_listing(TRIALS, "block", "auroc", "AUROC").notes[0] == "BL 0.4: helps 1, undecided 2."
    lower = [replace(each, auroc=1 - each.auroc) for each in TRIALS if each.auroc is not None]
    assert {each.detector: each.verdict for each in help_of(lower, "auroc")}["good"] == "hurts"


def test_one_pair_has_no_verdict_and_no_pair_no_row() -> None:
    one = [each for each in TRIALS if each.pair == 0]
    assert {each.verdict for each in help_of(one, "auroc")} == {"too few pairs"}
    assert help_listing([each for each in TRIALS if each.loss != "CE"], "b", "auroc", "AUROC").rows == []
    assert ranking(one, "block", "auroc", "AUROC").rows[0][:4] == ["good", "", "0.9000¹", "0.9100¹"]


def test_a_metric_that_no_record_has_gives_no_rows() -> None:
    old = [replace(each, average_precision=None) for each in TRIALS]
    assert ranking(old, "block", "average_precision", "average precision").rows == []


def test_a_detector_that_failed_somewhere_has_a_dash() -> None:
    partly = [each for each in TRIALS if (each.detector, each.loss) != ("poor", "CE")]
    rows = {row[0]: row for row in ranking(partly, "block", "auroc", "AUROC").rows}
    assert rows["poor"][2] == "–"


def _trial(detector: Component, loss: str, seed: int) -> Trial:
    parameters = {"gamma": 0.4} if loss == "BL" else {}
    return replace(trial(loss, seed, **parameters), detector=detector)


@pytest.mark.slow
def test_the_records_of_a_block_are_ranked(folder: Folder, capsys: pytest.CaptureFixture[str]) -> None:
    detectors = [*(Component.of("small-loss", share=share) for share in (None, 0.2)), Component.of("ctrl")]
    trials = {
        (number, loss, seed): _trial(detector, loss, seed)
        for number, detector in enumerate(detectors)
        for loss in ("CE", "BL")
        for seed in (0, 1)
    }
    folder.manifest({"detectors-digits": trials.values()})
    measured = [
        (
            each,
            {
                "average_precision": 0.8,
                "auroc": 0.9 - 0.1 * number + 0.01 * seed + 0.02 * (loss == "BL"),
                "f1": 0.5,
                "noise_hash": f"{seed}",
                "knows_rate": number == 1,
            },
        )
        for (number, loss, seed), each in trials.items()
    ]
    complete(folder, *measured)
    found = {each.name: each for each in listings(feed(folder.results))}
    without_a_rule = ("auroc", "auroc-help", "average_precision", "average_precision-help")
    by_flags = ("f1", "f1-told", "f1-help")
    assert list(found) == [f"detectors-digits-{name}" for name in (*without_a_rule, *by_flags)]
    assert [row[0] for row in found["detectors-digits-f1-told"].rows] == ["small-loss share 0.2"]
    rows = [list(row) for row in found["detectors-digits-auroc"].rows]
    assert [row[:4] for row in rows] == [
        ["small-loss", "", "0.9050¹", "0.9250¹"],
        ["small-loss share 0.2", "yes", "0.8050", "0.8250"],
        ["ctrl", "", "0.7050", "0.7250"],
    ]
    help_rows = found["detectors-digits-auroc-help"].rows
    assert {(row[1], row[2], row[6]) for row in help_rows} == {("BL 0.4", "2", "helps")}
    assert main(["--results", str(folder.root)]) == 0
    printed = capsys.readouterr().out
    for metric in ("AUROC", "average precision", "F1"):
        assert f"### detectors-digits: detectors by {metric}" in printed


def test_without_results_the_sweep_is_named(folder: Folder, capsys: pytest.CaptureFixture[str]) -> None:
    folder.manifest({"grid": [trial()]})
    assert listings(feed(folder.results)) == []
    main(["--results", str(folder.root)])
    assert "noisebench run sweeps/detectors.yaml" in capsys.readouterr().out
    assert "detectors" in SECTIONS
