"""A sweep: the YAML file and the trials it names."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from noisebench.sweep.block import Block, read_block
from noisebench.sweep.nodes import Problems, read_text
from noisebench.sweep.sweep_file import read_sweep_file
from noisebench.sweep.trial import Trial


@dataclass(frozen=True)
class Sweep:
    """A parsed sweep; `text` is its YAML: as the user wrote it, or whole where that includes other files."""

    name: str
    description: str
    blocks: tuple[Block, ...]
    text: str

    def trials(self) -> Iterator[Trial]:
        """Yield each distinct trial once, in the order of the file."""
        seen: set[str] = set()
        for block in self.blocks:
            for trial in block.trials:
                if trial.trial_id not in seen:
                    seen.add(trial.trial_id)
                    yield trial


def load_sweep(path: Path) -> Sweep:
    """Parse and expand the sweep at `path`.

    Raises InputError with every problem of the file, and of those it includes, one line each:
    `file:line path: what was seen, what is right, the nearest valid name`.
    """
    return parse_sweep(read_text(path), str(path))


def parse_sweep(text: str, file: str) -> Sweep:
    """Parse a sweep's YAML text; `file` names it in messages, what it includes lies beside that."""
    problems = Problems(file)
    found = read_sweep_file(text, problems)
    blocks = [read_block(entry.node, entry.name, entry.problems) for entry in found.entries]
    problems.raise_if_any()
    alone = all(entry.problems is problems for entry in found.entries)
    whole = text if alone else found.as_text()
    return Sweep(found.name, found.description, tuple(block for block in blocks if block), whole)
