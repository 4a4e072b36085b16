"""Detectors with a flag rule: their input, their flags, and what is refused before a training."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from noisebench.catalogue.component import Component
from noisebench.catalogue.descriptor import load
from noisebench.catalogue.detector import AFTER_EPOCH, IN_PASSING, TRACES
from noisebench.catalogue.detectors import DETECTORS
from noisebench.catalogue.models import MODELS
from noisebench.catalogue.parameters import FROM_RECIPE
from noisebench.detectors.judgement import Judgement
from noisebench.errors import InputError
from noisebench.science import models
from noisebench.science.evidence import Evidence, Traces
from noisebench.trial.measurement import measure
from tests.trials import sweep_of, trial_of

LABELS = np.array([0, 1, 2, 0, 1, 2])
LOSSES = np.array([[0.1], [0.2], [0.1], [2.0], [0.3], [3.0]], dtype=np.float32)
EVIDENCE = Evidence(
    labels=LABELS,
    classes=3,
    predicted=LABELS,
    test_accuracies=np.empty(0),
    in_passing=Traces(losses=LOSSES),
    after_epoch=Traces(losses=LOSSES[::-1].copy()),
)
RULED = [name for name, entry in DETECTORS.items() if entry.arithmetic]


def judged(name: str, evidence: Evidence = EVIDENCE, **parameters: object) -> Judgement:
    entry = DETECTORS[name]
    defaults = {key: one.default for key, one in entry.parameters.items()}
    found: Judgement = entry.load()(evidence, Component.of(name, **{**defaults, **parameters}))
    return found


def test_a_share_flags_the_most_suspect_and_knows_the_rate() -> None:
    judgement = judged("robust-loss-mean", share=1 / 3)
    assert judgement.detection is not None
    assert judgement.detection.flagged.tolist() == [False, False, False, True, False, True]
    assert judgement.knows_rate
    mixture = judged("robust-loss-mean", flag="mixture")
    assert mixture.detection is not None
    assert mixture.detection.flagged[5]
    assert not mixture.knows_rate


def test_the_two_kinds_of_traces_are_not_mixed() -> None:
    after, passing = (judged("mean-loss", traces=kind).detection for kind in (AFTER_EPOCH, IN_PASSING))
    assert after is not None
    assert passing is not None
    assert passing.suspicion.tolist() == LOSSES[:, 0].astype(float).tolist()
    assert after.suspicion.tolist() == LOSSES[::-1, 0].astype(float).tolist()
    only_passing = replace(EVIDENCE, after_epoch=None)
    with pytest.raises(KeyError, match=r"after-epoch\.losses"):
        judged("mean-loss", only_passing, traces=AFTER_EPOCH)


def test_a_detector_reads_as_many_passes_as_it_asks_for() -> None:
    rng = np.random.default_rng(0)
    passes = rng.dirichlet(np.ones(3), (4, 6)).astype(np.float32)
    few = judged("cl-mcd", replace(EVIDENCE, passes=passes[:2]), passes=2).detection
    many = judged("cl-mcd", replace(EVIDENCE, passes=passes), passes=2).detection
    assert few is not None
    assert many is not None
    assert np.array_equal(few.suspicion, many.suspicion)


@pytest.mark.parametrize("name", RULED)
def test_a_descriptor_fits_its_arithmetic(name: str) -> None:
    """Each needed array and each own parameter is read; each parameter has the default of the function."""
    import inspect

    entry = DETECTORS[name]
    wanted = inspect.signature(load(entry.arithmetic)).parameters
    shared = {"flag", "share", "traces", *entry.training.parameters, *entry.sizes.values()} - set(wanted)
    assert set(entry.needs) - {"probabilities"} <= set(wanted)
    assert set(entry.parameters) - shared <= set(wanted)
    assert {key for key, one in wanted.items() if one.default is inspect.Parameter.empty} <= {
        *entry.needs,
        "labels",
        "classes",
    }
    for key in set(entry.parameters) & set(wanted) - set(entry.sizes.values()):
        assert entry.parameters[key].default in (wanted[key].default, FROM_RECIPE)
    kinds = entry.parameters["traces"].choices if "traces" in entry.parameters else (entry.traces,)
    assert "squared_norms" not in entry.needs or kinds == (AFTER_EPOCH,)
    assert set(entry.needs) <= {*TRACES, *Evidence.__dataclass_fields__}


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
def test_models_with_dropout_say_so(name: str) -> None:
    from torch import nn

    model = models.build(name, (3, 32, 32), 10)
    assert any(isinstance(layer, nn.Dropout) for layer in model.modules()) == MODELS[name].dropout


@pytest.mark.parametrize(
    ("detector", "training", "message"),
    [
        ("cl-mcd", "{model: resnet-32}", "cl-mcd compares passes with dropout, but resnet-32 has none"),
        (
            "first-learned",
            "{}",
            "first-learned flags a share of the labels, so it must be told the rate",
        ),
        ("{name: forgetting, flag: share}", "{}", "forgetting flags a share of the labels"),
        ("{name: forgetting, share: 0.2}", "{}", "forgetting reads `share` only with flag: share"),
        ("{name: forgetting, folds: 5}", "{}", "parameter 'folds' of forgetting is unknown"),
        (
            "{name: forgetting, flag: estimated}",
            "{}",
            "flag: is 'estimated', but must be one of mixture, share",
        ),
        ("{name: grand, traces: in-passing}", "{}", "parameter 'traces' of grand is unknown"),
        (
            "{name: cnlcu-s, rate: 0.2}",
            "{epochs: 9}",
            "cnlcu-s raises the share that it leaves out over 10 epochs, but the training has 9",
        ),
        ("late-stopping", "{epochs: 7}", "skip_epochs 7 leaves late-stopping no epoch: the training has 7"),
        (
            "selnlpl-schedule",
            "{epochs: 2}",
            "selnlpl-schedule trains in three phases, but the training has 2",
        ),
        ("{name: co-teaching, rate: 1}", "{}", "rate: is 1, but must be a number in (0, 1)"),
        ("{name: co-teaching, flag: share}", "{}", "parameter 'flag' of co-teaching is unknown"),
    ],
)
def test_detectors_that_cannot_judge_a_sweep_are_refused_before_a_training(
    detector: str, training: str, message: str
) -> None:
    with pytest.raises(InputError) as refused:
        trial_of(detector=detector, training=training)
    assert str(refused.value).count("\n") == 0
    assert message in str(refused.value)


OWN = """
from noisebench.science.detection import Detection
def early(losses, last):
    return losses[:, :last].mean(1)
def both(losses, probabilities):
    return losses[:, 0]
def native(labels, probabilities):
    return Detection(probabilities.argmax(1) != labels, -probabilities.max(1).astype(float))
def short(losses):
    return losses[:5, 0]
def runs(margins_of_runs, *, least):
    return margins_of_runs[:, 0]
"""


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "detectors_of_a_test.py").write_text(OWN)
    monkeypatch.syspath_prepend(tmp_path)
    return "detectors_of_a_test"


def test_a_function_of_the_user_shares_the_training_of_what_it_reads(own: str) -> None:
    detectors = (
        f'[ctrl, {{name: "{own}:early", last: [1, 2]}}, {{name: "{own}:native", flag: native, folds: 2}}]'
    )
    ctrl, one, two, folds = sweep_of(detector=detectors).trials()
    assert ctrl.evidence_id == one.evidence_id == two.evidence_id
    assert folds.evidence_id == trial_of().evidence_id
    assert one.trial_id != two.trial_id
    assert one.detector["reads"] == ("losses",)
    again = type(one).from_fields(json.loads(json.dumps(one.as_fields())))
    assert (again, again.evidence_id) == (one, one.evidence_id)
    assert sweep_of(detector=detectors).references() == [f"{own}:early", f"{own}:native"]
    found = measure(folds, None, torch.device("cpu"))
    assert found.result["flagged"] == (found.samples["predicted_label"] != found.samples["given_label"]).sum()


def test_a_function_of_the_user_that_cannot_judge_is_refused(own: str) -> None:
    with pytest.raises(InputError, match="a detector judges the evidence of one plan"):
        trial_of(detector=f'"{own}:both"')
    with pytest.raises(InputError, match="has the argument margins_of_runs, which is no array") as refused:
        trial_of(detector=f'{{name: "{own}:runs", least: 1}}')
    assert "labels, classes, losses, margins, predicted" in str(refused.value)
    with pytest.raises(InputError, match="has the argument least"):
        trial_of(detector=f'{{name: "{own}:runs", margins_of_runs: 1}}')
    with pytest.raises(InputError, match=r"returned shape \[5\] for 400 samples"):
        measure(trial_of(detector=f'"{own}:short"'), None, torch.device("cpu"))
