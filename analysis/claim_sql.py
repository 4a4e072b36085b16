"""The papers' claims as paired differences, each by its SQL."""

from collections import defaultdict
from collections.abc import Mapping

from analysis.statements import SQL
from noisebench.store.store import Store


def claim_names() -> list[str]:
    """Return the names of the claims, sorted."""
    return SQL.names("claims")


def claim_text(name: str) -> str:
    """Return what the papers claim."""
    return SQL.description(f"claims/{name}")


def claim_blocks(name: str) -> list[str]:
    """Return the blocks that a claim is about, sorted: the parameters of its SQL, with - for _."""
    return [parameter.replace("_", "-") for parameter in SQL.parameters(f"claims/{name}")]


def claim_differences(
    store: Store, name: str, sweeps: Mapping[str, str]
) -> dict[tuple[str, str], list[float]]:
    """Return the differences of a claim's pairs by (part, setting); all are above 0 where the claim is right.

    A setting is what the claim is tested in, as a data set with a rate; its pairs are of different seeds.
    `sweeps` gives the sweep that each of `claim_blocks` is read from.
    """
    differences: dict[tuple[str, str], list[float]] = defaultdict(list)
    parameters = {block.replace("-", "_"): sweep for block, sweep in sweeps.items()}
    for row in store.rows_of(SQL.text(f"claims/{name}"), parameters):
        differences[row["part"], row["setting"]].append(float(row["difference"]))
    return dict(differences)
