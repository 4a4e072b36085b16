"""The accumulator against the `aum` package, flags by hand, planted errors."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score

from noisebench.errors import InputError
from noisebench.science import aum
from noisebench.science.aum import MarginAccumulator
from noisebench.science.aum_package import PackageMarginAccumulator
from noisebench.science.metrics import detection_metrics

if TYPE_CHECKING:
    from tests.science.conftest import PlantedDigits, Trainer


def test_margin_by_hand() -> None:
    margins = MarginAccumulator(3, "cpu")
    logits = torch.tensor([[2.0, -1.0, 0.5], [2.0, -1.0, 0.5]], requires_grad=True)
    margins.update(logits, torch.tensor([0, 1]), torch.tensor([2, 0]))
    margins.update(torch.tensor([[0.0, 4.0, 9.0]]), torch.tensor([2]), torch.tensor([2]))
    assert margins.counts.tolist() == [1, 0, 2]
    np.testing.assert_array_equal(margins.mean().numpy(), [-3.0, np.nan, (1.5 + 5.0) / 2])
    assert not margins.sums.requires_grad


@pytest.mark.slow
def test_equal_to_the_package_over_a_whole_training(planted_digits: PlantedDigits, train: Trainer) -> None:
    count = 64 * 12 + 1  # the last batch of each epoch holds one sample
    ours, package = MarginAccumulator(count + 1, "cpu"), PackageMarginAccumulator(count + 1, "cpu")
    sizes = set()

    def observe(logits: torch.Tensor, targets: torch.Tensor, indices: torch.Tensor, epoch: int) -> None:
        sizes.add(len(indices))
        if epoch > 0:
            ours.update(logits, targets, indices)
            package.update(logits, targets, indices)

    train(planted_digits.images[:count], planted_digits.labels[:count], 10, 6, observe)
    assert sizes == {1, 64}
    torch.testing.assert_close(ours.mean(), package.mean(), rtol=0, atol=0, equal_nan=True)
    assert ours.mean().isnan().tolist() == [False] * count + [True]


def test_half_precision_logits_are_subtracted_in_fp32() -> None:
    logits = torch.tensor([[256.0, 0.5]], dtype=torch.bfloat16)
    margins = MarginAccumulator(1, "cpu")
    margins.update(logits, torch.tensor([0]), torch.tensor([0]))
    assert margins.mean().item() == 255.5


def test_threshold_count() -> None:
    assert aum.threshold_count(45_000, 100, "code") == 450
    assert aum.threshold_count(45_000, 100, "paper") == 445
    with pytest.raises(InputError, match="threshold rule 'both' is unknown; known: code, paper"):
        aum.threshold_count(45_000, 100, "both")


def test_threshold_sets_are_disjoint_and_seeded() -> None:
    sets = aum.threshold_sets(1000, 10, 2, np.random.default_rng(0), "code")
    assert [len(members) for members in sets] == [100, 100]
    assert len(np.unique(np.concatenate(sets))) == 200
    assert all((np.diff(members) > 0).all() for members in sets)
    again = aum.threshold_sets(1000, 10, 2, np.random.default_rng(0), "code")
    np.testing.assert_array_equal(sets, again)
    # Drawn from all samples: the mean index of 200 of 1000 lies within 4 standard errors of the middle.
    assert abs(np.concatenate(sets).mean() - 499.5) < 4 * 288.7 / np.sqrt(200)


@pytest.mark.parametrize(("samples", "classes", "runs"), [(9, 10, 2), (100, 3, 4)])
def test_threshold_sets_that_do_not_fit_are_refused(samples: int, classes: int, runs: int) -> None:
    with pytest.raises(InputError, match=f"do not fit into {samples} samples"):
        aum.threshold_sets(samples, classes, runs, np.random.default_rng(0), "code")


def test_flags_by_hand() -> None:
    aums = np.array(
        [
            [-1.0, 1.0, -2.0, -2.0, 3.0, 3.0],
            [-9.0, 9.0, -2.0, 2.0, -2.0, 2.0],
        ]
    )
    sets = [np.array([0, 1]), np.array([3, 5])]
    detection, thresholds = aum.flag(aums, sets, 50)
    np.testing.assert_array_equal(thresholds, [0.0, 2.0])
    # 0 and 1 are judged by run 1 alone, 3 and 5 by run 0 alone; 4 is below the threshold in one run only.
    assert detection.flagged.tolist() == [True, False, True, True, False, False]
    np.testing.assert_array_equal(detection.suspicion, [9.0, -9.0, 2.0, 2.0, -0.5, -3.0])


def test_a_threshold_sample_of_every_run_is_not_judged() -> None:
    detection, thresholds = aum.flag(np.array([[-5.0, -6.0, 1.0]]), [np.array([0])], 99)
    assert thresholds.tolist() == [-5.0]
    assert detection.flagged.tolist() == [False, True, False]
    np.testing.assert_array_equal(detection.suspicion, [np.nan, 6.0, -1.0])


def test_the_threshold_itself_is_not_flagged() -> None:
    detection, _ = aum.flag(np.array([[0.0, 0.0, -1e-9]]), [np.array([0])], 99)
    assert detection.flagged.tolist() == [False, False, True]


def test_bad_aums_are_refused() -> None:
    with pytest.raises(InputError, match="1 samples have no margin"):
        aum.flag(np.array([[1.0, np.nan]]), [np.array([0])], 99)
    with pytest.raises(InputError, match=r"AUMs \[1, 2\] but 2 sets"):
        aum.flag(np.zeros((1, 2)), [np.array([0]), np.array([1])], 99)


@pytest.mark.slow
def test_planted_errors_are_found(planted_digits: PlantedDigits, train: Trainer) -> None:
    samples, classes = len(planted_digits.labels), planted_digits.classes
    sets = aum.threshold_sets(samples, classes, 2, np.random.default_rng(0), "code")
    aums = []
    for members in sets:
        labels = planted_digits.labels.copy()
        labels[members] = classes
        margins = MarginAccumulator(samples, "cpu")
        train(
            planted_digits.images,
            labels,
            classes + 1,
            12,
            lambda z, y, i, _, margins=margins: margins.update(z, y, i),
        )
        aums.append(margins.mean().numpy())
    detection, _ = aum.flag(np.stack(aums), sets, 99)
    assert roc_auc_score(planted_digits.wrong, detection.suspicion) >= 0.95
    # The 99th percentile of 179 threshold samples is nearly their maximum: a loose cut on so small a set.
    metrics = detection_metrics(detection.flagged, planted_digits.wrong)
    assert metrics["recall"] >= 0.95
    assert metrics["balanced_accuracy"] >= 0.9
