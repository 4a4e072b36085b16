"""A sweep file before its grids are expanded: name, description, blocks, included blocks."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from noisebench.catalogue.parameters import REQUIRED, flag, text
from noisebench.errors import InputError
from noisebench.sweep.nodes import NUMBER_AS_TEXT, REPORTED, Node, Problems, read_nodes, read_text
from noisebench.sweep.schema import Field, Fields, read_fields, show, unknown

NAME = r"[A-Za-z0-9][A-Za-z0-9._-]*"
SWEEP_NAME = text(
    REQUIRED, pattern=NAME, right="a name of letters, digits, '.', '_' and '-', such as paper-table1"
)
DESCRIPTION = text("", pattern="(?s).*")
KEEP_EVIDENCE = flag(False)
_INCLUDE = "a list of sweep files beside this one, such as [paper-table1.yaml]"
_BLOCKS = "a mapping of named grids, such as {table1: {dataset: ..., loss: ...}}"


@dataclass(frozen=True)
class BlockEntry:
    """A block as written in a file; `problems` are those of that file."""

    name: str
    node: Node
    problems: Problems


@dataclass(frozen=True)
class SweepFile:
    """A sweep before its grids are expanded; `entries` contains the included blocks."""

    name: str
    description: str
    entries: tuple[BlockEntry, ...]
    keep_evidence: bool = False

    def as_text(self) -> str:
        """Return YAML of the same sweep that includes no file; only for a sweep without problems."""
        blocks = {entry.name: entry.node.plain() for entry in self.entries}
        whole: dict[str, Any] = {"sweep": self.name, "description": self.description}
        whole |= {"keep_evidence": True} if self.keep_evidence else {}
        whole["blocks"] = blocks
        return yaml.dump(whole, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110)


def read_sweep_file(content: str, problems: Problems, including: tuple[Path, ...] = ()) -> SweepFile:
    """Read a sweep's YAML text; `including` are the files, outermost first, that led to this one.

    Errors are added to `problems`. Raises InputError if the text, or that of an included file, is not a
    mapping in YAML.
    """
    root = read_nodes(content, problems, "the file is empty; it needs `sweep:` and `blocks:`")
    if not root.is_mapping:
        shown = show(root.plain())
        raise InputError(
            f"{problems.file}:{root.line} a sweep is a mapping with `sweep:` and `blocks:`, not {shown}"
        )
    fields = _fields((*including, Path(problems.file).resolve()))
    values = read_fields(root, fields, problems, "key", empty_is_absent=False)
    if not {"include", "blocks"} & root.value.keys():
        problems.add(root, "has no `blocks:`, the named grids of the sweep")
    included: tuple[BlockEntry, ...] = values["include"] or ()
    blocks: list[BlockEntry] = values["blocks"] or []
    for entry in blocks:
        _refuse_second(entry, entry.node, problems, included)
    keep = bool(values["keep_evidence"])
    return SweepFile(values["sweep"] or "", values["description"] or "", (*included, *blocks), keep)


def _fields(including: tuple[Path, ...]) -> Fields:
    return {
        "sweep": SWEEP_NAME,
        "description": DESCRIPTION,
        "keep_evidence": KEEP_EVIDENCE,
        "include": Field(_INCLUDE, partial(_read_includes, including=including), ()),
        "blocks": Field(_BLOCKS, _read_blocks, ()),
    }


def _read_includes(node: Node, problems: Problems, including: tuple[Path, ...]) -> tuple[BlockEntry, ...]:
    """Read the blocks of the files named under `include:`, in their order."""
    if node.value is REPORTED:
        return ()
    if not node.is_list or not node.value:
        problems.add(node, f"must be {_INCLUDE}")
        return ()
    entries: list[BlockEntry] = []
    for item in node.value:
        path = _included_path(item, problems, including)
        if path is None:
            continue
        file = read_sweep_file(read_text(path), problems.of(str(path)), including)
        for entry in file.entries:
            _refuse_second(entry, item, problems, entries)
        entries.extend(file.entries)
    return tuple(entries)


def _included_path(item: Node, problems: Problems, including: tuple[Path, ...]) -> Path | None:
    """Return the path of an included file; None if the item is not one, which is then a problem."""
    if item.value is REPORTED:
        return None
    # No folders: a sweep and the files it includes can be moved together.
    if not isinstance(item.value, str) or Path(item.value).name != item.value:
        problems.add(
            item, f"is {show(item.plain())}, but must be the name of a sweep file in the folder of this one"
        )
        return None
    path = Path(problems.file).parent / item.value
    if not _is_file(path):
        beside = sorted(other.name for other in path.parent.glob("*.yaml"))
        problems.add(item, f"sweep file {unknown(item.value, beside)}")
        return None
    if path.resolve() in including:
        chain = " includes ".join(file.name for file in (*including, path))
        problems.add(item, f"includes itself: {chain}")
        return None
    return path


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a name that no file can have, such as one that is too long
        return False


def _read_blocks(node: Node, problems: Problems) -> list[BlockEntry]:
    if not node.is_mapping or not node.value:
        if node.value is not REPORTED:
            problems.add(node, f"must be {_BLOCKS}")
        return []
    entries = [BlockEntry(name, block, problems) for name, block in node.value.items()]
    for entry in entries:
        if not re.fullmatch(NAME, entry.name):
            problems.add(
                entry.node, f"'{entry.name}' is not a block name; use letters, digits, '.', '_' and '-'"
            )
    return entries


def _refuse_second(
    entry: BlockEntry, where: Node, problems: Problems, earlier: list[BlockEntry] | tuple[BlockEntry, ...]
) -> None:
    for other in earlier:
        if other.name == entry.name:
            problems.add(where, f"block '{entry.name}' is already defined in {other.problems.file}")


class _Dumper(yaml.SafeDumper):
    """A YAML dumper that quotes text which looks like a number, so that `read_nodes` reads it back."""


_Dumper.add_implicit_resolver("tag:yaml.org,2002:float", NUMBER_AS_TEXT, list("-+.0123456789"))
