"""`noisebench detect` on small data of every format."""

import csv
import json
import re
import shutil
from pathlib import Path
from subprocess import CompletedProcess

import numpy as np
import pandas as pd
import pytest
import torch

from noisebench.cli import planting
from noisebench.cli.judged import Scores, scores_of
from noisebench.records.folders import ResultsFolder
from noisebench.sweep.trial import Trial
from tests.command import noisebench_here
from tests.data.own.pictures import checkers, folder_of_two_classes
from tests.data.own.test_read import BAD as BAD_DATA
from tests.data.own.test_read import BAD_LABEL_TABLES, written_label_table

QUICK = ("--loss", "{name: BL, gamma: 0.4}", "--set", "training.epochs=20", "--inline")


def detect(*arguments: str | Path, cwd: Path) -> CompletedProcess[str]:
    return noisebench_here("detect", *arguments, results=cwd / "results", cwd=cwd)


def suspects(folder: Path, name: str) -> dict[str, dict[str, str]]:
    """Return the rows of suspects.csv by id."""
    path = ResultsFolder(folder / "results").sweep(name).suspects / "suspects.csv"
    with path.open(newline="", encoding="utf-8") as file:
        return {row["id"]: row for row in csv.DictReader(file)}


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, set[str], CompletedProcess[str]]:
    """A folder with wrong labels, their ids, and the answer of `detect --json`."""
    where = tmp_path_factory.mktemp("detect")
    _, wrong = checkers(where / "stripes")
    return where, wrong, detect("stripes", *QUICK, "--json", cwd=where)


@pytest.mark.slow
def test_wrong_labels_of_a_folder_are_suspects(
    found: tuple[Path, set[str], CompletedProcess[str]],
) -> None:
    where, wrong, done = found
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer["sweep"] == "stripes"
    assert (answer["samples"], answer["suspects"]) == (40, 4)
    assert "40 samples of 1 x 8 x 8 take" in done.stderr
    rows = suspects(where, "stripes")
    assert set(rows) == wrong
    assert all({row["given"], row["suggested"]} == {"horizontal", "vertical"} for row in rows.values())


def test_the_command_repeats_nothing_and_says_the_same(
    found: tuple[Path, set[str], CompletedProcess[str]],
) -> None:
    where, _, first = found
    again = detect("stripes", *QUICK, "--json", cwd=where)
    assert json.loads(again.stdout) == json.loads(first.stdout)
    assert "take" not in again.stderr
    text = detect("stripes", *QUICK, cwd=where).stdout
    assert text.startswith("4 of 40 labels are suspected (10.0%)\n  horizontal")
    assert "most confused (given -> suggested):" in text
    assert text.endswith("report.json\n")


@pytest.mark.slow
def test_corrected_labels_are_judged_again(
    found: tuple[Path, set[str], CompletedProcess[str]], tmp_path: Path
) -> None:
    where, wrong, _ = found
    shutil.copytree(where, tmp_path, dirs_exist_ok=True)
    folder = ResultsFolder(tmp_path / "results").sweep("stripes").suspects
    assert "noisebench review stripes" in detect("stripes", "--again", *QUICK, cwd=tmp_path).stderr
    (folder / "labels.csv").write_text("id,label\n")
    assert "has no column given, sha256" in detect("stripes", "--again", *QUICK, cwd=tmp_path).stderr
    rows = [
        {
            **{name: row[name] for name in ("id", "sha256", "given")},
            "verdict": "relabel",
            "corrected": row["suggested"],
        }
        for row in suspects(tmp_path, "stripes").values()
    ]
    assert {row["id"] for row in rows} == wrong
    pd.DataFrame(rows).to_csv(tmp_path / "d.csv", index=False)
    reviewed = noisebench_here(
        "review", "stripes", "--decisions", "d.csv", results=tmp_path / "results", cwd=tmp_path
    )
    assert reviewed.returncode == 0, reviewed.stderr
    done = detect("stripes", "--again", *QUICK, "--json", cwd=tmp_path)
    answer = json.loads(done.stdout)
    assert (answer["sweep"], answer["suspects"]) == ("stripes-2", 0)
    # A third round has the labels of the second, which were reviewed with those of the first.
    second = folder.with_name("stripes-2")
    first = pd.read_parquet(second / "all.parquet").iloc[:1]
    first = first.assign(verdict="relabel", corrected=first["suggested"])
    first[[*rows[0]]].to_csv(tmp_path / "e.csv", index=False)
    noisebench_here("review", "stripes-2", "--decisions", "e.csv", results=tmp_path / "results", cwd=tmp_path)
    answer = json.loads(detect("stripes", "--again", *QUICK, "--json", cwd=tmp_path).stdout)
    assert (answer["sweep"], answer["suspects"]) == ("stripes-3", 1)


@pytest.mark.slow
def test_a_model_that_does_not_learn_is_reported(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "noise.npz", X=rng.normal(size=(60, 3)), y=rng.integers(0, 2, 60))
    losses = ("--loss", "[CE, {name: BL, gamma: 0.4}]")
    words = ("noise.npz", *losses, "--set", "training.epochs=2", "--inline")
    done = detect(*words, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    lines = done.stderr.splitlines()
    first = re.compile("warning: after the first (fold|of 2 trials), the model does not learn")
    early = [place for place, line in enumerate(lines) if first.search(line)]
    last = [place for place, line in enumerate(lines) if "do not use these suspects" in line]
    assert len(early) == 1
    assert early < [place for place, line in enumerate(lines) if line.startswith("noise: 2/2 done")] < last
    assert "after the first" not in detect(*words, cwd=tmp_path).stderr
    # Checkpoints are gone: the records tell.
    status = noisebench_here("status", "noise", results=tmp_path / "results", cwd=tmp_path)
    assert "warning: after the first of 2 trials, the model does not learn: CE" in status.stdout


@pytest.mark.slow
def test_a_name_of_other_data_is_refused_and_their_files_stay(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    quick = ("--loss", "CE", "--set", "training.epochs=1", "--inline")
    for name in ("train", "test"):
        (tmp_path / name).mkdir()
        np.savez(tmp_path / name / "data.npz", X=rng.normal(size=(20, 2)), y=np.arange(20) % 2)
    assert detect("train/data.npz", *quick, cwd=tmp_path).returncode == 0
    files = ResultsFolder(tmp_path / "results").sweep("data")
    before = {path: path.read_bytes() for path in [files.spec, *files.suspects.iterdir()]}
    done = detect("test/data.npz", *quick, cwd=tmp_path)
    assert done.returncode == 2
    assert "'data' is the name of other data (" in done.stderr
    assert "train/data.npz) in " in done.stderr
    assert {path: path.read_bytes() for path in before} == before
    assert detect("test/data.npz", "--name", "test", *quick, cwd=tmp_path).returncode == 0
    # The same data in another place, and other data in the same place, continue.
    (tmp_path / "train").rename(tmp_path / "moved")
    assert detect("moved/data.npz", *quick, cwd=tmp_path).returncode == 0
    shutil.copy(tmp_path / "test" / "data.npz", tmp_path / "moved")
    assert detect("moved/data.npz", *quick, cwd=tmp_path).returncode == 0


@pytest.mark.slow
def test_the_loss_with_the_highest_accuracy_is_chosen(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    truth = np.arange(120) % 3
    given = np.where(np.arange(120) < 9, (truth + 1) % 3, truth)
    np.savez(tmp_path / "f.npz", X=rng.normal(size=(120, 3)) + 6 * np.eye(3)[truth], y=given)
    done = detect(
        "f.npz",
        "--loss",
        "[{name: PZ, c: 0.99}, CE]",
        "--set",
        "training.learning_rate=0.006",
        "--set",
        "training.epochs=20",
        "--inline",
        "--json",
        cwd=tmp_path,
    )
    answer = json.loads(done.stdout)
    accuracies = {each["loss"]: each["accuracy"] for each in answer["candidates"]}
    assert list(accuracies) == ["PZ(c=0.99, delay=1)", "CE(delay=0)"]
    assert accuracies["CE(delay=0)"] > accuracies["PZ(c=0.99, delay=1)"]
    report = json.loads((ResultsFolder(tmp_path / "results").sweep("f").suspects / "report.json").read_text())
    assert [each["chosen"] for each in report["tuning"]["candidates"]] == [False, True]
    assert report["configuration"]["loss"] == "CE(delay=0)"
    assert set(suspects(tmp_path, "f")) == {f"{row:03}" for row in range(9)}


@pytest.mark.slow
def test_a_class_smaller_than_the_folds_is_not_judged(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    truth = np.repeat([0, 1, 2], [30, 30, 3])
    np.savez(tmp_path / "small.npz", X=rng.normal(size=(63, 3)) + 6 * np.eye(3)[truth], y=truth)
    quick = ("--loss", "CE", "--set", "training.epochs=8", "--set", "training.learning_rate=0.02")
    done = detect("small.npz", *quick, "--inline", "--json", cwd=tmp_path)
    answer = json.loads(done.stdout)
    assert "class with fewer than 5 samples, trained on but not judged: 2" in answer["notes"]
    assert all(each["suspects"] == 0 for each in answer["by_class"] if each["name"] == "2")


@pytest.mark.slow
def test_a_model_of_torchvision_gives_the_same_each_time(tmp_path: Path) -> None:
    checkers(tmp_path / "stripes")
    options = ("--size", "32", "--loss", "CE", "--set", "training.epochs=1", "--inline")
    tables = []
    for results in ("a", "b"):
        model = ("--model", "torchvision:mobilenet_v3_small")
        done = noisebench_here(
            "detect", "stripes", *model, *options, results=tmp_path / results, cwd=tmp_path
        )
        assert done.returncode == 0, done.stderr
        folder = ResultsFolder(tmp_path / results).sweep("stripes").suspects
        tables.append(pd.read_parquet(folder / "all.parquet")["suspicion"].tolist())
    assert tables[0] == tables[1]
    assert len(set(tables[0])) > 2


@pytest.mark.slow
def test_a_model_of_ones_own_finds_wrong_labels_or_says_what_it_must_return(tmp_path: Path) -> None:
    _, wrong = checkers(tmp_path / "stripes")
    (tmp_path / "models_of_ones_own.py").write_text(
        "from torch import nn\n"
        "def smooth(shape, classes):\n"
        "    hidden = nn.Linear(shape[1] * shape[2], 64)\n"
        "    return nn.Sequential(nn.Flatten(), hidden, nn.GELU(), nn.Linear(64, classes))\n"
        "def wide(shape, classes):\n"
        "    return smooth(shape, classes + 1)\n"
    )
    done = detect("stripes", "--model", "models_of_ones_own:smooth", *QUICK, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert set(suspects(tmp_path, "stripes")) == wrong
    refused = detect("stripes", "--model", "models_of_ones_own:wide", "--name", "w", *QUICK, cwd=tmp_path)
    assert refused.returncode == 2
    assert "`noisebench failures w` says why" in refused.stderr
    failures = noisebench_here("failures", "w", results=tmp_path / "results", cwd=tmp_path)
    assert "must return floating-point logits [2, 2]" in " ".join(failures.stdout.split())


# Of PZ without an epoch of CE, no probability exceeds .99, and nothing is learned.
TUNED = (
    *("f.npz", "--tune", "--plantings", "2", "--loss", "[{name: PZ, c: 0.99, delay: 0}, CE]"),
    *("--model", "linear", "--set", "training.batch_size=128", "--set", "training.epochs=4"),
    *("--set", "training.learning_rate=0.04", "--inline", "--json"),
)


def features_with_wrong_labels(folder: Path) -> np.ndarray:
    """Write f.npz, 1,200 samples of three classes; return their labels, of which the first 90 are wrong."""
    rng = np.random.default_rng(0)
    truth = np.arange(1200) % 3
    given = np.where(np.arange(1200) < 90, (truth + 1) % 3, truth)
    np.savez(folder / "f.npz", X=rng.normal(size=(1200, 3)) + 3 * np.eye(3)[truth], y=given)
    return given


@pytest.mark.slow
def test_planted_errors_reject_a_loss_and_bracket_the_number_of_errors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = features_with_wrong_labels(tmp_path)
    answer = json.loads(detect(*TUNED, cwd=tmp_path).stdout)
    bad, good = answer["candidates"]
    assert (bad["failed"], good["failed"]) == (True, False)
    assert good["uniform"] > 0.6
    assert 0.4 < good["likely"] <= good["uniform"]
    low, high = answer["bracket"]
    # There are 90, and 30 plants of each kind: the estimates are rough.
    assert 30 <= low <= high <= 400
    first, *others = answer["flag_rules"]
    assert first["detector"].startswith("self-confidence(flag=posterior")
    assert len(others) == 3
    assert first["uniform"] > 5 * first["others"]
    folder = ResultsFolder(tmp_path / "results").sweep("f")
    assert "tune-2" in folder.spec.read_text()
    rows = list(suspects(tmp_path, "f").values())
    assert all(0 <= float(row["precision_low"]) <= float(row["precision_high"]) <= 1 for row in rows)
    # 90 are wrong; the range is rough, but the first ranks are better than all suspects.
    assert float(rows[0]["precision_high"]) >= float(rows[-1]["precision_high"]) > 0.1
    assert answer["suspects"] == good["flagged"] == len(rows)
    assert json.loads((folder.suspects / "report.json").read_text())["bracket"] == [low, high]
    # No planted label is in what the user gets.
    assert all(row["given"] == str(given[int(row["id"])]) for row in rows)
    read: list[str] = []

    def counted(trial: Trial, results: ResultsFolder) -> Scores:
        read.append(trial.trial_id)
        return scores_of(trial, results)

    monkeypatch.setattr(planting, "scores_of", counted)
    assert json.loads(detect(*TUNED, cwd=tmp_path).stdout) == answer
    # The scores of each loss, planting and detector are read once.
    assert len(read) == len(set(read)) == 2 * 2 * 4


@pytest.mark.slow
def test_two_detectors_of_one_name_are_two(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    truth = np.arange(200) % 2
    given = np.where(np.arange(200) < 20, 1 - truth, truth)
    np.savez(tmp_path / "f.npz", X=rng.normal(size=(200, 2)) + 2 * np.eye(2)[truth], y=given)
    detectors = [f"{{name: self-confidence, flag: share, share: {share}}}" for share in (0.05, 0.1)]
    options = [word for each in detectors for word in ("--detector", each)]
    quick = ("--model", "linear", "--loss", "CE", "--set", "training.epochs=3", "--inline")
    done = detect("f.npz", *options, *quick, "--json", cwd=tmp_path)
    answer = json.loads(done.stdout)
    first, second = (f"self-confidence(flag=share, folds=5, share={share})" for share in (0.05, 0.1))
    folder = ResultsFolder(tmp_path / "results").sweep("f").suspects
    assert json.loads((folder / "report.json").read_text())["detectors"] == [first, second]
    flagged = [row["flagged_by"] for row in suspects(tmp_path, "f").values()]
    assert flagged == [f"{first}|{second}"] * 10 + [second] * 10
    # What the first detector flags, not the mean of both.
    assert (answer["suspects"], answer["candidates"][0]["flagged"]) == (20, 10)


@pytest.mark.slow
@pytest.mark.parametrize("detector", ["normalized-margin", "small-loss"])
def test_precision_is_on_the_scale_of_the_users_detector_or_empty(tmp_path: Path, detector: str) -> None:
    rng = np.random.default_rng(0)
    truth = np.arange(800) % 2
    given = np.where(np.arange(800) < 60, 1 - truth, truth)
    np.savez(tmp_path / "f.npz", X=rng.normal(size=(800, 2)) + 4 * np.eye(2)[truth], y=given)
    quick = ("--model", "linear", "--loss", "CE", "--set", "training.epochs=3", "--inline")
    tuned = ("--tune", "--plantings", "1", "--detector", detector)
    done = detect("f.npz", *tuned, *quick, "--set", "training.learning_rate=0.03", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    table = pd.read_parquet(ResultsFolder(tmp_path / "results").sweep("f").suspects / "all.parquet")
    if detector == "small-loss":
        assert table["precision_low"].isna().all()
        assert "precision_low and precision_high are empty: small-loss" in done.stderr
        assert "detectors and flag rules on planted errors:\n" in done.stdout
        return
    # The margin's suspicion is lower than that of self-confidence; the first 40 are nearly all wrong.
    assert table["precision_low"][40] > 0.5 > table["precision_high"][400]
    assert "of which the first was used:\n  normalized-margin" in done.stdout


RESNET = ("--model", "torchvision:resnet18")
BAD = {
    "loss": (("d", "--loss", "BLL"), "loss 'BLL' is unknown; known: CE"),
    "model": (("d", "--model", "cnn"), "must be one of small-cnn"),
    "torchvision": (("d", "--model", "torchvision:resnet19"), "classifiers: resnet18"),
    "own model": (("d", "--model", "nowhere:net"), "training.model: module 'nowhere' is not found"),
    "weights": (("d", *RESNET, "--weights", "list.pth"), "list.pth: holds no state dict"),
    "no weights": (("d", *RESNET, "--weights", "s.yaml"), "s.yaml"),
    "other weights": (("d", *RESNET, "--weights", "other.pth"), "layers before the last one are missing"),
    "weights of a CNN": (("d", "--weights", "list.pth"), "weights are for models of torchvision"),
    "detector": (("d", "--detector", "aumm"), "detector 'aumm' is unknown"),
    "set": (("d", "--set", "training.epoch=3"), "epoch' is unknown"),
    "plantings": (("d", "--plantings", "2"), "--plantings 2: only with --tune"),
    "name": (("d", "--name", "a/b"), "--name 'a/b': use letters"),
    "root": (("d", "--root", "."), "--root .: only for a label table"),
    "size of arrays": (("a.npz", "--size", "32"), "--size 32: only for image files"),
    "data": (("nowhere",), "nowhere: no such file or folder"),
    "broken": (("broken",), "1 broken file (cat/0.png: no image that can be read)"),
    "site with cpus": (("d", "--site", "s.yaml", "--cpus", "1"), "--cpus: not with --site"),
    "site": (("d", "--site", "s.yaml"), "s.yaml"),
}


@pytest.mark.parametrize("case", sorted(BAD))
def test_a_mistake_gets_one_message_and_nothing_is_written(case: str, tmp_path: Path) -> None:
    folder_of_two_classes(tmp_path / "d")
    shutil.copytree(tmp_path / "d", tmp_path / "broken")
    (tmp_path / "broken" / "cat" / "0.png").write_bytes(b"no image")
    np.savez(tmp_path / "a.npz", X=np.zeros((10, 8, 8), np.uint8), y=np.arange(10) % 2)
    torch.save([1], tmp_path / "list.pth")
    torch.save({"conv1.weight": torch.zeros(64, 1, 7, 7)}, tmp_path / "other.pth")
    arguments, message = BAD[case]
    done = detect(*arguments, cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize("case", sorted(BAD_DATA) + sorted(BAD_LABEL_TABLES))
def test_bad_data_get_one_line_and_nothing_is_written(
    case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    if case in BAD_DATA:
        make, message = BAD_DATA[case]
        data = make()
    else:
        text, message = BAD_LABEL_TABLES[case]
        data = written_label_table(text)
    before = sorted(tmp_path.rglob("*"))
    done = detect(data, cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    (line,) = done.stderr.splitlines()
    assert re.search(message, line)
    assert done.stdout == ""
    assert sorted(tmp_path.rglob("*")) == before
