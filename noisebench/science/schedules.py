"""Learning-rate schedules: the factor of the learning rate in each epoch, counted from 0."""


def constant(epoch: int) -> float:
    """The same rate in every epoch."""
    del epoch
    return 1.0


def step(epoch: int, every: int, factor: float) -> float:
    """The rate times `factor` after each `every` epochs."""
    return factor ** (epoch // every)
