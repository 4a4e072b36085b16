"""The blocks that the analysis names, checked against the sweeps."""

from dataclasses import replace

import pytest

from analysis.items import BLOCK_SPECS, EQUAL_TUNING
from noisebench.sweep.block import Block
from noisebench.sweep.sweep import load_sweep
from noisebench.sweep.trial import Trial
from tests.analysis.synthetic import ROOT


@pytest.mark.parametrize("block", BLOCK_SPECS)
def test_the_named_sweep_makes_the_block(block: str) -> None:
    sweep = load_sweep(ROOT / "sweeps" / BLOCK_SPECS[block])
    assert block in {each.name for each in sweep.blocks}


def configurations(block: Block) -> set[Trial]:
    """Return what the block runs, whatever the seed."""
    return {replace(trial, seed=0) for trial in block.trials}


def test_equal_tuning_chooses_and_reports_the_same_on_other_seeds() -> None:
    blocks = {block.name: block for block in load_sweep(ROOT / "sweeps" / "equal-tuning.yaml").blocks}
    choose, report = blocks[EQUAL_TUNING.choose or ""], blocks[EQUAL_TUNING.block]
    assert configurations(choose) == configurations(report)
    assert not {trial.seed for trial in choose.trials} & {trial.seed for trial in report.trials}
