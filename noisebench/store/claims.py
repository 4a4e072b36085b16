"""The papers' claims as paired differences."""

from collections import defaultdict
from collections.abc import Mapping

from noisebench.records.folders import ResultsFolder
from noisebench.store import statements
from noisebench.store.reading import rows


def claim_names() -> list[str]:
    """Return the names of the claims, sorted."""
    return statements.names("claims")


def claim_text(name: str) -> str:
    """Return what the papers claim."""
    return statements.description(f"claims/{name}")


def claim_blocks(name: str) -> list[str]:
    """Return the blocks that a claim is about, sorted; they are the parameters of its SQL."""
    return statements.parameters(f"claims/{name}")


def claim_differences(results: ResultsFolder, name: str, sweeps: Mapping[str, str]) -> dict[str, list[float]]:
    """Return the differences of a claim's pairs by part; all are above 0 where the claim is right.

    `sweeps` gives the sweep that each of `claim_blocks` is read from.
    """
    found: dict[str, list[float]] = defaultdict(list)
    for row in rows(results, f"claims/{name}", dict(sweeps)):
        found[row["part"]].append(row["difference"])
    return dict(found)
