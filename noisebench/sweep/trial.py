"""The trial as a value: everything that changes its result, nothing else."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

from noisebench.catalogue.component import Component
from noisebench.sweep import identity


@dataclass(frozen=True)
class Training:
    """How a surrogate model is trained; units: epochs, samples a batch, L2 weight decay."""

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

    def as_fields(self) -> dict[str, Any]:
        """Return the mapping that stands in records."""
        mapping = {field.name: getattr(self, field.name) for field in fields(self)}
        return {**mapping, "schedule": self.schedule.as_fields()}

    @classmethod
    def from_fields(cls, mapping: dict[str, Any]) -> Training:
        """Read back what `as_fields` wrote."""
        return cls(**{**mapping, "schedule": Component.from_fields(mapping["schedule"])})


@dataclass(frozen=True)
class Trial:
    """One configuration with a seed.

    Where it runs, on what device and for which sweep are no part of it: a trial's result does not
    depend on them, and two sweeps that contain the same trial share its result.
    """

    dataset: Component
    corruption: Component
    loss: Component
    detector: Component
    training: Training
    dynamics: bool
    seed: int

    def as_fields(self) -> dict[str, Any]:
        """Return the trial as JSON-ready fields, the science version among them."""
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
        """16 hex digits that name this trial by its content."""
        return identity.trial_id(self.as_fields())

    def seed_for(self, purpose: str, *parts: int) -> int:
        """Return the seed of one named source of randomness; see `identity.seed_for`."""
        return identity.seed_for(self.as_fields(), purpose, *parts)
