"""The row of `configs` that a recorded configuration makes, and whether a trial id belongs to it."""

import hashlib
import json
import marshal
from collections.abc import Iterable, Mapping
from typing import Any

import pyarrow as pa

from noisebench.catalogue import datasets
from noisebench.catalogue.detectors import written_out
from noisebench.catalogue.losses import LOSSES
from noisebench.catalogue.parameters import FROM_RECIPE
from noisebench.store import records
from noisebench.sweep import identity

_SEED = "\0seed\0"
# The version of marshal's format whose bytes depend on the values alone, not on what objects they share.
_PLAIN = 2
_PYTHON = {pa.string(): str, pa.int64(): int, pa.float64(): float}
_KINDS = [(field.name, _PYTHON[field.type], field.nullable) for field in records.CONFIGS]


class Configs:
    """The configurations met so far, each described once for all its seeds."""

    def __init__(self) -> None:
        # By the configuration's text: its id, and its canonical JSON before and after the seed.
        self._met: dict[bytes, tuple[str, str, str]] = {}
        self._rows: dict[str, dict[str, Any]] = {}

    def id_of(self, fields: Mapping[str, Any], trial_id: str) -> str:
        """Return the id of a trial's configuration, which is described when it is first met.

        Raises ValueError where `trial_id` is not the hash of the fields, and as `described` does.
        """
        # The text is cheaper than the id, and there are as many trials of a configuration as seeds.
        text = marshal.dumps({name: value for name, value in fields.items() if name != "seed"}, _PLAIN)
        if text not in self._met:
            row = described(fields)
            if not _is_plain(row):
                records.table([row], records.CONFIGS)  # raises here rather than when all are taken in
            before, after = identity.canonical_json({**fields, "seed": _SEED}).split(json.dumps(_SEED))
            self._met[text] = row["config_id"], before, after
            self._rows[row["config_id"]] = row
        config_id, before, after = self._met[text]
        expected = _hashed(before, fields["seed"], after)
        if expected != trial_id:
            raise ValueError(f"the trial is called {trial_id}, but its configuration makes it {expected}")
        return config_id

    def rows(self, config_ids: Iterable[str]) -> list[dict[str, Any]]:
        """Return the rows of `configs` with these ids."""
        return [self._rows[config_id] for config_id in config_ids]


def _is_plain(row: Mapping[str, Any]) -> bool:
    """Whether a row surely fits `CONFIGS`: found out in less time than by making a table of it."""
    for name, kind, nullable in _KINDS:
        value = row[name]
        if value is None and nullable:
            continue
        if type(value) is not kind:
            return False
        if isinstance(value, str) and not value.isascii():
            return False
        if isinstance(value, int) and abs(value) >= 2**63:
            return False
    return True


def _hashed(before: str, seed: Any, after: str) -> str:
    """Return `identity.trial_id` of a configuration with a seed."""
    if type(seed) is not int:
        raise TypeError(f"the seed is {seed!r:.80}, not a whole number")
    return hashlib.sha256(f"{before}{seed}{after}".encode()).hexdigest()[:16]


def described(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return the columns of `configs` for a trial's recorded fields, as `Trial.as_fields()` writes them.

    Raises KeyError, TypeError, ValueError or AttributeError where a field is missing or of another kind.
    """
    loss, corruption, training = fields["loss"], fields["corruption"], fields["training"]
    swept = identity.SWEPT_PARAMETER.get(loss["name"])
    parameter = swept if swept in loss else None
    return {
        "config_id": identity.config_id(fields),
        "family_id": identity.family_id(fields),
        "setting_id": identity.setting_id(fields),
        "dataset": _dataset_label(fields["dataset"]),
        "corruption": corruption["name"],
        "eta": corruption.get("rate"),
        "loss": loss["name"],
        "parameter": parameter,
        "value": None if parameter is None else loss[parameter],
        "loss_parameters": identity.canonical_json(_without(loss, "name", "delay")),
        "variant": identity.canonical_json(_variant(loss, fields["dataset"]["name"])),
        "delay": loss.get("delay", 0),
        "detector": fields["detector"]["name"],
        "model": training["model"],
        "epochs": training["epochs"],
        "precision": training["precision"],
        "config": identity.canonical_json(
            {**_without(fields, "seed"), "detector": written_out(fields["detector"])}
        ),
    }


def _variant(loss: Mapping[str, Any], dataset: str) -> dict[str, Any]:
    """Return the parameters of a loss, the swept one and its delay aside, that its name does not imply.

    All of them where the loss is the user's own.
    """
    parameters = _without(loss, "name", "delay", "source", identity.SWEPT_PARAMETER.get(loss["name"], ""))
    return {
        name: value for name, value in parameters.items() if value != _implied(loss["name"], name, dataset)
    }


def _implied(loss: str, parameter: str, dataset: str) -> Any:
    """Return the default of a parameter of a loss, None where it is not known."""
    known = LOSSES[loss].parameters.get(parameter) if loss in LOSSES else None
    if known is None:
        return None
    return (
        datasets.dataset(dataset).recipe.losses[parameter] if known.default is FROM_RECIPE else known.default
    )


def _dataset_label(dataset: Mapping[str, Any]) -> str:
    samples = dataset.get("samples")
    return dataset["name"] if samples is None else f"{dataset['name']}:{samples}"


def _without(fields: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {key: value for key, value in fields.items() if key not in names}
