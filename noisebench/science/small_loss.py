"""Small-loss ranking: wrong labels are learned late, so their losses stay large."""

import numpy as np
from numpy.typing import NDArray

from noisebench.errors import InputError
from noisebench.science import flag_rules
from noisebench.science.detection import Detection


def find(losses: NDArray[np.floating], share: float | None = None) -> Detection:
    """Flags the samples with the largest losses [N], or mean losses over the epochs of [N, E].

    `share` in (0, 1): exactly round(share * N) samples are flagged (Han et al., Co-teaching, NeurIPS 2018).
    None: those that the upper component of a mixture of two Gaussians, fitted to the losses scaled to [0, 1],
    explains better than the lower (Li et al., DivideMix, ICLR 2020, tau = 0.5). Suspicion is the mean loss.
    """
    if losses.ndim not in (1, 2) or len(losses) < 2 or not np.isfinite(losses).all():
        raise InputError(
            f"small-loss: losses {list(losses.shape)} must be finite and [N] or [N, E], with N of 2 or more"
        )
    mean = losses.reshape(len(losses), -1).mean(axis=1, dtype=np.float64)
    if share is None:
        return Detection(flag_rules.mixture(mean), mean)
    if not 0 < share < 1:
        raise InputError(f"small-loss: share {share} is outside (0, 1)")
    return Detection(flag_rules.share(mean, share), mean)
