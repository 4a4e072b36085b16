"""Everything noisebench raises on purpose; only the command line prints these and exits."""

from typing import ClassVar


class NoisebenchError(Exception):
    """A failure with a message for the user: where, what was seen, what is right, the fix."""

    exit_code: ClassVar[int] = 1


class InputError(NoisebenchError):
    """What the user wrote is wrong: a sweep, an option, a name, SQL."""

    exit_code = 2


class EnvironmentFault(NoisebenchError):
    """The environment is wrong: a missing file, package, permission or service."""

    exit_code = 3


class DataError(EnvironmentFault):
    """A data set or weight file is missing, damaged or not what its name says."""


class DivergedError(NoisebenchError):
    """The loss is no longer finite; carries the epoch, counted from 0."""

    def __init__(self, epoch: int) -> None:
        super().__init__(f"the training loss is no longer finite in epoch {epoch}")
        self.epoch = epoch
