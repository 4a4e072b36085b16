"""The choice of the sweep that each block is read from."""

from dataclasses import dataclass

from noisebench.errors import InputError
from noisebench.records.folders import ResultsFolder
from noisebench.store.store import Store, open_store
from noisebench.store.summaries import blocks


@dataclass(frozen=True)
class Feed:
    """A snapshot of a results folder with the sweep that each block is read from.

    `blocks` are all (sweep, block) that it may read, those of other sweeps under the same name too.
    """

    results: ResultsFolder
    store: Store
    sweeps: dict[str, str]
    blocks: tuple[tuple[str, str], ...]

    def sweep(self, block: str) -> str | None:
        """Return the sweep that feeds `block`, None where no sweep has a block of that name."""
        return self.sweeps.get(block)

    def of(self, sweep: str) -> "Feed":
        """Return the feed that reads every block from one sweep."""
        pairs = tuple(pair for pair in self.blocks if pair[0] == sweep)
        return Feed(self.results, self.store, {block: sweep for _, block in pairs}, pairs)


def feed(results: ResultsFolder, sweep: str | None = None) -> Feed:
    """Choose for each block the sweep in which most of its trials are completed, or `sweep` for all.

    Of equally full sweeps the first by name. Raises InputError where no sweep is called `sweep`.
    """
    store = open_store(results)
    every_block = blocks(store)
    if sweep is not None:
        every_block = [row for row in every_block if row.sweep == sweep]
        if not every_block:
            known = ", ".join(sorted({row.sweep for row in blocks(store)})) or "none yet"
            raise InputError(f"{results.root}: no sweep '{sweep}' here; known: {known}")
    sweeps: dict[str, str] = {}
    for row in every_block:
        sweeps.setdefault(row.block, row.sweep)
    return Feed(results, store, sweeps, tuple((row.sweep, row.block) for row in every_block))
