"""Trials on a user's own data, from the kept files to flags."""

from pathlib import Path

import numpy as np
import pytest
import torch

from noisebench.data.own.cache import keep
from noisebench.data.own.kept import OwnData
from noisebench.data.own.read import read_source
from noisebench.errors import InputError
from noisebench.sweep.cost import image_shape
from noisebench.sweep.detect_sweep import Choices, OwnShape, detect_sweep
from noisebench.trial.measurement import Measurement, Surroundings, measure
from tests.data.own.pictures import checkers
from tests.trials import trial_of

CPU = torch.device("cpu")


def judged(own: OwnData, root: Path, training: str, detector: str = "confident-learning") -> Measurement:
    about = own.about
    shape = f"channels: {about.channels}, height: {about.height}, width: {about.width}"
    dataset = f'{{own-data: "{own.content}", samples: {about.samples}, {shape}}}'
    trial = trial_of(dataset=dataset, corruption="none", training=training, detector=detector)
    assert image_shape(trial) == about.shape[1:]
    return measure(trial, None, CPU, around=Surroundings(own_data=root))


@pytest.mark.slow
def test_wrong_labels_of_a_folder_are_flagged(tmp_path: Path) -> None:
    folder, wrong = checkers(tmp_path / "images")
    own = keep(read_source(str(folder)), tmp_path / "data", say=lambda _: None)
    training = "{epochs: 20, batch_size: 8, learning_rate: 0.003, input_scale: normalised}"
    measured = judged(own, tmp_path / "data", training)
    flagged = {name for name, flag in zip(own.source.ids, measured.samples["flagged"], strict=True) if flag}
    assert flagged == wrong
    # The papers' metrics need true labels, and there are none.
    assert np.isnan(measured.result["f1"])


@pytest.mark.slow
def test_features_are_judged_by_a_linear_model_and_by_an_mlp(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    truth = np.arange(200) % 2
    values = rng.normal(size=(200, 5)) + 5 * truth[:, np.newaxis]
    # The third feature is constant, the fourth has another unit.
    values[:, 2], values[:, 3] = 7, values[:, 3] * 1e6
    given = np.where(np.arange(200) < 10, 1 - truth, truth)
    np.savez(tmp_path / "f.npz", X=values, y=given)
    own = keep(read_source(str(tmp_path / "f.npz")), tmp_path / "data", say=lambda _: None)
    for model in ("linear", "mlp"):
        scale = "input_scale: normalised"
        training = f"{{model: {model}, epochs: 10, batch_size: 32, learning_rate: 0.03, {scale}}}"
        measured = judged(own, tmp_path / "data", training)
        flagged = set(np.flatnonzero(measured.samples["flagged"]))
        assert flagged <= set(range(10))
        assert len(flagged) >= 9
    with pytest.raises(InputError, match="small-cnn: feature vectors, as 1x1 images, are too small"):
        judged(own, tmp_path / "data", "{epochs: 1}")
    with pytest.raises(InputError, match="features cannot be augmented"):
        judged(own, tmp_path / "data", "{model: mlp, epochs: 1, augmentation: crop-flip}")


def test_a_detector_that_cannot_judge_so_many_classes_is_refused_before_training(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "f.npz", X=rng.normal(size=(402, 3)), y=np.arange(402) // 2)
    own = keep(read_source(str(tmp_path / "f.npz")), tmp_path / "data", say=lambda _: None)
    message = r"simifeat-ranks judges at most 200 classes.* but the data have 201; leave it out"
    with pytest.raises(InputError, match=message):
        detect_sweep("own", own.content, OwnShape(402, 201, 3, 1, 1), Choices(detectors=("simifeat-ranks",)))
    # With these epochs the training alone would take hours.
    training = "{model: linear, epochs: 1000000, batch_size: 2, input_scale: normalised}"
    with pytest.raises(InputError, match=message):
        judged(own, tmp_path / "data", training, "{name: simifeat-ranks, folds: 2}")
    detect_sweep("own", own.content, OwnShape(402, 200, 3, 1, 1), Choices(detectors=("simifeat-ranks",)))
    detect_sweep("own", own.content, OwnShape(402, 5000, 3, 1, 1), Choices(detectors=("simifeat-votes",)))


@pytest.mark.slow
def test_equal_images_are_judged_by_a_model_that_saw_neither(tmp_path: Path) -> None:
    """One image in two classes: in different folds, each copy would be judged by its twin's label."""
    folder, _ = checkers(tmp_path / "images", wrong=0)
    twins = [folder / "horizontal" / "000.png", folder / "vertical" / "twin.png"]
    twins[1].write_bytes(twins[0].read_bytes())
    own = keep(read_source(str(folder)), tmp_path / "data", say=lambda _: None)
    training = "{epochs: 20, batch_size: 8, learning_rate: 0.003, input_scale: normalised}"
    measured = judged(own, tmp_path / "data", training)
    rows = [own.source.ids.index(twin.relative_to(folder).as_posix()) for twin in twins]
    assert measured.samples["flagged"][rows].tolist() == [False, True]
    first, second = measured.samples["self_confidence"][rows]
    assert first + second == pytest.approx(1, abs=1e-5)
