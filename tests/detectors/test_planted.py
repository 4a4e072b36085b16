"""Every detector finds planted errors on digits: one training for each plan, all its detectors judge it."""

import numpy as np
import pytest
import torch

from noisebench.catalogue.component import Component, Value
from noisebench.catalogue.detector import DetectorDescriptor
from noisebench.catalogue.detectors import DETECTORS
from noisebench.data.datasets import load_dataset
from noisebench.detectors.judgement import Judgement
from noisebench.records.checkpoints import Checkpoints
from noisebench.science import label_posterior, rankings
from noisebench.science.evidence import Evidence
from noisebench.science.metrics import ranking_metrics
from noisebench.training.surrogate import Surrogate, isolated_torch
from tests.trials import trial_of

PLANS = {
    "single": "none",
    "folds": "{name: confident-learning, folds: 2}",
    "aum-runs": "aum",
    "co-teaching": "co-teaching",
    "cnlcu-s": "cnlcu-s",
    "cnlcu-h": "cnlcu-h",
    "late-stopping": "{name: late-stopping, rate: 0.2, rounds: 4}",
    "selnlpl-schedule": "selnlpl-schedule",
}
JUDGING = [name for name in DETECTORS if name != "none"]
pytestmark = pytest.mark.slow
# Variability is high for samples that are learnt late, right or wrong; those that are never learnt have a low
# one. First-learned with k = 1 counts a label as learnt that an untrained model predicts by chance.
LEAST = {"variability": 0.0, "first-learned": 0.85}

Trained = tuple[dict[str, Evidence], np.ndarray]


def component(descriptor: DetectorDescriptor, **changes: Value) -> Component:
    """The detector with its defaults, without a recipe's; a rule that is told the rate gets 0.2."""
    own = {key: one.default for key, one in descriptor.parameters.items() if key != "folds"}
    told = {"share": 0.2} if own.get("flag") == "share" else {}
    return Component.of(descriptor.name, **{**own, **told, **changes})  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def trained() -> Trained:
    """The evidence of each plan with all that its detectors need, and which labels are wrong, at rate 0.2."""
    evidence, device = {}, torch.device("cpu")
    for plan, detector in PLANS.items():
        trial = trial_of(
            dataset="{name: digits, samples: 600}", detector=detector, training="{epochs: 20, batch_size: 32}"
        )
        needs: dict[str, int] = {}
        for name in JUDGING:
            if DETECTORS[name].plan == plan:
                needs |= DETECTORS[name].needs_of(component(DETECTORS[name]))
        dataset = load_dataset(trial.dataset, None)
        with isolated_torch(device):
            surrogate = Surrogate.of(trial, dataset, device, Checkpoints(), None, None)
            evidence[plan] = DETECTORS[trial.detector.name].training.load()(surrogate, needs)
        wrong = surrogate.given != dataset.judged.labels
    return evidence, wrong


def judged(trained: Trained, name: str, **changes: Value) -> Judgement:
    descriptor = DETECTORS[name]
    judgement: Judgement = descriptor.load()(trained[0][descriptor.plan], component(descriptor, **changes))
    return judgement


@pytest.mark.parametrize("name", JUDGING)
def test_planted_errors_rank_high(trained: Trained, name: str) -> None:
    judgement, wrong = judged(trained, name), trained[1]
    assert judgement.detection is not None
    found = ranking_metrics(judgement.detection.suspicion, wrong)
    assert found["judged"] == len(wrong)
    assert found["auroc"] >= LEAST.get(name, 0.9)
    assert judgement.detection.flagged.any() or name == "variability"


@pytest.mark.parametrize("name", [name for name in JUDGING if "flag" in DETECTORS[name].parameters])
def test_every_rule_flags_the_most_suspect(trained: Trained, name: str) -> None:
    for rule in DETECTORS[name].parameters["flag"].choices:
        judgement = judged(trained, name, flag=rule, share=0.25 if rule == "share" else None)
        assert judgement.detection is not None
        assert judgement.knows_rate == (rule == "share")
        flagged, suspicion = judgement.detection.flagged, judgement.detection.suspicion
        if rule == "posterior":  # flags by a probability of its own, whatever the ranking
            evidence = trained[0]["folds"]
            assert evidence.probabilities is not None
            probability = label_posterior.wrong_label(evidence.labels, evidence.probabilities)
            assert np.array_equal(flagged, probability >= label_posterior.LEAST)
            continue
        assert not flagged.any() or suspicion[flagged].min() >= suspicion[~flagged].max()
        if rule == "share":
            assert flagged.sum() == 150
        if rule == "estimated":
            evidence = trained[0]["folds"]
            assert evidence.probabilities is not None
            assert flagged.sum() == rankings.estimated_errors(evidence.labels, evidence.probabilities)
