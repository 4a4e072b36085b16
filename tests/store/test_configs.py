"""The columns that describe a recorded configuration."""

import json
from dataclasses import replace
from typing import Any

import pytest

from noisebench.catalogue.component import Component
from noisebench.store.configs import described
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
