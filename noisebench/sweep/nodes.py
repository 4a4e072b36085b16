"""YAML as a tree that knows its lines, with YAML's traps refused."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from noisebench.errors import InputError


@dataclass(frozen=True)
class Node:
    """A value in a YAML file: a scalar, a dict of nodes or a list of nodes, with where it stands."""

    value: Any
    path: str
    line: int

    @property
    def is_mapping(self) -> bool:
        """Whether the value is a dict of nodes."""
        return isinstance(self.value, dict)

    @property
    def is_list(self) -> bool:
        """Whether the value is a list of nodes."""
        return isinstance(self.value, list)

    def plain(self) -> Any:
        """Return the value as ordinary Python dicts, lists, scalars."""
        if self.is_mapping:
            return {key: node.plain() for key, node in self.value.items()}
        if self.is_list:
            return [node.plain() for node in self.value]
        return self.value


# Stands for a value whose problem is already reported: checks pass over it in silence.
REPORTED = object()


@dataclass
class Problems:
    """All that is wrong with a file and with those it includes, collected to be reported in one go."""

    file: str
    found: list[tuple[str, int, str]] = field(default_factory=list)

    def of(self, file: str) -> Problems:
        """Return the place for the problems of another file, reported together with these."""
        return Problems(file, self.found)

    def add(self, node: Node, message: str) -> None:
        """Note one problem at a node, once."""
        where = f"{node.path}: " if node.path else ""
        entry = (self.file, node.line, f"{self.file}:{node.line} {where}{message}")
        if entry not in self.found:
            self.found.append(entry)

    def raise_if_any(self) -> None:
        """Raise one InputError with every problem, file by file in the order of the lines."""
        if self.found:
            ordered = sorted(self.found, key=lambda entry: entry[:2])
            raise InputError("\n".join(text for _, _, text in ordered))


def read_nodes(text: str, problems: Problems, needs: str) -> Node:
    """Parse YAML text; what a YAML 1.1 reader would quietly turn into something else is a problem.

    `needs` tells, in the message about an empty file, what has to stand in it.

    Raises InputError at once where the text is no YAML at all.
    """
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise InputError(f"{problems.file}:{line} this is not YAML: {error.problem}") from None
    except yaml.YAMLError as error:
        raise InputError(f"{problems.file}:1 this is not YAML: {error}") from None
    if root is None:
        raise InputError(f"{problems.file}:1 the file is empty; {needs}")
    return _convert(root, "", problems)


def read_text(path: Path) -> str:
    """Return a YAML file's text; raise InputError where it cannot be read as text."""
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise InputError(f"{path}: is not a text file in UTF-8") from None


def _convert(node: yaml.Node, path: str, problems: Problems) -> Node:
    line = node.start_mark.line + 1
    if isinstance(node, yaml.MappingNode):
        return _convert_mapping(node, path, line, problems)
    if isinstance(node, yaml.SequenceNode):
        items = [_convert(item, f"{path}[{index}]", problems) for index, item in enumerate(node.value)]
        return Node(items, path, line)
    assert isinstance(node, yaml.ScalarNode)
    here = Node(node.value, path, line)
    trap = _trap(node)
    if trap:
        problems.add(here, trap)
        return Node(REPORTED, path, line)
    return Node(_scalar(node), path, line)


def _convert_mapping(node: yaml.MappingNode, path: str, line: int, problems: Problems) -> Node:
    entries: dict[str, Node] = {}
    for key_node, value_node in node.value:
        key_line = key_node.start_mark.line + 1
        key = key_node.value if isinstance(key_node, yaml.ScalarNode) else "?"
        key_path = f"{path}.{key}" if path else str(key)
        here = Node(key, key_path, key_line)
        if not isinstance(key_node, yaml.ScalarNode) or key_node.tag != "tag:yaml.org,2002:str":
            problems.add(here, f"the key {key!r} is not read as text by YAML; write it in quotes")
        elif key in entries:
            problems.add(here, f"the key '{key}' stands twice; YAML would keep the last one only")
            continue
        converted = _convert(value_node, key_path, problems)
        entries[str(key)] = Node(converted.value, key_path, key_line)
    return Node(entries, path, line)


_PLAIN_INT = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_PLAIN_FLOAT = re.compile(r"[-+]?(\d+\.\d*|\.\d+)([eE][-+]\d+)?")
NUMBER_AS_TEXT = re.compile(r"[-+]?(\d+(\.\d*)?|\.\d+)[eE][-+]?\d+")


def _trap(node: yaml.ScalarNode) -> str | None:
    """Return what is wrong with a scalar that YAML 1.1 reads otherwise than it looks, or None."""
    text, kind = node.value, node.tag.rsplit(":", 1)[-1]
    if node.style in ("'", '"', "|", ">") or kind == "null":
        return None
    quoted = f"or '{text}' in quotes for text"
    if kind == "bool" and text.lower() not in ("true", "false"):
        return f"`{text}` is read as {_truth(text)} by YAML; write {_truth(text).lower()}, {quoted}"
    read = (
        f"`{text}` is read as the number {yaml.safe_load(text)} by YAML" if kind in ("int", "float") else ""
    )
    if kind == "int" and not _PLAIN_INT.fullmatch(text):
        return f"{read}; write that number, {quoted}"
    if kind == "float" and not _PLAIN_FLOAT.fullmatch(text):
        return f"{read}; write a plain finite number, {quoted}"
    if kind == "str" and NUMBER_AS_TEXT.fullmatch(text):
        return f"`{text}` is read as text by YAML; write {_spelled_out(text)}"
    if kind not in ("bool", "int", "float", "str"):
        return f"`{text}` is read as a {kind} by YAML; write '{text}' in quotes for text"
    return None


def _truth(text: str) -> str:
    return "True" if text.lower() in ("yes", "on", "y") else "False"


def _spelled_out(text: str) -> str:
    mantissa, exponent = re.split("[eE]", text)
    mantissa = mantissa if "." in mantissa else mantissa + ".0"
    sign = exponent if exponent[0] in "+-" else "+" + exponent
    return f"{mantissa}e{sign}"


def _scalar(node: yaml.ScalarNode) -> Any:
    kind = node.tag.rsplit(":", 1)[-1]
    if kind == "null":
        return None
    if kind == "bool":
        return node.value.lower() == "true"
    if kind == "int":
        return int(node.value)
    if kind == "float":
        return float(node.value)
    return node.value
