"""How a configuration differs from what a sweep that names its data set and detector alone would train."""

import json
from collections.abc import Mapping
from functools import cache
from typing import Any

from noisebench.errors import InputError
from noisebench.sweep.sweep import parse_sweep

# The keys of a published number, and how many computations are one trial: no part of the recipe.
_NOT_RECIPE = {
    *("loss", "seed", "dynamics", "dataset.name", "dataset.samples"),
    *("corruption.name", "corruption.rate", "detector.name", "training.precision"),
}


def recipe_differences(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields, by dotted name, in which a configuration differs from its data set's recipe.

    `config` is as in column `config` of table `configs`. Loss, rate and arithmetic are no part of the recipe.
    A data set or corruption that no plain sweep can name, as a user's own, has no recipe to differ from.
    """
    names = [config[section]["name"] for section in ("dataset", "corruption", "detector")]
    if any(":" in name for name in names):  # reading a reference would look up the user's module
        return {}
    try:
        usual = _usual(*names)
    except InputError:
        return {}
    fields = _flat(config)
    return {name: value for name, value in fields.items() if name in usual and value != usual[name]} | {
        name: value for name, value in fields.items() if name not in usual and value is not None
    }


def recipe_text(differences: Mapping[str, Any]) -> str:
    """Return "learning_rate 0.0003, input_scale raw"; "" for the recipe itself."""
    return ", ".join(f"{name.rpartition('.')[2]} {_plain(value)}" for name, value in differences.items())


def _plain(value: Any) -> str:
    if isinstance(value, Mapping):
        return " ".join(_plain(inner) for inner in value.values())
    return f"{value:g}" if isinstance(value, float) else str(value).lower()


@cache
def _usual(dataset: str, corruption: str, detector: str) -> dict[str, Any]:
    rate = ", rate: 0.5" if corruption in ("uniform", "asymmetric") else ""
    lines = {
        "dataset": json.dumps(dataset),
        "corruption": f"{{kind: {json.dumps(corruption)}{rate}}}",
        "detector": json.dumps(detector),
        "loss": "CE",
        "seeds": "1",
    }
    block = "".join(f"    {name}: {value}\n" for name, value in lines.items())
    sweep = parse_sweep(f"sweep: usual\nblocks:\n  usual:\n{block}", "usual.yaml")
    return _flat(next(sweep.trials()).as_fields())


def _flat(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of the recipe by dotted name; a schedule stays one field."""
    fields: dict[str, Any] = {}
    for section, value in config.items():
        if isinstance(value, Mapping):
            fields |= {f"{section}.{name}": inner for name, inner in value.items() if section != "loss"}
        else:
            fields[section] = value
    return {name: value for name, value in fields.items() if name not in _NOT_RECIPE}
