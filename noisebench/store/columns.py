"""How the columns and rows of a block's table are named, on a terminal as in the papers' tables."""

import json
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from noisebench.store.blocks import Over, TableCell

# What tables show of a setting in any case.
_SHOWN = ("dataset.name", "dataset.samples", "corruption.name", "corruption.rate", "detector.name")


def column_names(cells: Sequence[TableCell], over: Over = "family") -> list[str]:
    """Name the column of each cell of a table: by its loss, where that is enough.

    Parameters that differ from the loss's defaults are added, and those that differ between several columns
    of one loss; a parameter that the column chooses (see `over`) is not. A parameter whose default depends
    on the data set, as ANL's do, does not make two columns.
    """
    if over == "parameters":
        return [cell.loss for cell in cells]
    by_loss: dict[str, list[TableCell]] = defaultdict(list)
    for cell in cells:
        by_loss[cell.loss].append(cell)
    parameters = {loss: _distinguishing(same, over) for loss, same in by_loss.items()}
    return [_column_name(cell, parameters[cell.loss], over) for cell in cells]


def setting_labels(cells: Sequence[TableCell]) -> dict[str, str]:
    """Return by setting_id how each setting differs from others that a table shows alike.

    Those are of the same data set, corruption, rate and detector. The label is empty where nothing else
    differs.
    """
    settings = {cell.setting_id: _flat(json.loads(cell.config)) for cell in cells}
    alike: dict[tuple[Any, ...], list[dict[str, Any]]] = defaultdict(list)
    for fields in settings.values():
        alike[_shown(fields)].append(fields)
    keys = {shown: differing(group) for shown, group in alike.items()}
    return {
        setting: ", ".join(f"{key.split('.')[-1]} {plain(fields.get(key))}" for key in keys[_shown(fields)])
        for setting, fields in settings.items()
    }


def differing(mappings: Sequence[dict[str, Any]]) -> list[str]:
    """Return the keys whose values differ between the mappings."""
    keys = dict.fromkeys(key for mapping in mappings for key in mapping)
    return [key for key in keys if len({mapping.get(key) for mapping in mappings}) > 1]


def plain(value: Any) -> str:
    """Return a value as tables show it, numbers without trailing zeros."""
    return f"{value:g}" if isinstance(value, float) else str(value)


def _distinguishing(same_loss: Sequence[TableCell], over: Over) -> list[str]:
    """Return the parameters that tell the columns of one loss apart."""
    names = dict.fromkeys(name for cell in same_loss for name in json.loads(cell.variant))
    rows: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for cell in same_loss:
        rows[cell.setting_id].append(_fixed(cell, over))
    for row in rows.values():
        names |= dict.fromkeys(differing(row))
    return list(names)


def _column_name(cell: TableCell, parameters: Sequence[str], over: Over) -> str:
    fixed = _fixed(cell, over)
    return ", ".join([cell.loss, *(f"{name} {plain(fixed.get(name))}" for name in parameters)])


def _fixed(cell: TableCell, over: Over) -> dict[str, Any]:
    """Return the parameters of a loss that its column does not choose."""
    parameters = json.loads(cell.loss_parameters)
    parameters.pop(cell.parameter, None)
    return parameters if over == "delays" else {**parameters, "delay": cell.delay}


def _shown(fields: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(fields.get(name) for name in _SHOWN)


def _flat(config: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return the fields of a configuration by dotted name, without those of the loss."""
    fields: dict[str, Any] = {}
    for key, value in config.items():
        if prefix == "" and key == "loss":
            continue
        if isinstance(value, dict):
            fields |= _flat(value, f"{prefix}{key}.")
        else:
            fields[f"{prefix}{key}"] = json.dumps(value) if isinstance(value, list) else value
    return fields
