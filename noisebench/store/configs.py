"""The row of `configs` that a recorded configuration makes."""

from collections.abc import Mapping
from typing import Any

from noisebench.catalogue import datasets
from noisebench.catalogue.losses import LOSSES
from noisebench.catalogue.parameters import FROM_RECIPE
from noisebench.sweep import identity


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
        "config": identity.canonical_json(_without(fields, "seed")),
    }


def _variant(loss: Mapping[str, Any], dataset: str) -> dict[str, Any]:
    """Return the parameters of a loss, the swept one and its delay aside, that its name does not imply.

    All of them where the loss is the user's own.
    """
    own = _without(loss, "name", "delay", "source", identity.SWEPT_PARAMETER.get(loss["name"], ""))
    return {name: value for name, value in own.items() if value != _implied(loss["name"], name, dataset)}


def _implied(loss: str, parameter: str, dataset: str) -> Any:
    """Return what a parameter of a loss is where nobody says, None where that is not known."""
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
