"""Which sweep a block is read from."""

from dataclasses import dataclass

from noisebench.errors import InputError
from noisebench.store.blocks import blocks
from noisebench.trial.layout import ResultsFolder


@dataclass(frozen=True)
class Feed:
    """A results folder with the sweep that each block is read from."""

    results: ResultsFolder
    sweeps: dict[str, str]

    def sweep(self, block: str) -> str | None:
        """Return the sweep that feeds `block`, None where no sweep has a block of that name."""
        return self.sweeps.get(block)


def feed(results: ResultsFolder, sweep: str | None = None) -> Feed:
    """Choose for each block the sweep in which most of its trials are completed, or `sweep` for all.

    Of equally full sweeps the first by name. Raises InputError where no sweep is called `sweep`.
    """
    found = blocks(results)
    if sweep is not None:
        found = [row for row in found if row["sweep"] == sweep]
        if not found:
            known = ", ".join(sorted({row["sweep"] for row in blocks(results)})) or "none yet"
            raise InputError(f"{results.root}: no sweep '{sweep}' here; known: {known}")
    sweeps: dict[str, str] = {}
    for row in found:
        sweeps.setdefault(row["block"], row["sweep"])
    return Feed(results, sweeps)
