"""The benchmark of `noisebench detect`: the same samples in each format, and its figures beside the truth."""

import json
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits

from benchmarks.own_data import Known, clusters, main, write
from benchmarks.own_features import CENTRES, patch_features
from benchmarks.own_truth import found_beside_truth
from noisebench.data.own.cache import keep
from noisebench.data.own.read import read_source
from noisebench.records.folders import ResultsFolder
from noisebench.records.manifest import kept_sweep


def digits() -> Known:
    """scikit-learn's 1,797 digits; every twentieth label is wrong."""
    pixels, true = load_digits(return_X_y=True)
    images = (pixels.reshape(-1, 8, 8) * 15).astype(np.uint8)
    shift = np.random.default_rng(0).integers(1, 10, len(true))
    wrong = np.arange(len(true)) % 20 == 0
    return Known(images, true.astype(np.int64), np.where(wrong, (true + shift) % 10, true))


@pytest.mark.slow
def test_all_formats_hold_the_same_images_and_labels(tmp_path: Path) -> None:
    data = digits()
    for kind in ("folder", "manifest", "npz"):
        own = keep(read_source(str(write(data, kind, tmp_path))), tmp_path / "data", say=lambda _: None)
        numbers = [int(Path(name).stem) for name in own.source.ids]
        assert sorted(numbers) == list(range(len(data.true)))
        assert np.array_equal(own.values()[:, 0], data.samples[numbers])
        labels = np.array(own.source.classes)[own.source.labels]
        assert np.array_equal(labels, data.given[numbers].astype(str))


@pytest.mark.slow
def test_patch_features_tell_textures_apart() -> None:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (40, 16, 16, 3), dtype=np.uint8)
    images[20:] = images[20:, ::8, ::8].repeat(8, axis=1).repeat(8, axis=2)
    values = patch_features(images)
    assert values.shape == (40, 4 * CENTRES)
    fine, coarse = values[:20].mean(axis=0), values[20:].mean(axis=0)
    nearer = np.linalg.norm(values - fine, axis=1) < np.linalg.norm(values - coarse, axis=1)
    assert nearer.tolist() == [True] * 20 + [False] * 20


def test_missing_data_are_one_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main([str(tmp_path), "--dataset", "CIFAR-10N-worst"])
    assert f"{tmp_path / 'cifar-10-batches-py'} is missing" in capsys.readouterr().err


@pytest.mark.slow
def test_the_model_is_the_chosen_one(
    tmp_path: Path, real_data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = "--inline --loss CE --set training.epochs=1"
    arguments = ["--samples", "200", "--work", str(tmp_path), "--json", "--options", options]
    for model in ("small-cnn", "linear"):
        main([str(real_data), *arguments, "--only", "npz", "--model", model])
        (found,) = map(json.loads, capsys.readouterr().out.splitlines())
        assert (found["format"], found["wrong"]) == ("npz", 10)
        (sweep,) = (tmp_path / "results" / "sweeps").iterdir()
        trained = {
            trial.training.model
            for trial in kept_sweep(ResultsFolder(tmp_path / "results").sweep(sweep.name)).trials()
        }
        assert trained == {model}


def test_a_model_of_images_is_not_trained_on_features(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["anywhere", "--only", "features", "--model", "small-cnn"])
    assert "--model small-cnn needs images; leave out --only features" in capsys.readouterr().err


@pytest.mark.slow
def test_planted_errors_of_digits_are_found_at_90_percent_precision(tmp_path: Path) -> None:
    data = digits()
    file = write(data, "npz", tmp_path)
    np.savez(file, X=data.samples.reshape(-1, 64).astype(np.float32), y=data.given)
    options = ["--inline", "--loss", "{name: BL, gamma: 0.4}"]
    found = found_beside_truth(file, data.true, tmp_path / "results", options)
    assert found["wrong"] == 90
    assert found["recall_at_90_precision"] >= 0.9
    assert min(found["precision"], found["recall"]) >= 0.85
    assert list(found["f1_by_loss"].values()) == [pytest.approx(found["f1"])]
    interval = found["review"]["wrong"]
    assert interval["low"] <= 90 <= interval["high"]


def test_clusters_of_features_are_written_with_their_wrong_labels(tmp_path: Path) -> None:
    data = clusters(1000, seed=0)
    assert np.count_nonzero(data.given != data.true) == 50
    with np.load(write(data, "features", tmp_path)) as file:
        assert np.array_equal(file["X"], data.samples)
        assert np.array_equal(file["y"], data.given)
