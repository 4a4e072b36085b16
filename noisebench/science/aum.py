"""Area under the margin (Pleiss et al., NeurIPS 2020)."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from noisebench.errors import InputError
from noisebench.science.detection import Detection
from noisebench.science.log_probability import full_precision

_BATCHES_AT_A_TIME = 64


class MarginAccumulator:
    """Sums of margins by sample; `sums` float64 [samples] and `counts` int64 [samples] are its whole state.

    Batches are added many at a time, because one batch costs less than the dozen tensor operations on it. Do
    not change a batch after passing it.
    """

    def __init__(self, samples: int, device: torch.device | str) -> None:
        self._sums = torch.zeros(samples, dtype=torch.float64, device=device)
        self._counts = torch.zeros(samples, dtype=torch.int64, device=device)
        self._pending: list[tuple[Tensor, Tensor, Tensor]] = []

    def update(self, logits: Tensor, targets: Tensor, indices: Tensor) -> None:
        """Adds a batch's margins z_y - max_{k != y} z_k; logits [B, K], targets [B], sample indices [B]."""
        self._pending.append((logits.detach(), targets, indices))
        if len(self._pending) >= _BATCHES_AT_A_TIME:
            self._add_pending()

    @property
    def sums(self) -> Tensor:
        """Sums of margins, float64 [samples]."""
        self._add_pending()
        return self._sums

    @property
    def counts(self) -> Tensor:
        """Numbers of margins added, int64 [samples]."""
        self._add_pending()
        return self._counts

    def mean(self) -> Tensor:
        """The AUM, float64 [samples]: the mean margin over the updates, low = wrong; NaN without updates."""
        return self.sums / self.counts

    def _add_pending(self) -> None:
        if not self._pending:
            return
        logits, targets, indices = (torch.cat(parts) for parts in zip(*self._pending, strict=True))
        self._pending.clear()
        z, column = full_precision(logits), targets.unsqueeze(1)
        margins = z.gather(1, column).squeeze(1) - z.scatter(1, column, -torch.inf).amax(dim=1)
        self._sums.index_add_(0, indices, margins.double())
        self._counts.index_add_(0, indices, torch.ones_like(indices))


def threshold_count(samples: int, classes: int, rule: str) -> int:
    """Threshold samples in a run: N // K by `rule` "code" (the authors' code), N // (K + 1) by "paper"."""
    match rule:
        case "code":
            return samples // classes
        case "paper":
            return samples // (classes + 1)
    raise InputError(f"aum: threshold rule {rule!r} is unknown; known: code, paper")


def threshold_sets(
    samples: int, classes: int, runs: int, rng: np.random.Generator, rule: str
) -> list[NDArray[np.int64]]:
    """For each run the sorted indices of its threshold samples, drawn at random, disjoint between runs."""
    count = threshold_count(samples, classes, rule)
    if count == 0 or runs * count > samples:
        raise InputError(
            f"aum: {runs} disjoint sets of {count} threshold samples do not fit into {samples} samples "
            f"of {classes} classes"
        )
    drawn = rng.permutation(samples)[: runs * count]
    return [np.sort(part) for part in drawn.reshape(runs, count)]


def flag(
    aums: NDArray[np.float64], threshold_sets: Sequence[NDArray[np.int64]], percentile: float
) -> tuple[Detection, NDArray[np.float64]]:
    """Flags samples from the AUMs [R, N] of R runs; also gives the runs' thresholds [R].

    A run's threshold is the percentile (0 to 100) of its threshold samples' AUMs. A sample is flagged if its
    AUM is below the threshold in every run in which it is not itself a threshold sample; its suspicion is
    minus its mean AUM over those runs. A threshold sample of every run is not judged: no flag, suspicion NaN.
    """
    if aums.ndim != 2 or len(aums) != len(threshold_sets):
        raise InputError(f"aum: AUMs {list(aums.shape)} but {len(threshold_sets)} sets of threshold samples")
    if np.isnan(aums).any():
        unseen = int(np.isnan(aums).any(axis=0).sum())
        raise InputError(f"aum: {unseen} samples have no margin; more epochs than skip_epochs are needed")
    judged = np.ones(aums.shape, dtype=np.bool_)
    for run, members in enumerate(threshold_sets):
        judged[run, members] = False
    thresholds = np.array(
        [np.percentile(row[members], percentile) for row, members in zip(aums, threshold_sets, strict=True)]
    )
    runs = judged.sum(axis=0)
    below = (aums < thresholds[:, np.newaxis]) | ~judged
    total = np.where(judged, aums, 0).sum(axis=0)
    suspicion = np.divide(-total, runs, out=np.full(aums.shape[1], np.nan), where=runs > 0)
    return Detection(below.all(axis=0) & (runs > 0), suspicion), thresholds
