"""The reference in another order of summation keeps that order in the training loop."""

import torch

from benchmarks.equality import OTHER_ORDER, REFERENCE, variants
from noisebench.training.streams import reproducible_kernels

GPU = torch.device("cuda")


def test_on_a_gpu_the_other_order_is_that_of_torchs_own_convolutions() -> None:
    found = variants(GPU, None)
    with found[OTHER_ORDER].arithmetic(), reproducible_kernels(GPU):
        assert not torch.backends.cudnn.enabled
    with found[REFERENCE].arithmetic(), reproducible_kernels(GPU):
        assert torch.backends.cudnn.enabled
    assert all("graph" in str(variant.words) for variant in found.values() if variant.words)
