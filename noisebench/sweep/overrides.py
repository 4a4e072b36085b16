"""`--set PATH=VALUE`: fields of a sweep replaced before its grids are multiplied out."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from noisebench.sweep.nodes import REPORTED, Node, Problems, read_nodes
from noisebench.sweep.schema import scalar, show, unknown
from noisebench.sweep.sweep_file import DESCRIPTION, KEEP_EVIDENCE, SWEEP_NAME, BlockEntry, SweepFile

# Fields of the sweep as they are written, with the attribute of `SweepFile` and how they are read.
_OF_THE_SWEEP = {
    "sweep": ("name", SWEEP_NAME),
    "description": ("description", DESCRIPTION),
    "keep_evidence": ("keep_evidence", KEEP_EVIDENCE),
}
_FORM = re.compile(r"([A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*)=(.*)", re.DOTALL)


@dataclass(frozen=True)
class Override:
    """One `PATH=VALUE`: `path` is split at its dots, `value` is read as YAML."""

    path: tuple[str, ...]
    value: Node

    @property
    def dotted(self) -> str:
        """The path as the user wrote it."""
        return ".".join(self.path)


def read_overrides(texts: Sequence[str], problems: Problems) -> list[Override]:
    """Read the arguments of `--set`; errors are added to `problems`."""
    overrides: list[Override] = []
    for text in texts:
        source = f"--set {text}"
        form = _FORM.fullmatch(text)
        if form is None or not form[2].strip():
            where = Node(None, "", 0, source)
            problems.add(where, "must be PATH=VALUE, such as seeds=3 or training.precision=fast")
            continue
        value = read_nodes(form[2], problems, "the value is empty", source)
        override = Override(tuple(form[1].split(".")), value)
        if any(override.path == other.path for other in overrides):
            problems.add(value, f"sets `{override.dotted}` a second time")
        overrides.append(override)
    return overrides


def apply_overrides(file: SweepFile, overrides: Iterable[Override], problems: Problems) -> SweepFile:
    """Return a sweep with fields replaced; errors are added to `problems`.

    `blocks.NAME.FIELD` is a field of one block, `sweep`, `description` and `keep_evidence` are those of the
    sweep, any other path is a field of every block. Each step of a path but the last is a mapping.
    """
    for override in overrides:
        if override.path[0] in _OF_THE_SWEEP:
            file = _set_on_sweep(file, override, problems)
        elif override.path[0] == "blocks":
            file = _set_on_one_block(file, override, problems)
        else:
            entries = [_set_on_block(entry, override.path, override, problems) for entry in file.entries]
            file = replace(file, entries=tuple(entries))
    return file


def _set_on_sweep(file: SweepFile, override: Override, problems: Problems) -> SweepFile:
    key, *rest = override.path
    if rest:
        problems.add(override.value, f"`{key}` is one value, which has no field `{rest[0]}`")
        return file
    attribute, parameter = _OF_THE_SWEEP[key]
    value: Any = scalar(parameter).read(override.value, problems)
    return file if value is None else replace(file, **{attribute: value})


def _set_on_one_block(file: SweepFile, override: Override, problems: Problems) -> SweepFile:
    names = [entry.name for entry in file.entries]
    rest = override.path[1:]
    # The name of a block may have dots in it.
    lengths = [length for length in range(1, len(rest)) if ".".join(rest[:length]) in names]
    if not lengths:
        example = f"such as blocks.{next(iter(names), 'NAME')}.seeds=3"
        if not rest:
            problems.add(override.value, f"block needs a name and a field, {example}")
        elif ".".join(rest) in names:
            problems.add(override.value, f"block '{'.'.join(rest)}' needs a field, {example}")
        else:
            problems.add(override.value, f"block {unknown(rest[0], names)}")
        return file
    name, path = ".".join(rest[: lengths[-1]]), rest[lengths[-1] :]
    entries = [
        _set_on_block(entry, path, override, problems) if entry.name == name else entry
        for entry in file.entries
    ]
    return replace(file, entries=tuple(entries))


def _set_on_block(
    entry: BlockEntry, path: tuple[str, ...], override: Override, problems: Problems
) -> BlockEntry:
    if not entry.node.is_mapping:
        return entry
    return replace(entry, node=_with(entry.node, path, override, problems))


def _with(node: Node, path: tuple[str, ...], override: Override, problems: Problems) -> Node:
    """Return `node` with the value of `override` at `path` below it."""
    if not path:
        return override.value
    if node.value is REPORTED:
        return node
    if not node.is_mapping:
        problems.add(
            override.value,
            f"`{node.path or override.dotted}` is {show(node.plain())}, which has no field `{path[0]}`; "
            "set all of it, such as dataset={name: MNIST, samples: 3000}",
        )
        return node
    below = node.value.get(path[0])
    if below is None or below.value is None:
        below = Node({}, "", 0, override.value.source)
    return replace(node, value={**node.value, path[0]: _with(below, path[1:], override, problems)})
