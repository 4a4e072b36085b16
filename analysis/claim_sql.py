"""The papers' claims as paired differences, each by its SQL."""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from analysis.recipes import recipe_differences
from analysis.statements import SQL
from noisebench.store.store import Store

# Parameters of the SQL of a claim about single settings, which may also be read from another block.
_OTHER_PLACE = {"block", "settings"}
_SETTINGS = """
SELECT setting_id, any_value(config) AS config
FROM configs
JOIN trial_seeds USING (config_id)
JOIN sweep_trials USING (trial_id)
WHERE sweep = $sweep AND block = $block AND corruption = 'uniform' AND detector = 'confident-learning'
    AND dataset IN ('MNIST', 'Fashion-MNIST', 'CIFAR-10', 'CIFAR-100')
GROUP BY setting_id
ORDER BY setting_id
"""


def claim_names() -> list[str]:
    """Return the names of the claims, sorted."""
    return SQL.names("claims")


def claim_text(name: str) -> str:
    """Return what the papers claim."""
    return SQL.description(f"claims/{name}")


def claim_blocks(name: str) -> list[str]:
    """Return the blocks that a claim is about, sorted: the parameters of its SQL, with - for _."""
    parameters = set(SQL.parameters(f"claims/{name}")) - _OTHER_PLACE
    return sorted(parameter.replace("_", "-") for parameter in parameters)


def is_about_single_settings(name: str) -> bool:
    """Whether a claim can be tested in one setting without the others, in whatever block it was measured."""
    return set(SQL.parameters(f"claims/{name}")) >= _OTHER_PLACE


def claim_differences(
    store: Store, name: str, sweeps: Mapping[str, str], settings: Sequence[str] | None = None, block: str = ""
) -> dict[tuple[str, str], list[float]]:
    """Return the differences of a claim's pairs by (part, setting); all are above 0 where the claim is right.

    A setting is what the claim is tested in, as a data set with a rate; its pairs are of different seeds.
    `sweeps` gives the sweep that each of `claim_blocks` is read from. A claim about single settings can be
    read from another `block` of that sweep, and there only from `settings` (column `setting_id`).
    """
    differences: dict[tuple[str, str], list[float]] = defaultdict(list)
    parameters: dict[str, Any] = {name.replace("-", "_"): sweep for name, sweep in sweeps.items()}
    if is_about_single_settings(name):
        (papers_block,) = claim_blocks(name)
        parameters |= {"block": block or papers_block, "settings": settings}
    for row in store.rows_of(SQL.text(f"claims/{name}"), parameters):
        differences[row["part"], row["setting"]].append(float(row["difference"]))
    return dict(differences)


def settings_by_recipe(store: Store, sweep: str, block: str) -> list[str]:
    """Return the settings of a block that are measured as Tables 1 and 2 are, by their data sets' recipes.

    Uniform corruption, confident learning, all images; see `recipe_differences`.
    """
    rows = store.rows_of(_SETTINGS, {"sweep": sweep, "block": block})
    return [row["setting_id"] for row in rows if not recipe_differences(json.loads(row["config"]))]
