"""Ids and seeds depend on what they should, on nothing else."""

import json
from dataclasses import replace
from typing import Any

import pytest

from noisebench.catalogue.component import Component
from noisebench.catalogue.detector import IN_PASSING
from noisebench.catalogue.detectors import descriptor_of, written_out
from noisebench.sweep import identity
from noisebench.sweep.sweep import parse_sweep
from noisebench.sweep.trial import Trial


def trial(loss: str = "{name: BL, gamma: 0.4}", rate: float = 0.2, seed: int = 0, more: str = "") -> Trial:
    text = f"""
sweep: test
blocks:
  grid:
    dataset: digits
    corruption: {{kind: uniform, rate: {rate}}}
    loss: {loss}
    seeds: [{seed}]
    {more}
"""
    return next(parse_sweep(text, "test.yaml").trials())


def test_golden_id() -> None:
    """The id of a published trial never changes, unless the science version is raised."""
    assert identity.SCIENCE_VERSION == 1
    assert trial().trial_id == "3f89ff6805ad7474"


def test_every_field_enters_the_id() -> None:
    base = trial()
    changed = [
        replace(base, dataset=Component.of("MNIST", samples=None)),
        replace(base, corruption=Component.of("none")),
        replace(base, loss=Component.of("CE", delay=0)),
        replace(base, detector=Component.of("aum")),
        replace(base, training=replace(base.training, epochs=3)),
        replace(base, training=replace(base.training, precision="fast")),
        replace(base, dynamics=True),
        replace(base, seed=1),
    ]
    assert len({base.trial_id, *(other.trial_id for other in changed)}) == len(changed) + 1


def test_the_science_version_enters_the_id() -> None:
    fields = trial().as_fields()
    assert identity.trial_id({**fields, "science": fields["science"] + 1}) != identity.trial_id(fields)


def test_fields_survive_json() -> None:
    for original in (trial(), trial(more="detector: {name: aum}")):
        again = Trial.from_fields(json.loads(json.dumps(original.as_fields())))
        assert again == original
        assert again.trial_id == original.trial_id


def test_the_order_of_parameters_does_not_matter() -> None:
    assert (
        trial("{name: BL, gamma: 0.4, delay: 2}").trial_id
        == trial("{delay: 2, gamma: 0.4, name: BL}").trial_id
    )


def ids(fields: dict[str, Any]) -> tuple[str, str, str]:
    return identity.config_id(fields), identity.family_id(fields), identity.setting_id(fields)


def test_config_family_setting() -> None:
    base = ids(trial().as_fields())
    assert ids(trial(seed=5).as_fields()) == base
    other_gamma = ids(trial("{name: BL, gamma: 0.7}").as_fields())
    assert other_gamma[0] != base[0]
    assert other_gamma[1:] == base[1:]
    other_delay = ids(trial("{name: BL, gamma: 0.4, delay: 1}").as_fields())
    assert other_delay[1] != base[1]
    assert other_delay[2] == base[2]
    assert ids(trial(rate=0.4).as_fields())[2] != base[2]


def test_losses_do_not_enter_any_seed() -> None:
    """All losses at one (data, corruption, seed) see the same wrong labels, folds, weights, batches."""
    first, second = trial("CE"), trial("{name: PZ, c: 0.04}", more="training: {epochs: 7}")
    for purpose in ("corruption", "folds", "thresholds", "init", "batches", "dropout"):
        assert first.seed_for(purpose, 0, 1) == second.seed_for(purpose, 0, 1)


def test_seeds_differ_where_they_should() -> None:
    base = trial()
    seeds = {base.seed_for(purpose) for purpose in ("corruption", "folds", "init", "batches", "dropout")}
    seeds |= {base.seed_for("batches", fold, epoch) for fold in range(3) for epoch in range(3)}
    seeds.add(trial(seed=1).seed_for("corruption"))
    seeds.add(trial(rate=0.4).seed_for("corruption"))
    assert len(seeds) == 5 + 9 + 2
    assert all(0 <= seed < 2**63 for seed in seeds)


def test_folds_do_not_depend_on_the_corruption() -> None:
    assert trial(rate=0.4).seed_for("folds") == trial().seed_for("folds")


@pytest.mark.parametrize(
    ("detector", "in_passing", "after_epoch"),
    [
        ("ctrl", "b9b11d078d1dca56", "0bc22fdf0a6df443"),
        ("small-loss", "6f70dc9eed0a37fe", "6c0bf8388c9f43eb"),
    ],
)
def test_golden_ids_of_both_kinds_of_traces(detector: str, in_passing: str, after_epoch: str) -> None:
    """Traces in passing are left out of the id: these trials are older than the parameter."""
    passing, after, usual = (
        trial(more=f"detector: {text}")
        for text in (
            f"{{name: {detector}, traces: in-passing}}",
            f"{{name: {detector}, traces: after-epoch}}",
            detector,
        )
    )
    assert (passing.trial_id, after.trial_id) == (in_passing, after_epoch)
    assert usual == after
    assert passing.detector.get("traces") is None
    assert written_out(passing.detector.as_fields())["traces"] == IN_PASSING
    assert descriptor_of(passing.detector).needs_of(passing.detector) == {"in-passing.losses": 1}
    assert descriptor_of(usual.detector).needs_of(usual.detector) == {"after-epoch.losses": 1}
