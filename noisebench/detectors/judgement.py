"""The output of a detector, for scoring."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from noisebench.science.detection import Detection


@dataclass(frozen=True)
class Judgement:
    """A detection; None: the trial has no detector.

    `knows_rate`: the flag rule was told the rate of wrong labels.
    `samples` has further columns [N] of the scores file, `extra` further columns of `results`. Of
    `separated` float64 [N], if there are any, the distance between right and wrong labels is measured; NaN is
    left out.
    """

    detection: Detection | None
    samples: dict[str, npt.NDArray[Any]] = field(default_factory=dict)
    extra: dict[str, Any] = field(default_factory=dict)
    separated: npt.NDArray[np.float64] | None = None
    knows_rate: bool = False
