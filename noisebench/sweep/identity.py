"""Content ids of trials, and named seeds derived from their fields.

All functions take the fields of a trial, from `Trial.as_fields()` or from a record, so that an old record
keeps its ids.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from noisebench.catalogue.component import Component
from noisebench.catalogue.detectors import descriptor_of
from noisebench.catalogue.losses import LOSSES

# Raise this when the same trial gives other numbers; the golden-result test checks it.
SCIENCE_VERSION = 1

# The one parameter of a loss that the papers vary and choose by its result.
SWEPT_PARAMETER = {name: loss.swept for name, loss in LOSSES.items() if loss.swept}

# The fields that each source of randomness depends on. The loss is not among them: all losses at one
# (data, corruption, seed) get the same wrong labels, folds, first weights and batches, so comparisons are
# paired. Folds do not depend on the corruption either.
_SEED_FIELDS = {
    "corruption": ("dataset", "corruption", "seed"),
    "folds": ("dataset", "seed"),
    "thresholds": ("dataset", "seed"),
    "init": ("dataset", "seed"),
    "batches": ("dataset", "seed"),
    "dropout": ("dataset", "seed"),
    "augmentation": ("dataset", "seed"),
    "passes": ("dataset", "seed"),
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
    """Return the id shared by configurations that differ only in the loss's swept parameter."""
    loss = fields["loss"]
    return trial_id({**_without(fields, "seed"), "loss": _without(loss, SWEPT_PARAMETER.get(loss["name"]))})


def setting_id(fields: Mapping[str, Any]) -> str:
    """Return the id shared by configurations that differ only in the loss: one row of a table."""
    return trial_id(_without(_without(fields, "seed"), "loss"))


def evidence_id(fields: Mapping[str, Any]) -> str:
    """Return the id shared by trials that judge the same training.

    It is the hash of all fields, but of the detector only of its plan: with `aum`, of the runs and not of the
    percentile.
    """
    detector = fields["detector"]
    plan = descriptor_of(Component.from_fields(detector)).training
    parameters = {name: detector[name] for name in plan.parameters}
    return trial_id({**_without(fields, "detector"), "plan": {"name": plan.name, **parameters}})


def seed_for(fields: Mapping[str, Any], purpose: str, *parts: int) -> int:
    """Return the seed, in [0, 2**63), of one named source of randomness in a trial.

    `purpose` is one of corruption, folds, thresholds, init, batches, dropout, augmentation, passes; `parts`
    distinguish its uses (fold, epoch). The seed depends on no loop order and no global state.
    """
    relevant = {name: fields[name] for name in _SEED_FIELDS[purpose]}
    text = canonical_json({"purpose": purpose, "parts": parts, **relevant})
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def _without(fields: Mapping[str, Any], name: str | None) -> dict[str, Any]:
    return {key: value for key, value in fields.items() if key != name}
