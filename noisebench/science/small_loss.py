"""Small-loss ranking: wrong labels are learned late, so their losses stay large."""

import numpy as np
from numpy.typing import NDArray

from noisebench.errors import InputError
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
        return Detection(_upper_component(mean), mean)
    if not 0 < share < 1:
        raise InputError(f"small-loss: share {share} is outside (0, 1)")
    flagged = np.zeros(len(mean), dtype=np.bool_)
    flagged[np.argsort(-mean, kind="stable")[: round(share * len(mean))]] = True
    return Detection(flagged, mean)


def _upper_component(values: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which values [N] belong to the Gaussian with the higher mean; none if all values are equal."""
    from sklearn.mixture import GaussianMixture

    spread = np.ptp(values)
    if spread == 0:
        return np.zeros(len(values), dtype=np.bool_)
    scaled = ((values - values.min()) / spread)[:, np.newaxis]
    # The lower bound of the variances, as in DivideMix: a component must not shrink to one sample.
    mixture = GaussianMixture(n_components=2, reg_covar=5e-4, max_iter=100, random_state=0).fit(scaled)
    means = mixture.means_[:, 0]
    upper = mixture.predict(scaled) == means.argmax()
    # A wide upper component also covers values far below a narrow lower one.
    return np.asarray(upper & (scaled[:, 0] > means.min()))
