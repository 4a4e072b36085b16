"""Flag rules: from the suspicion of N samples to the samples held to be wrong.

Suspicion is higher for labels that are more likely wrong; NaN marks a sample that is not judged: it is never
flagged and never counts. Each rule says in `KNOWS_RATE` whether it is told the noise rate: results of rules
that are told it must not be compared with results of rules that are not.
"""

import warnings
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from noisebench.errors import InputError

KNOWS_RATE: Mapping[str, bool] = {
    "native": False,
    "share": True,
    "mixture": False,
    "estimated": False,
    "posterior": False,
}
"""native: the detector's own rule; share: `share`; mixture: `mixture`; estimated: `top` with a count from
confident learning (`rankings.estimated_errors`); posterior: labels that are wrong with a
probability of at least `label_posterior.LEAST`."""


def top(suspicion: NDArray[np.floating], count: int) -> NDArray[np.bool_]:
    """Return the `count` most suspect of the judged samples, bool [N]; of equal ones those that come first.

    A count above the number of judged samples flags them all.
    """
    if suspicion.ndim != 1 or count < 0:
        raise InputError(
            f"flag rule: suspicion {list(suspicion.shape)} must be [N] and count {count} at least 0"
        )
    judged = np.flatnonzero(~np.isnan(suspicion))
    order = np.argsort(-suspicion[judged], kind="stable")
    flagged = np.zeros(len(suspicion), dtype=np.bool_)
    flagged[judged[order[:count]]] = True
    return flagged


def share(suspicion: NDArray[np.floating], share: float) -> NDArray[np.bool_]:
    """Return the round(share * judged) most suspect samples, bool [N]; share in (0, 1).

    The rule of methods that know the noise rate: Co-teaching (Han et al., NeurIPS 2018), O2U-Net (Huang et
    al., ICCV 2019), Late Stopping (Yuan et al., ICCV 2023).
    """
    if not 0 < share < 1:
        raise InputError(f"flag rule share: share {share} is outside (0, 1)")
    return top(suspicion, round(share * int((~np.isnan(suspicion)).sum())))


def mixture(suspicion: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Return the samples of the upper of two Gaussians that are fitted to the suspicion, bool [N].

    The suspicion is scaled to [0, 1]. A sample is flagged if the upper component explains it better and if it
    lies above the mean of the lower one; nothing is flagged where all are equal (after Li et al., DivideMix,
    ICLR 2020, tau = 0.5, but fitted until it converges).
    """
    flagged = np.zeros(len(suspicion), dtype=np.bool_)
    judged = ~np.isnan(suspicion)
    scaled = scaled_to_unit(suspicion[judged])
    if scaled is not None:
        lower, upper = two_gaussians(scaled, iterations=100, tolerance=1e-3)
        # A wide upper component also covers values far below a narrow lower one.
        flagged[judged] = (upper > 0.5) & (scaled > lower)
    return flagged


def scaled_to_unit(values: NDArray[np.floating]) -> NDArray[np.float64] | None:
    """Return the values [n] scaled to [0, 1]; None if fewer than two differ."""
    if not np.isfinite(values).all():
        raise InputError("flag rule: infinite values cannot be fitted by Gaussians")
    spread = np.ptp(values) if len(values) > 1 else 0
    return None if spread == 0 else np.asarray((values - values.min()) / spread, dtype=np.float64)


def two_gaussians(
    values: NDArray[np.float64], iterations: int, tolerance: float
) -> tuple[float, NDArray[np.float64]]:
    """FitGroup two Gaussians to values [n] in [0, 1].

    Returns the mean of the lower one and the probability of the upper one for each value, [n].
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.mixture import GaussianMixture

    # The lower bound of the variances, as in DivideMix: a component must not shrink to one sample.
    fit = GaussianMixture(n_components=2, reg_covar=5e-4, max_iter=iterations, tol=tolerance, random_state=0)
    with warnings.catch_warnings():
        # DivideMix stops after 10 iterations on purpose; two distinct values cannot fill two clusters apart.
        warnings.simplefilter("ignore", ConvergenceWarning)
        fit.fit(values[:, np.newaxis])
    means = fit.means_[:, 0]
    return float(means.min()), np.asarray(fit.predict_proba(values[:, np.newaxis])[:, means.argmax()])
