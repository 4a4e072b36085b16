"""The sweep that `noisebench detect` writes."""

import pytest

from noisebench.sweep.components import describe
from noisebench.sweep.detect_sweep import Choices, OwnShape, detect_sweep

SHAPE = OwnShape(samples=1000, classes=10, channels=64, height=1, width=1)
COMPARED = [
    "self-confidence(flag=posterior, folds=5)",
    "self-confidence(flag=estimated, folds=5)",
    "normalized-margin(flag=estimated, folds=5)",
    "confident-learning(folds=5, prune=both)",
]


@pytest.mark.parametrize(
    ("detectors", "first"),
    [
        ((), []),
        (("normalized-margin",), ["normalized-margin(flag=estimated, folds=5)"]),
        (
            ("small-loss", "{name: self-confidence, flag: share, share: 0.00001}"),
            ["self-confidence(flag=share, folds=5, share=1e-05)"],
        ),
        (("small-loss",), []),
    ],
)
def test_the_users_detectors_judge_plants_first(detectors: tuple[str, ...], first: list[str]) -> None:
    planted = ("0" * 15 + "2", "0" * 15 + "3")
    sweep = detect_sweep("x", "0" * 15 + "1", SHAPE, Choices(loss="CE", detectors=detectors, planted=planted))
    assert [block.name for block in sweep.blocks] == ["detect", "tune-1", "tune-2"]
    for block in sweep.blocks[1:]:
        judges = [describe(trial.detector) for trial in block.trials]
        assert judges == first + [each for each in COMPARED if each not in first]
