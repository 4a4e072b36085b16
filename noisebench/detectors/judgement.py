"""The output of a detector, for scoring."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from noisebench.science.detection import Detection


@dataclass(frozen=True)
class Judgement:
    """A detection (None: the trial has no detector) with its evidence.

    `predicted` int64 [N] is each judged sample's most probable class; `samples` has further columns [N] of
    the scores file; `test_accuracies` has one clean test accuracy for each model, or is empty without a test
    part; `extra` has further columns of `results`.
    """

    detection: Detection | None
    predicted: npt.NDArray[np.int64]
    samples: dict[str, npt.NDArray[Any]]
    test_accuracies: list[float]
    extra: dict[str, Any] = field(default_factory=dict)
