"""A trial: all fields that change its result, and no others."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

from noisebench.catalogue.component import Component
from noisebench.sweep import identity

_LATER_FIELDS = ("model_source", "weights", "weights_content")


@dataclass(frozen=True)
class Training:
    """How a model is trained. `epochs` counts passes over the data, `batch_size` samples.

    `model_source` is the hash of the module of a user's model, None for other models. `weights` is the path
    of a user's file of weights, `weights_content` the hash of the file; None for other first weights.
    """

    model: str
    pretrained: bool
    optimizer: str
    learning_rate: float
    momentum: float
    weight_decay: float
    schedule: Component
    epochs: int
    batch_size: int
    augmentation: str
    input_scale: str
    precision: str
    model_source: str | None = None
    weights: str | None = None
    weights_content: str | None = None

    def as_fields(self) -> dict[str, Any]:
        """Return the mapping that records contain."""
        mapping = {field.name: getattr(self, field.name) for field in fields(self)}
        # Trials that are older than these fields keep their ids.
        absent = [name for name in _LATER_FIELDS if mapping[name] is None]
        for name in absent:
            del mapping[name]
        return {**mapping, "schedule": self.schedule.as_fields()}

    @classmethod
    def from_fields(cls, mapping: dict[str, Any]) -> Training:
        """Read back what `as_fields` wrote."""
        return cls(**{**mapping, "schedule": Component.from_fields(mapping["schedule"])})


@dataclass(frozen=True)
class Trial:
    """One configuration with a seed.

    Host, device and sweep are not fields: the result does not depend on them, and sweeps that contain the
    same trial share its result.
    """

    dataset: Component
    corruption: Component
    loss: Component
    detector: Component
    training: Training
    dynamics: bool
    seed: int

    def as_fields(self) -> dict[str, Any]:
        """Return the fields for JSON, with the science version."""
        return {
            "science": identity.SCIENCE_VERSION,
            "dataset": self.dataset.as_fields(),
            "corruption": self.corruption.as_fields(),
            "loss": self.loss.as_fields(),
            "detector": self.detector.as_fields(),
            "training": self.training.as_fields(),
            "dynamics": self.dynamics,
            "seed": self.seed,
        }

    @classmethod
    def from_fields(cls, mapping: dict[str, Any]) -> Trial:
        """Read back what `as_fields` wrote (the science version is not part of the value)."""
        return cls(
            dataset=Component.from_fields(mapping["dataset"]),
            corruption=Component.from_fields(mapping["corruption"]),
            loss=Component.from_fields(mapping["loss"]),
            detector=Component.from_fields(mapping["detector"]),
            training=Training.from_fields(mapping["training"]),
            dynamics=mapping["dynamics"],
            seed=mapping["seed"],
        )

    @cached_property
    def trial_id(self) -> str:
        """16 hex digits: the hash of all fields."""
        return identity.trial_id(self.as_fields())

    @cached_property
    def evidence_id(self) -> str:
        """16 hex digits: the hash of all that changes the training; trials that share it train once."""
        return identity.evidence_id(self.as_fields())

    def seed_for(self, purpose: str, *parts: int) -> int:
        """Return the seed of one named source of randomness; see `identity.seed_for`."""
        return identity.seed_for(self.as_fields(), purpose, *parts)
