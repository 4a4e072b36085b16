"""The given labels of a trial."""

import numpy as np
import pytest
import torch

from noisebench.data.datasets import Dataset, LabelledImages
from noisebench.data.noisy_labels import given_labels, training_labels
from noisebench.errors import DataError
from noisebench.sweep.trial import Trial
from noisebench.trial.measurement import measure
from tests.trials import trial_of

LABELS = np.arange(5000) % 10


def dataset_of(labels: np.ndarray, **parts: object) -> Dataset:
    images = torch.zeros(len(labels), 3, 8, 8, dtype=torch.uint8)
    return Dataset(LabelledImages(images, labels), 10, **parts)  # type: ignore[arg-type]


def corrupted_by(corruption: str, dataset: str = "digits") -> Trial:
    return trial_of(dataset=dataset, training="{pretrained: false}", corruption=corruption)


def test_exact_rate() -> None:
    given = given_labels(corrupted_by("{kind: uniform, rate: 0.3, exact: true}"), dataset_of(LABELS))
    assert (given != LABELS).sum() == 1500


def test_the_standard_map_of_mnist() -> None:
    given = given_labels(corrupted_by("{kind: asymmetric, rate: 0.4}", "MNIST"), dataset_of(LABELS))
    became = {(int(a), int(b)) for a, b in zip(LABELS, given, strict=True) if a != b}
    assert became == {(7, 1), (2, 7), (5, 6), (6, 5), (3, 8)}
    assert (given != LABELS).mean() == pytest.approx(0.4 * 0.5, abs=0.02)


def test_a_users_matrix() -> None:
    matrix = [[float(j == (i + 1) % 10) for j in range(10)] for i in range(10)]
    given = given_labels(corrupted_by(f"{{kind: asymmetric, matrix: {matrix}}}"), dataset_of(LABELS))
    assert np.array_equal(given, (LABELS + 1) % 10)
    with pytest.raises(DataError, match="matrix is 10 x 10, the data has 3 classes"):
        given_labels(
            corrupted_by(f"{{kind: asymmetric, matrix: {matrix}}}"),
            Dataset(dataset_of(LABELS).judged, 3),
        )


def test_human_labels_are_used_unchanged() -> None:
    human = (LABELS + 3) % 10
    trial = corrupted_by("human", "CIFAR-10N-worst")
    assert np.array_equal(given_labels(trial, dataset_of(LABELS, human=human)), human)


def test_a_separate_training_part_has_independent_noise() -> None:
    part = dataset_of(LABELS).judged
    dataset = dataset_of(LABELS, training=part)
    trial = trial_of(
        dataset="CIFAR-100-cleaned-test", detector="confident-learning", training="{pretrained: false}"
    )
    given, targets = given_labels(trial, dataset), training_labels(trial, dataset)
    assert targets is not None
    assert (targets != LABELS).mean() == pytest.approx(0.2, abs=0.02)
    assert not np.array_equal(given, targets)
    clean = "{name: CIFAR-100-cleaned-test, corrupt_training: false}"
    trial = trial_of(dataset=clean, detector="confident-learning", training="{pretrained: false}")
    assert np.array_equal(training_labels(trial, dataset), LABELS)
    assert training_labels(trial, dataset_of(LABELS)) is None


@pytest.mark.slow
def test_a_separate_training_part_needs_no_folds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Table 3's design on digits: train one model on one part, judge the other part."""
    from noisebench.data.datasets import load_dataset
    from noisebench.trial import measurement

    digits = load_dataset(trial_of(dataset="digits").dataset, None)
    halves = np.arange(900), np.arange(900, 1797)
    parted = Dataset(digits.judged.at(halves[1]), 10, training=digits.judged.at(halves[0]))
    monkeypatch.setattr(measurement, "load_dataset", lambda *_: parted)
    training = "{model: small-cnn, pretrained: false, epochs: 8, learning_rate: 0.001, input_scale: unit}"
    trial = trial_of(dataset="CIFAR-100-cleaned-test", detector="confident-learning", training=training)
    measured = measure(trial, None, torch.device("cpu"))
    assert measured.result["samples"] == 897
    assert {row["fold"] for row in measured.epochs} == {0}
    assert measured.result["f1"] > 0.6
