"""What models cost on the devices that were measured."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from noisebench.catalogue.models import Rate
from noisebench.errors import InputError
from noisebench.sweep.cost import SecondsOf, seconds_for
from noisebench.sweep.trial import Training, Trial

FILE = "calibration.json"
# The kind of a GPU in its name, such as v100; SXM4 is its socket. A slice of a GPU has 1g.10gb in its name.
_KIND = re.compile(r"(?!sxm)[a-z]+\d+[a-z]?")
_SLICE = re.compile(r"\d+g\.\d+gb")


@dataclass(frozen=True)
class Measured:
    """One model on one device (a kind of GPU, or one thread of a kind of CPU) at one precision.

    `training` and `evaluation` are images a second at that height, over the `together` trials that share
    the device; `memory_mb` is what one of them takes. `modes` are the execution modes that were measured; of
    `precision: fast` the fastest.
    """

    device: str
    gpu: bool
    model: str
    height: int
    precision: str
    training: float
    evaluation: float
    memory_mb: float
    together: int
    modes: str = ""

    @property
    def what(self) -> tuple[str, str, int, str]:
        """What a newer measurement of the same takes the place of."""
        return (self.device, self.model, self.height, self.precision)


@dataclass(frozen=True)
class Calibration:
    """All that was measured."""

    measured: tuple[Measured, ...] = ()

    @classmethod
    def read(cls, results: Path) -> Calibration:
        """Read the file of a results folder, if there is one. Raises InputError where it is damaged."""
        path = results / FILE
        try:
            return cls(tuple(Measured(**entry) for entry in json.loads(path.read_text(encoding="utf-8"))))
        except FileNotFoundError:
            return cls()
        except (ValueError, TypeError) as error:
            fix = "remove it, `noisebench calibrate` writes a new one"
            raise InputError(f"{path}: damaged ({error}); {fix}") from error

    def with_newer(self, measured: Iterable[Measured]) -> Calibration:
        """Return the same with newer measurements in place of older ones."""
        merged = {entry.what: entry for entry in (*self.measured, *measured)}
        return Calibration(tuple(merged[what] for what in sorted(merged)))

    def as_json(self) -> str:
        """Return the text of the file."""
        return json.dumps([asdict(entry) for entry in self.measured], indent=1) + "\n"

    def modes_of(self, device: str, training: Training, height: int) -> str | None:
        """Return the modes measured for a training on images of `height`; None where none were."""
        wanted = (device, training.model, height, training.precision)
        return next((entry.modes or None for entry in self.measured if entry.what == wanted), None)

    def seconds_by_device(self, trials: Iterable[Trial]) -> dict[str, SecondsOf]:
        """Return what tells the seconds of a trial, for each device on which all of `trials` were measured.

        Trials that share a device are charged their part of the time.
        """
        needed = {(trial.training.model, trial.training.precision) for trial in trials}
        devices = dict.fromkeys(entry.device for entry in self.measured)
        return {
            device: self._seconds_on(device)
            for device in devices
            if needed <= {(entry.model, entry.precision) for entry in self.measured if entry.device == device}
        }

    def of_gpus(self, name: str) -> Calibration:
        """Return what was measured on GPUs of the kind that a cluster calls `name`: v100, nvidia_a100_80gb.

        Nothing of a slice of a GPU (a100_1g.10gb), nor where the name has no kind.
        """
        wanted = set() if _SLICE.search(name.lower()) else _kinds(name)
        return Calibration(
            tuple(entry for entry in self.measured if entry.gpu and wanted & _kinds(entry.device))
        )

    def trials_per_gpu(self, trials: Iterable[Trial]) -> dict[str, int]:
        """Return how many of these trials share a GPU best, by their model.

        It is the least over the precisions at which they train it, and over the GPUs that were measured;
        models that were not measured at all of these precisions are absent.
        """
        precisions: dict[str, set[str]] = {}
        for trial in trials:
            precisions.setdefault(trial.training.model, set()).add(trial.training.precision)
        together: dict[tuple[str, str], int] = {}
        for entry in self.measured:
            if entry.gpu:
                what = (entry.model, entry.precision)
                together[what] = min(entry.together, together.get(what, entry.together))
        return {
            model: min(together[model, precision] for precision in asked)
            for model, asked in precisions.items()
            if all((model, precision) in together for precision in asked)
        }

    def _seconds_on(self, device: str) -> SecondsOf:
        of_device = [entry for entry in self.measured if entry.device == device]

        def seconds(trial: Trial) -> float:
            rates = {
                (entry.model, entry.height): Rate(entry.training, entry.evaluation)
                for entry in of_device
                if entry.precision == trial.training.precision
            }
            return seconds_for(trial, rates)

        return seconds


def _kinds(name: str) -> set[str]:
    """Return the words of a GPU's name that say of which kind it is: {"a100"} of NVIDIA A100-SXM4-80GB."""
    return {word for word in re.split(r"[^a-z0-9]+", name.lower()) if _KIND.fullmatch(word)}
