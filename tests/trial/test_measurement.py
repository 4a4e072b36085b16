"""A result depends on its trial alone; golden results change only with the science version."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from noisebench.data.datasets import load_dataset
from noisebench.data.noisy_labels import given_labels
from noisebench.errors import DataError
from noisebench.records.evidence import EvidenceFile, Sharing
from noisebench.science import aum, confident_learning
from noisebench.sweep.identity import SCIENCE_VERSION
from noisebench.sweep.trial import Trial
from noisebench.trial.measurement import Measurement, measure, only_judges
from tests.trials import trial_of

CPU = torch.device("cpu")
GOLDEN = Path(__file__).parent / f"golden_science_{SCIENCE_VERSION}.json"
GOLDEN_TRIALS = {
    "CE": trial_of("CE", dataset="digits", training="{epochs: 2}"),
    "BL": trial_of(
        "{name: BL, gamma: 0.4}",
        dataset="digits",
        training="{epochs: 2, schedule: {name: step, every: 1, factor: 0.5}}",
    ),
    "ANL-FL": trial_of(
        "ANL-FL",
        dataset="digits",
        training="{epochs: 2, optimizer: nesterov, learning_rate: 0.02, momentum: 0.9}",
    ),
    "PZ, AUM": trial_of(
        "{name: PZ, c: 0.04}",
        dataset="digits",
        detector="aum",
        training="{epochs: 2, augmentation: crop-flip, input_scale: normalised}",
    ),
}


def deterministic(measured: Measurement) -> dict[str, object]:
    return {"result": measured.result, "epochs": measured.epochs}


@pytest.mark.parametrize("name", GOLDEN_TRIALS)
def test_golden_result(name: str) -> None:
    """Other numbers for the same trial need another science version.

    If this fails after a wanted change of the science: raise SCIENCE_VERSION in sweep/identity.py, then
    write the new numbers with `python -m tests.trial.write_golden`. Losses are compared within 1e-4,
    because processors differ in the last digits; the noise is compared exactly.
    """
    assert GOLDEN.is_file(), f"no golden results for science version {SCIENCE_VERSION}"
    golden, measured = json.loads(GOLDEN.read_text())[name], measure(GOLDEN_TRIALS[name], None, CPU)
    assert GOLDEN_TRIALS[name].trial_id == golden["trial_id"]
    assert measured.result["noise_hash"] == golden["noise_hash"]
    assert [row["loss"] for row in measured.epochs] == pytest.approx(golden["losses"], rel=1e-4)
    assert measured.result["f1"] == pytest.approx(golden["f1"], abs=0.02)


@pytest.mark.slow
def test_earlier_work_in_the_process_does_not_change_a_result() -> None:
    trial = trial_of("{name: PZ, c: 0.04}")
    alone = measure(trial, None, CPU)
    torch.manual_seed(99)
    np.random.seed(99)  # noqa: NPY002
    torch.rand(3)
    measure(trial_of("CE", seeds="[7]", detector="aum"), None, CPU)
    again = measure(trial, None, CPU)
    assert deterministic(again) == deterministic(alone)
    assert all(np.array_equal(again.samples[name], alone.samples[name]) for name in alone.samples)


def test_a_trial_restores_the_state_of_torch() -> None:
    threads, state = torch.get_num_threads(), torch.get_rng_state()
    measure(trial_of(), None, CPU)
    assert torch.get_num_threads() == threads
    assert torch.equal(torch.get_rng_state(), state)


def labels_of(trial: Trial) -> np.ndarray:
    return given_labels(trial, load_dataset(trial.dataset, None))


def test_all_losses_of_one_seed_train_on_the_same_wrong_labels() -> None:
    base = labels_of(trial_of("CE"))
    assert np.array_equal(base, labels_of(trial_of("{name: BL, gamma: 0.9}", detector="aum")))
    assert not np.array_equal(base, labels_of(trial_of("CE", seeds="[1]")))
    ours, theirs = measure(trial_of("CE"), None, CPU), measure(trial_of("GCE"), None, CPU)
    assert ours.result["noise_hash"] == theirs.result["noise_hash"]
    assert ours.result["realised_rate"] == pytest.approx(0.2, abs=0.06)


def test_confident_learning_gets_out_of_fold_probabilities_of_all_samples(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    calls = []
    find = confident_learning.find
    monkeypatch.setattr(confident_learning, "find", lambda *args: calls.append(args) or find(*args))
    measured = measure(trial_of(detector="{name: confident-learning, folds: 3, prune: class}"), None, CPU)
    ((labels, probabilities, prune),) = calls
    assert prune == "class"
    assert probabilities.shape == (400, 10)
    assert np.allclose(probabilities.sum(1), 1, atol=1e-5)
    assert np.array_equal(measured.samples["self_confidence"], probabilities[np.arange(400), labels])
    assert [row["fold"] for row in measured.epochs] == [0, 0, 1, 1, 2, 2]


@pytest.mark.slow
def test_aum_skips_its_first_epochs_and_separates_threshold_sets(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    flag = aum.flag
    monkeypatch.setattr(aum, "flag", lambda *args: calls.append(args) or flag(*args))
    training = "{epochs: 3, batch_size: 128}"
    measured = measure(trial_of(detector="{name: aum, skip_epochs: 2}", training=training), None, CPU)
    ((margins, sets, percentile),) = calls
    assert percentile == 99
    assert margins.shape == (2, 400)
    assert [len(members) for members in sets] == [40, 40]
    assert not set(sets[0]) & set(sets[1])
    assert measured.result["threshold"] is not None
    every_epoch = measure(trial_of(detector="{name: aum, skip_epochs: 0}", training=training), None, CPU)
    assert not np.array_equal(every_epoch.samples["aum"], measured.samples["aum"])


@pytest.mark.slow
def test_both_aum_implementations_agree() -> None:
    ours = measure(trial_of(detector="aum"), None, CPU)
    theirs = measure(trial_of(detector="{name: aum, implementation: aum-package}"), None, CPU)
    assert np.array_equal(ours.samples["flagged"], theirs.samples["flagged"])
    assert np.allclose(ours.samples["aum"], theirs.samples["aum"], rtol=1e-6)


def test_a_rule_that_is_told_the_rate_says_so() -> None:
    known = measure(trial_of(detector="{name: small-loss, share: 0.2}"), None, CPU).result
    assert known["knows_rate"] is True
    assert measure(trial_of(detector="small-loss"), None, CPU).result["knows_rate"] is False
    assert "knows_rate" not in measure(trial_of(detector="none"), None, CPU).result


def test_without_corruption_no_label_is_wrong() -> None:
    trial = replace(trial_of(), corruption=replace(trial_of().corruption, name="none", parameters=()))
    measured = measure(trial, None, CPU)
    assert measured.result["wrong_labels"] == 0
    assert np.isnan(measured.result["f1"])
    assert measured.result["realised_rate"] == 0


@pytest.mark.slow
@pytest.mark.data
def test_mnist_reports_clean_test_accuracy(real_data: Path) -> None:
    measured = measure(trial_of(dataset="{name: MNIST, samples: 300}"), real_data, CPU)
    assert 0.1 < measured.result["clean_test_accuracy"] < 1
    assert measure(trial_of(), None, CPU).result["clean_test_accuracy"] is None


@pytest.mark.slow
def test_planted_errors_have_the_highest_suspicion() -> None:
    """5% of digits' labels swapped by the corruption: the detector's suspicion finds them."""
    from sklearn.metrics import average_precision_score, roc_auc_score

    trial = trial_of(
        dataset="digits", rate="0.05", detector="{name: confident-learning, folds: 3}", training="{epochs: 8}"
    )
    measured = measure(trial, None, CPU)
    samples, result = measured.samples, measured.result
    wrong = samples["given_label"] != samples["true_label"]
    assert result["auroc"] == pytest.approx(roc_auc_score(wrong, samples["suspicion"]))
    assert result["average_precision"] == pytest.approx(average_precision_score(wrong, samples["suspicion"]))
    assert result["auroc"] >= 0.95
    assert result["knows_rate"] is False


USER_DATA = """
import numpy as np
def lonely(data_dir):
    labels = np.arange(60) % 2
    labels[7] = 2  # a class with one sample: the fold that judges it was trained without the class
    images = np.random.default_rng(0).integers(0, 80, (60, 1, 8, 8)) + 80 * (labels % 2)[:, None, None, None]
    return images.astype("uint8"), labels, 3
def absent(data_dir):
    images, labels, _ = lonely(data_dir)
    return images, labels % 2, 3
"""


@pytest.fixture
def user_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "sparse_data_of_a_test.py").write_text(USER_DATA)
    monkeypatch.syspath_prepend(tmp_path)
    return "sparse_data_of_a_test"


def test_a_class_with_one_sample_is_judged_by_a_model_that_has_not_seen_it(user_data: str) -> None:
    trial = trial_of(dataset=f'"{user_data}:lonely"', corruption="none", training="{epochs: 2}")
    measured = measure(trial, None, CPU)
    assert measured.result["samples"] == 60
    assert measured.samples["self_confidence"][7] < 0.5


def test_a_class_without_samples_gives_one_error(user_data: str) -> None:
    trial = trial_of(dataset=f'"{user_data}:absent"', corruption="none", training="{epochs: 1}")
    with pytest.raises(DataError, match="no label names class 2 of 0 to 2"):
        measure(trial, None, CPU)


def test_an_attempt_only_judges_if_its_evidence_is_whole_and_has_what_it_reads(tmp_path: Path) -> None:
    trial, other = (
        trial_of(dataset="{name: digits, samples: 100}", detector=detector, training="{epochs: 1}")
        for detector in ("{name: small-loss, traces: in-passing}", "small-loss")
    )
    file = EvidenceFile(tmp_path / "1a.evidence", "attempt", Sharing(keep=True))
    assert not only_judges(trial, file)
    measure(trial, None, CPU, evidence=file)
    assert only_judges(trial, file)
    assert not only_judges(other, file)
    assert file.path is not None
    content = bytearray(file.path.read_bytes())
    content[-1] ^= 1
    file.path.write_bytes(content)
    assert not only_judges(trial, file)
