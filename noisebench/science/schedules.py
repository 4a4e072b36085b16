"""Learning-rate schedules: the factor of the learning rate in each epoch, counted from 0."""


def constant(epoch: int) -> float:
    """The same rate in every epoch."""
    del epoch
    return 1.0


def cyclic(epoch: int, period: int, low: float, start: int) -> float:
    """From epoch `start` on, falls from near 1 to `low` in `period` epochs, again and again; 1 before.

    1 - s + s low with s = ((epoch - start) mod period + 1) / period: O2U-Net (Huang et al., ICCV 2019), which
    starts at .01 and goes down to .001 in 10 epochs, after a training at a constant rate.
    """
    if epoch < start:
        return 1.0
    s = ((epoch - start) % period + 1) / period
    return 1 - s + s * low


def step(epoch: int, every: int, factor: float) -> float:
    """The rate times `factor` after each `every` epochs."""
    return factor ** (epoch // every)
