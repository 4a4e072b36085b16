"""How figures name losses with their parameters."""

from collections.abc import Mapping
from typing import Any

SYMBOLS = {"gamma": "$\\gamma$"}


def loss_label(row: Mapping[str, Any]) -> str:
    """Return "BL, gamma = 0.4" for a row with loss, parameter, value; the loss where it has no value."""
    if row["value"] is None:
        return str(row["loss"])
    symbol = SYMBOLS.get(row["parameter"], row["parameter"])
    return f"{row['loss']}, {symbol} = {row['value']:g}"
