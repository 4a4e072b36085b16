"""What a label-error detector says about a data set."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Detection:
    """`flagged` bool [N]: held to be wrong labels; `suspicion` float64 [N]: higher = more likely wrong."""

    flagged: NDArray[np.bool_]
    suspicion: NDArray[np.float64]
