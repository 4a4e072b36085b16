"""What a detector's route through a trial hands to the scoring."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from noisebench.science.detection import Detection


@dataclass(frozen=True)
class Judgement:
    """A detection (None: nothing was to be detected) with what led to it.

    `predicted` int64 [N] is each judged sample's most probable class, `samples` further columns [N] for
    the scores file, `test_accuracies` one clean test accuracy for each model (none where there is no test
    part), `extra` further columns of `results`.
    """

    detection: Detection | None
    predicted: npt.NDArray[np.int64]
    samples: dict[str, npt.NDArray[Any]]
    test_accuracies: list[float]
    extra: dict[str, Any] = field(default_factory=dict)
