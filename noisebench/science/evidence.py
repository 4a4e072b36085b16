"""Evidence: what a training leaves for detectors, as arrays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

IN_PASSING, AFTER_EPOCH = "in-passing", "after-epoch"
# The axis along which an array may be longer than a detector asks for.
_SIZED_AXIS = {"passes": 0, "neighbour_labels": 1, "neighbour_distances": 1}


@dataclass(frozen=True)
class Traces:
    """Values of every sample in every epoch, arrays [N, E]; None: not observed.

    `losses` float32: cross entropy of the given label, whatever the trial's loss. `margins` float32: its
    logit minus the largest other one. `predicted` int16: the most probable class. `squared_errors` float32:
    ||p - y||^2. `squared_norms` float32: ||h||^2 of the last layer's input.
    """

    losses: NDArray[np.float32] | None = None
    margins: NDArray[np.float32] | None = None
    predicted: NDArray[np.int16] | None = None
    squared_errors: NDArray[np.float32] | None = None
    squared_norms: NDArray[np.float32] | None = None


@dataclass(frozen=True)
class Evidence:
    """The arrays that detectors judge by; those that were not observed are None.

    `labels` int64 [N] are the given labels of `classes` classes, `predicted` int64 [N] the most probable
    classes, `test_accuracies` float64 [M] of each model, [0] without a test part. Out of fold:
    `probabilities` float32 [N, K], `passes` float32 [T, N, K] with dropout, and of the k nearest training
    samples of each sample's fold, nearest first, `neighbour_labels` int64 [N, k], the given ones, and
    `neighbour_distances` float32 [N, k], cosine in the last layer's input. `in_passing` traces are taken at
    each sample's training step (in training mode), `after_epoch` traces between epochs (in evaluation mode,
    all samples on the same weights). `margins_of_runs` float64 [R, N] are the AUMs of runs,
    `threshold_samples` bool [R, N] the threshold samples of each run. Of two networks that train each other,
    `bounds` float64 [N] are the lower bounds of the losses after the last epoch, `forget_rate` float64 [1] is
    the share that they left out. Of rounds of Late Stopping, `kept_rounds` int64 [N] is the number of rounds
    after which a sample was still there, `round_losses` float64 [N] its mean loss in its last round.
    """

    labels: NDArray[np.int64]
    classes: int
    predicted: NDArray[np.int64]
    test_accuracies: NDArray[np.float64]
    probabilities: NDArray[np.float32] | None = None
    passes: NDArray[np.float32] | None = None
    neighbour_labels: NDArray[np.int64] | None = None
    neighbour_distances: NDArray[np.float32] | None = None
    in_passing: Traces | None = None
    after_epoch: Traces | None = None
    margins_of_runs: NDArray[np.float64] | None = None
    threshold_samples: NDArray[np.bool_] | None = None
    bounds: NDArray[np.float64] | None = None
    forget_rate: NDArray[np.float64] | None = None
    kept_rounds: NDArray[np.int64] | None = None
    round_losses: NDArray[np.float64] | None = None

    def sized(self, name: str, size: int) -> NDArray[Any]:
        """Return an array by the name that `arrays` gives it, cut to `size` where it has sizes.

        Raises KeyError if it was not observed.
        """
        array = self.arrays()[name]
        axis = _SIZED_AXIS.get(name)
        return array if axis is None else np.ascontiguousarray(array.take(range(size), axis))

    def lacks(self, needs: Mapping[str, int]) -> list[str]:
        """Return the names of `needs` (array name to size) that are missing or too small."""
        arrays = self.arrays()
        return [
            name
            for name, size in needs.items()
            if name not in arrays or (name in _SIZED_AXIS and arrays[name].shape[_SIZED_AXIS[name]] < size)
        ]

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return the observed arrays by name; those of traces are named `in-passing.losses`."""
        arrays: dict[str, NDArray[Any]] = {"classes": np.array(self.classes)}
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, Traces):
                kind = field.name.replace("_", "-")
                traces = {f"{kind}.{each.name}": getattr(value, each.name) for each in fields(value)}
                arrays |= {name: array for name, array in traces.items() if array is not None}
            elif isinstance(value, np.ndarray):
                arrays[field.name] = value
        return arrays

    @classmethod
    def of(cls, arrays: Mapping[str, NDArray[Any]]) -> Evidence:
        """Return the evidence of `arrays`; raise KeyError or TypeError for other arrays."""
        plain: dict[str, Any] = {name: array for name, array in arrays.items() if "." not in name}
        kinds: dict[str, dict[str, NDArray[Any]]] = {}
        for name, array in arrays.items():
            if "." in name:
                kind, trace = name.split(".")
                kinds.setdefault(kind.replace("-", "_"), {})[trace] = array
        traces: dict[str, Any] = {kind: Traces(**of_kind) for kind, of_kind in kinds.items()}
        plain["classes"] = int(arrays["classes"])
        return cls(**plain, **traces)
