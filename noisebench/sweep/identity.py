"""Content ids of trials, with the seeds that are derived from them by name.

All functions take the fields of a trial (`Trial.as_fields()`, or the same mapping read back from a
record), so that an old record keeps the ids it was written with.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from noisebench.catalogue.losses import LOSSES

# Raise this whenever the same trial would give other numbers; the golden-result test watches it.
SCIENCE_VERSION = 1

# The one parameter of a loss that the papers vary and choose by its result.
SWEPT_PARAMETER = {name: loss.swept for name, loss in LOSSES.items() if loss.swept}

# What each source of randomness depends on. Losses enter none of them: all losses at one
# (data, corruption, seed) see the same wrong labels, folds, first weights and batches, so that
# comparisons are paired. Folds do not see the corruption either.
_SEED_FIELDS = {
    "corruption": ("dataset", "corruption", "seed"),
    "folds": ("dataset", "seed"),
    "thresholds": ("dataset", "seed"),
    "init": ("dataset", "seed"),
    "batches": ("dataset", "seed"),
    "dropout": ("dataset", "seed"),
    "augmentation": ("dataset", "seed"),
}


def canonical_json(fields: Mapping[str, Any]) -> str:
    """Return the one JSON text of `fields`: sorted keys, no spaces, no NaN."""
    return json.dumps(fields, sort_keys=True, separators=(",", ":"), allow_nan=False)


def trial_id(fields: Mapping[str, Any]) -> str:
    """Return the id of a trial: 16 hex digits of the sha256 of its canonical JSON."""
    return hashlib.sha256(canonical_json(fields).encode()).hexdigest()[:16]


def config_id(fields: Mapping[str, Any]) -> str:
    """Return the id of a trial's configuration: the same for all seeds."""
    return trial_id(_without(fields, "seed"))


def family_id(fields: Mapping[str, Any]) -> str:
    """Return the id shared by configurations that differ in the loss's swept parameter alone."""
    loss = fields["loss"]
    return trial_id({**_without(fields, "seed"), "loss": _without(loss, SWEPT_PARAMETER.get(loss["name"]))})


def setting_id(fields: Mapping[str, Any]) -> str:
    """Return the id shared by configurations that differ in the loss alone: one row of a table."""
    return trial_id(_without(_without(fields, "seed"), "loss"))


def seed_for(fields: Mapping[str, Any], purpose: str, *parts: int) -> int:
    """Return the seed, in [0, 2**63), of one named source of randomness in a trial.

    `purpose` is one of corruption, folds, thresholds, init, batches, dropout, augmentation; `parts`
    tell its uses apart (run or fold, epoch). Nothing else enters: no loop order, no global state.
    """
    relevant = {name: fields[name] for name in _SEED_FIELDS[purpose]}
    text = canonical_json({"purpose": purpose, "parts": parts, **relevant})
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def _without(fields: Mapping[str, Any], name: str | None) -> dict[str, Any]:
    return {key: value for key, value in fields.items() if key != name}
