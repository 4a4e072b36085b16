"""The `aum` package with the interface of `aum.MarginAccumulator`."""

import torch
from torch import Tensor

_SPARE_SAMPLE = -1


class PackageMarginAccumulator:
    """Margins by sample, summed by `aum.AUMCalculator`; slow: several host transfers a sample."""

    def __init__(self, samples: int, device: torch.device | str) -> None:
        from aum import AUMCalculator

        self._samples = samples
        self._device = device
        # The folder is only used by finalize(), which is never called here.
        self._calculator = AUMCalculator(save_dir="", compressed=True)

    def update(self, logits: Tensor, targets: Tensor, indices: Tensor) -> None:
        """Adds the margins of a batch; logits [B, K], targets [B], sample indices [B]."""
        logits, identifiers = logits.detach(), indices.tolist()
        if len(identifiers) == 1:
            # The package squeezes a batch of one to no dimension at all, then fails to iterate over it.
            logits, targets = logits.expand(2, -1), targets.expand(2)
            identifiers.append(_SPARE_SAMPLE)
        self._calculator.update(logits, targets, identifiers)

    def mean(self) -> Tensor:
        """The AUM, float64 [samples]: the mean margin over the updates, low = wrong; NaN where never seen."""
        means = torch.full((self._samples,), torch.nan, dtype=torch.float64)
        for sample, total in self._calculator.sums.items():
            if sample != _SPARE_SAMPLE:
                means[sample] = total / self._calculator.counts[sample]
        return means.to(self._device)
