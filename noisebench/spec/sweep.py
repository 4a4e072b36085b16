"""A sweep: the YAML file and the trials it names."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from noisebench.errors import InputError
from noisebench.spec.block import Block, read_block
from noisebench.spec.components import show, unknown
from noisebench.spec.nodes import REPORTED, Node, Problems, read_nodes, read_text
from noisebench.spec.trial import Trial

_KEYS = ("sweep", "description", "blocks")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass(frozen=True)
class Sweep:
    """A parsed sweep; `text` is the YAML as the user wrote it."""

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

    Raises InputError with every problem of the file, one line each: `file:line path: what was seen,
    what is right, the nearest valid name`.
    """
    return parse_sweep(read_text(path), str(path))


def parse_sweep(text: str, file: str) -> Sweep:
    """Parse a sweep's YAML text; `file` names it in messages."""
    problems = Problems(file)
    root = read_nodes(text, problems, "a sweep needs `sweep:` and `blocks:`")
    if not root.is_mapping:
        raise InputError(
            f"{file}:{root.line} a sweep is a mapping with `sweep:` and `blocks:`, not {show(root.plain())}"
        )
    for key, node in root.value.items():
        if key not in _KEYS:
            problems.add(node, f"key {unknown(key, _KEYS)}")
    name = _read_name(root, problems)
    description = _read_description(root, problems)
    blocks = _read_blocks(root, problems)
    problems.raise_if_any()
    return Sweep(name, description, tuple(blocks), text)


def _read_name(root: Node, problems: Problems) -> str:
    node = root.value.get("sweep")
    if node is None:
        problems.add(root, "has no `sweep:`, the name of the sweep")
        return ""
    if node.value is not REPORTED and not (isinstance(node.value, str) and _NAME.fullmatch(node.value)):
        shown = show(node.plain())
        problems.add(
            node, f"is {shown}, but must be a name of letters, digits, '.', '_' and '-', such as paper-table1"
        )
    return str(node.value)


def _read_description(root: Node, problems: Problems) -> str:
    node = root.value.get("description")
    if node is None or node.value is REPORTED:
        return ""
    if not isinstance(node.value, str):
        problems.add(node, f"is {show(node.plain())}, but must be text")
    return str(node.value)


def _read_blocks(root: Node, problems: Problems) -> list[Block]:
    node = root.value.get("blocks")
    if node is None:
        problems.add(root, "has no `blocks:`, the named grids of the sweep")
        return []
    if not node.is_mapping or not node.value:
        if node.value is not REPORTED:
            problems.add(
                node, "must be a mapping of named grids, such as {table1: {dataset: ..., loss: ...}}"
            )
        return []
    blocks = []
    for name, block_node in node.value.items():
        if not _NAME.fullmatch(name):
            problems.add(block_node, f"'{name}' is no block name; use letters, digits, '.', '_' and '-'")
        block = read_block(block_node, name, problems)
        if block is not None:
            blocks.append(block)
    return blocks
