"""A sweep: the YAML file and the trials it names."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from noisebench.sweep.block import Block, read_block
from noisebench.sweep.nodes import Problems, read_text
from noisebench.sweep.overrides import apply_overrides, read_overrides
from noisebench.sweep.reference import is_reference
from noisebench.sweep.sweep_file import read_sweep_file
from noisebench.sweep.trial import Trial


@dataclass(frozen=True)
class Sweep:
    """A parsed sweep; `text` is its YAML: as written, or complete where files are included or fields set.

    With `keep_evidence`, the evidence of its trainings stays in the results folder.
    """

    name: str
    description: str
    blocks: tuple[Block, ...]
    text: str
    keep_evidence: bool = False

    def trials(self) -> Iterator[Trial]:
        """Yield each distinct trial once, in the order of the file."""
        seen: set[str] = set()
        for block in self.blocks:
            for trial in block.trials:
                if trial.trial_id not in seen:
                    seen.add(trial.trial_id)
                    yield trial

    def references(self) -> list[str]:
        """Return the functions of users' modules that the trials name, each once."""
        names: dict[str, None] = {}
        for trial in self.trials():
            parts = (part.name for part in (trial.dataset, trial.loss, trial.detector))
            names |= dict.fromkeys(name for name in parts if is_reference(name))
            if trial.training.model_source is not None:
                names[trial.training.model] = None
        return list(names)


def load_sweep(path: Path, overrides: Sequence[str] = ()) -> Sweep:
    """Parse and expand the sweep at `path`; `overrides` are as for `parse_sweep`.

    Raises InputError with every problem of the file, and of those it includes, one line each:
    `file:line path: what was seen, what is right, the nearest valid name`.
    """
    return parse_sweep(read_text(path), str(path), overrides)


def parse_sweep(text: str, file: str, overrides: Sequence[str] = ()) -> Sweep:
    """Parse a sweep's YAML text; `file` names it in messages, files it includes are in the same folder.

    `overrides` are fields to replace, each as PATH=VALUE with a value in YAML: `seeds=3` in every block,
    `training.precision=fast`, `blocks.table1.seeds=3` in one block, `sweep=copy`. The text of the sweep
    contains them.
    """
    problems = Problems(file)
    spec = read_sweep_file(text, problems)
    replacements = read_overrides(overrides, problems)
    spec = apply_overrides(spec, replacements, problems)
    blocks = [read_block(entry.node, entry.name, entry.problems) for entry in spec.entries]
    problems.raise_if_any()
    as_written = not replacements and all(entry.problems is problems for entry in spec.entries)
    whole = text if as_written else spec.as_text()
    return Sweep(
        spec.name, spec.description, tuple(block for block in blocks if block), whole, spec.keep_evidence
    )
