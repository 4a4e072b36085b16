"""How figures name losses with their parameters."""

from noisebench.store.blocks import BlockTrial, TrainedEpoch

SYMBOLS = {"gamma": "$\\gamma$"}


def plain_text(text: str) -> str:
    """Return text that a figure draws as it is: without mathematics between dollar signs."""
    return text.replace("$", r"\$")


def loss_label(row: BlockTrial | TrainedEpoch) -> str:
    """Return "BL, gamma = 0.4" for its loss, parameter and value; the loss where it has no value."""
    if row.value is None:
        return plain_text(row.loss)
    symbol = SYMBOLS.get(row.parameter or "", row.parameter)
    return f"{plain_text(row.loss)}, {symbol} = {row.value:g}"
