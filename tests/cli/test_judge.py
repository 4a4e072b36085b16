"""`noisebench judge` on small arrays: metrics computed by hand, one clear message for each mistake."""

import csv
import json
import math
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from noisebench.catalogue.detector import ranking
from noisebench.catalogue.detectors import DETECTORS
from noisebench.detectors.given import detectors
from tests.command import noisebench_here

# Eight samples of two classes by p(0); the labels of samples 3 and 7 are wrong.
P_OF_0 = np.array([0.9, 0.8, 0.9, 0.1, 0.1, 0.2, 0.1, 0.9])
LABELS = np.array([0, 0, 0, 0, 1, 1, 1, 1])
TRUTH = np.array([0, 0, 0, 1, 1, 1, 1, 0])
RANKINGS = ("self-confidence", "normalized-margin", "confidence-weighted-entropy")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """p.npy, labels.npy and truth.npy."""
    np.save(tmp_path / "p.npy", np.stack([P_OF_0, 1 - P_OF_0], axis=1).astype(np.float16))
    np.save(tmp_path / "labels.npy", LABELS)
    np.save(tmp_path / "truth.npy", TRUTH)
    return tmp_path


def test_every_detector_finds_the_two_wrong_labels(folder: Path) -> None:
    done = noisebench_here("judge", "p.npy", "labels.npy", "--truth", "truth.npy", "--json", cwd=folder)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert (found["samples"], found["classes"]) == (8, 2)
    assert [row["detector"] for row in found["detectors"]] == list(detectors())
    for row in found["detectors"]:
        assert (row["flagged"], row["wrong_labels"], row["knows_rate"]) == (2, 2, False)
        assert [row[name] for name in ("auroc", "average_precision", "f1")] == [1, 1, 1]


def test_the_table_has_a_line_for_each_detector(folder: Path) -> None:
    # By margin, samples 3, 7 (0.9 each), then 1, 5; with the truth of sample 1 changed one error ranks third
    # to fourth of eight, among equals.
    truth = TRUTH.copy()
    truth[1] = 1
    np.save(folder / "truth.npy", truth)
    options = ["--detector", "normalized-margin", "--detector", "predicted-not-given"]
    done = noisebench_here("judge", "p.npy", "labels.npy", *options, "--truth", "truth.npy", cwd=folder)
    header, *lines = (line.split() for line in done.stdout.splitlines())
    assert header == ["detector", "flagged", "auroc", "average_precision", "precision", "recall", "f1"]
    # 14.5 of 15 pairs in order; precision 1, 1 and 3/4 at the three errors.
    assert [line[:3] for line in lines] == [
        ["normalized-margin", "2", "0.9667"],
        ["predicted-not-given", "2", "0.9667"],
    ]
    assert lines[0][3:] == ["0.9167", "1.0000", "0.6667", "0.8000"]


def test_detectors_have_the_names_of_the_catalogue(folder: Path) -> None:
    names = [name for name, each in DETECTORS.items() if each.needs == ("probabilities",)]
    assert {"confident-learning", "self-confidence", "normalized-margin"} <= set(names)
    assert list(detectors()) == [*names, "prune-by-class", "prune-by-noise-rate"]
    options = ["--detector", "low-self-confidence", "--detector", "low-normalized-margin"]
    done = noisebench_here("judge", "p.npy", "labels.npy", *options, cwd=folder)
    assert [line.split()[0] for line in done.stdout.splitlines()[1:]] == [
        "self-confidence",
        "normalized-margin",
    ]


def test_a_ranking_that_is_added_to_the_catalogue_is_known(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    added = ranking("added", "normalized_margin", "a paper")
    monkeypatch.setitem(DETECTORS, "added", added)
    done = noisebench_here("judge", "p.npy", "labels.npy", "--detector", "added", cwd=folder)
    assert [line.split() for line in done.stdout.splitlines()] == [["detector", "flagged"], ["added", "2"]]


def test_without_the_truth_only_flags_are_counted(folder: Path) -> None:
    done = noisebench_here("judge", "p.npy", "labels.npy", "--detector", "confident-learning", cwd=folder)
    assert [line.split() for line in done.stdout.splitlines()] == [
        ["detector", "flagged"],
        ["confident-learning", "2"],
    ]


def test_the_flagged_samples_are_written(folder: Path) -> None:
    options = ["--detector", "self-confidence", "--out", "new/suspects.csv"]
    noisebench_here("judge", "p.npy", "labels.npy", *options, cwd=folder)
    rows = list(csv.DictReader((folder / "new" / "suspects.csv").read_text().splitlines()))
    assert [(row["sample"], row["given"], row["predicted"]) for row in rows] == [
        ("3", "0", "1"),
        ("7", "1", "0"),
    ]
    assert float(rows[0]["suspicion"]) == pytest.approx(0.9, abs=1e-3)


def test_an_npz_file_is_read_by_the_names_of_its_arrays(folder: Path) -> None:
    rows = np.stack([P_OF_0, 1 - P_OF_0], axis=1)
    np.savez(folder / "all.npz", probabilities=rows, labels=LABELS, truth=TRUTH)
    np.savez(folder / "one.npz", anything=LABELS)
    for labels in ("all.npz", "one.npz"):
        done = noisebench_here("judge", "all.npz", labels, "--truth", "all.npz", "--json", cwd=folder)
        assert json.loads(done.stdout)["detectors"][0]["flagged"] == 2
    np.savez(folder / "other.npz", y=LABELS, z=TRUTH)
    refused = noisebench_here("judge", "all.npz", "other.npz", cwd=folder)
    assert (refused.returncode, "no array is called 'labels'; the file has y, z" in refused.stderr) == (
        2,
        True,
    )


def small_arrays() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Probabilities [60, 3], given and true labels; a quarter of the given ones is wrong."""
    rng = np.random.default_rng(0)
    truth = np.arange(60) % 3
    given = np.where(np.arange(60) % 4 == 0, (truth + 1) % 3, truth)
    logits = rng.normal(size=(60, 3)) + 1.5 * np.eye(3)[truth]
    p = np.exp(logits)
    return p / p.sum(axis=1, keepdims=True), given, truth


def expected_ranking(suspicion: list[float], wrong: np.ndarray) -> tuple[float, float]:
    """AUROC, the share of pairs in the right order, and average precision, from the definitions."""
    pairs = [(suspicion[a], suspicion[b]) for a in np.flatnonzero(wrong) for b in np.flatnonzero(~wrong)]
    order = sorted(range(len(wrong)), key=lambda sample: -suspicion[sample])
    hits = [rank for rank, sample in enumerate(order, start=1) if wrong[sample]]
    precisions = [number / rank for number, rank in enumerate(hits, start=1)]
    return sum(high > low for high, low in pairs) / len(pairs), sum(precisions) / len(precisions)


def check_rankings(rows: list[dict[str, Any]]) -> None:
    """Compare with what the formulas and definitions give for `small_arrays`."""
    p, given, truth = small_arrays()
    found = {row["detector"]: (row["auroc"], row["average_precision"]) for row in rows}
    suspicions: dict[str, list[float]] = {name: [] for name in RANKINGS}
    for row, label in zip(p.tolist(), given.tolist(), strict=True):
        c = -sum(each * math.log(each) for each in row) / math.log(3) / row[label]
        others = max(each for index, each in enumerate(row) if index != label)
        values = (1 - row[label], 1 - (row[label] - others + 1) / 2, 1 - math.log(1 + c) / c)
        for name, value in zip(RANKINGS, values, strict=True):
            suspicions[name].append(value)
    for name, suspicion in suspicions.items():
        assert found[name] == pytest.approx(expected_ranking(suspicion, given != truth)), name
        assert 0.6 < found[name][0] < 0.99


def test_rankings_have_the_auroc_and_average_precision_of_the_definitions(tmp_path: Path) -> None:
    for name, array in zip(("pred_probs", "noisy_labels", "true_labels"), small_arrays(), strict=True):
        np.save(tmp_path / f"{name}.npy", array)
    options = ["--truth", "true_labels.npy", "--json"]
    done = noisebench_here("judge", "pred_probs.npy", "noisy_labels.npy", *options, cwd=tmp_path)
    check_rankings(json.loads(done.stdout)["detectors"])


def test_labels_in_json_are_read_as_the_documentation_shows(tmp_path: Path) -> None:
    text = (Path(__file__).parents[2] / "docs" / "detectors.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"^```python\n(# published.py.*?)^```", text, re.MULTILINE | re.DOTALL)
    p, given, truth = small_arrays()
    setting = "frac_zero_noise_rates__0.0__noise_amount__0.2"
    folder = tmp_path / "confidentlearning-reproduce" / "cifar10"
    of_setting = folder / f"cifar10_noisy_labels__{setting.replace('.', '_')}"
    of_setting.mkdir(parents=True)
    np.save(of_setting / "cifar10__train__model_resnet50__pyx.npy", p)
    named = [f"/data/train/{('airplane', 'bird', 'cat')[label]}/{n}.png" for n, label in enumerate(truth)]
    (folder / "cifar10_noisy_labels").mkdir()
    file = folder / "cifar10_noisy_labels" / f"cifar10_noisy_labels__{setting}.json"
    file.write_text(json.dumps(dict(zip(named, given.tolist(), strict=True))))
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True)
    names = ["published.npz", "published.npz", "--truth", "published.npz"]
    done = noisebench_here("judge", *names, "--json", cwd=tmp_path)
    check_rankings(json.loads(done.stdout)["detectors"])


GOOD = np.stack([P_OF_0, 1 - P_OF_0], axis=1)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (
            "p",
            GOOD[:, 0],
            "p.npy: an array of float64 [8]; probabilities must be floating-point numbers [N, K]",
        ),
        ("p", GOOD[:, :1], "of at least two classes"),
        ("p", LABELS[:, None].repeat(2, 1), "p.npy: an array of int64 [8, 2]"),
        ("p", GOOD[:0], "p.npy: an array of float64 [0, 2]"),
        ("p", GOOD * [[1, -1]], "8 rows have values that are negative or not finite, the first is row 0"),
        ("p", np.where(GOOD == 0.8, np.nan, GOOD), "2 rows have values that are negative or not finite"),
        ("p", GOOD * 3, "8 rows do not sum to 1, the first is row 0 with 3; give softmax probabilities"),
        ("labels", LABELS + 1, "labels.npy: 4 labels are outside 0 to 1, the first is 2 in row 4"),
        ("labels", LABELS - 1, "the first is -1 in row 0"),
        ("labels", LABELS[:5], "labels.npy: 5 labels, but the probabilities have 8 rows"),
        ("labels", LABELS / 2, "labels.npy: an array of float64 [8]; labels must be integers [N]"),
        ("labels", LABELS * 0, "labels.npy: no label names class 1 of 0 to 1"),
        ("truth", TRUTH[:, None], "truth.npy: an array of int64 [8, 1]; labels must be integers [N]"),
        ("truth", np.array(["a"] * 8), "labels must be integers [N]"),
        (
            "truth",
            np.array([{}] * 8),
            "truth.npy: not a .npy or .npz file of numbers; write it with numpy.save",
        ),
    ],
)
def test_a_mistake_has_one_clear_message(folder: Path, name: str, content: np.ndarray, message: str) -> None:
    np.save(folder / f"{name}.npy", content, allow_pickle=True)
    done = noisebench_here("judge", "p.npy", "labels.npy", "--truth", "truth.npy", cwd=folder)
    assert done.returncode == 2
    assert message in done.stderr
    assert (done.stdout, done.stderr.count("\n")) == ("", 1)


def test_files_and_names_that_do_not_exist(folder: Path) -> None:
    missing = noisebench_here("judge", "no.npy", "labels.npy", cwd=folder)
    assert (missing.returncode, missing.stderr) == (2, "noisebench: no.npy: there is no such file\n")
    (folder / "text.npy").write_text("0.5 0.5\n")
    text = noisebench_here("judge", "text.npy", "labels.npy", cwd=folder)
    assert (text.returncode, "text.npy: not a .npy or .npz file of numbers" in text.stderr) == (2, True)
    unknown = noisebench_here("judge", "p.npy", "labels.npy", "--detector", "aum", cwd=folder)
    assert (
        unknown.returncode,
        "--detector aum: unknown here; known: confident-learning" in unknown.stderr,
    ) == (
        2,
        True,
    )
