"""How figures name losses with their parameters."""

from collections.abc import Mapping
from typing import Any

SYMBOLS = {"gamma": "$\\gamma$"}


def plain_text(text: str) -> str:
    """Return text that a figure draws as it is: without mathematics between dollar signs."""
    return text.replace("$", r"\$")


def loss_label(row: Mapping[str, Any]) -> str:
    """Return "BL, gamma = 0.4" for a row with loss, parameter, value; the loss where it has no value."""
    if row["value"] is None:
        return plain_text(str(row["loss"]))
    symbol = SYMBOLS.get(row["parameter"], row["parameter"])
    return f"{plain_text(row['loss'])}, {symbol} = {row['value']:g}"
