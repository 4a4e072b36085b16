"""The columns that describe a recorded configuration."""

import json
from dataclasses import replace
from typing import Any

import pytest

from noisebench.catalogue.component import Component
from noisebench.store.configs import described
from noisebench.sweep.identity import config_id
from tests.store.results_folder import trial


@pytest.mark.parametrize(
    ("loss", "parameters", "variant"),
    [
        ("CE", {}, {}),
        ("BL", {"gamma": 0.4, "form": "detached"}, {}),
        ("BL", {"gamma": 0.4, "form": "printed"}, {"form": "printed"}),
        ("BL", {"gamma": 0.4, "form": "detached", "delay": 3}, {}),
        ("FL", {"gamma": 2.0, "detach": False}, {"detach": False}),
        ("ANL-CE", {"alpha": 1.0, "beta": 1.0, "delta": 1e-6}, {}),
        ("ANL-CE", {"alpha": 5.0, "beta": 1.0, "delta": 1e-6}, {"alpha": 5.0}),
        ("mine:loss", {"source": "ab", "cutoff": 0.1}, {"cutoff": 0.1}),
    ],
)
def test_a_variant_is_what_the_name_does_not_imply(
    loss: str, parameters: dict[str, Any], variant: dict[str, Any]
) -> None:
    row = described(trial(loss, **parameters).as_fields())
    assert json.loads(row["variant"]) == variant


def test_what_a_name_implies_follows_the_data_set() -> None:
    of_cifar = trial("ANL-CE", alpha=5.0, beta=5.0, delta=5e-5)
    cifar = replace(of_cifar, dataset=Component.of("CIFAR-10", samples=None))
    assert described(cifar.as_fields())["variant"] == "{}"
    assert json.loads(described(of_cifar.as_fields())["variant"]).keys() == {"alpha", "beta", "delta"}


def test_a_record_that_is_older_than_a_parameter_shows_its_value() -> None:
    kinds = (Component.of("ctrl"), Component.of("ctrl", traces="after-epoch"), Component.of("mine:own"))
    rows = [described(replace(trial(), detector=detector).as_fields()) for detector in kinds]
    shown = [json.loads(row["config"])["detector"] for row in rows]
    assert shown == [
        {"name": "ctrl", "traces": "in-passing"},
        {"name": "ctrl", "traces": "after-epoch"},
        {"name": "mine:own"},
    ]
    for detector, row in zip(kinds, rows, strict=True):
        assert row["config_id"] == config_id(replace(trial(), detector=detector).as_fields())
