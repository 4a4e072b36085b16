"""YAML as a tree of nodes with line numbers; values that YAML 1.1 misreads are refused."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from noisebench.errors import InputError


@dataclass(frozen=True)
class Node:
    """A value in a YAML file: a scalar, a dict of nodes or a list of nodes, with its location.

    `source` replaces file and line in messages, for a value that is not from the file.
    """

    value: Any
    path: str
    line: int
    source: str = ""

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


# The value of a node whose problem is already reported: further checks ignore it.
REPORTED = object()
MAX_SHOWN = 100


@dataclass
class Problems:
    """The problems of a file and of those it includes, collected to be reported together.

    `counts` has how often each was added.
    """

    file: str
    counts: Counter[tuple[str, int, str]] = field(default_factory=Counter)

    def of(self, file: str) -> Problems:
        """Return the problems of another file; they are reported together with these."""
        return Problems(file, self.counts)

    def add(self, node: Node, message: str) -> None:
        """Add a problem at a node; a repeated message is reported once."""
        where = f"{node.path}: " if node.path else ""
        location = f"{node.source}:" if node.source else f"{self.file}:{node.line}"
        self.counts["" if node.source else self.file, node.line, f"{location} {where}{message}"] += 1

    def count(self) -> int:
        """Return how many problems were added, repeated ones included."""
        return self.counts.total()

    def raise_if_any(self) -> None:
        """Raise one InputError with every problem, file by file in the order of the lines."""
        if self.counts:
            ordered = sorted(self.counts, key=lambda entry: entry[:2])
            lines = [text for _, _, text in ordered[:MAX_SHOWN]]
            not_shown = len(ordered) - len(lines)
            raise InputError("\n".join([*lines, f"and {not_shown} more"] if not_shown else lines))


def read_nodes(text: str, problems: Problems, needs: str, source: str = "") -> Node:
    """Parse YAML text; a value that YAML 1.1 reads otherwise than it looks is added to `problems`.

    `needs` is the message about an empty text. `source` replaces file and line in messages.

    Raises InputError at once where the text is not YAML, or holds more than MAX_NODES values or MAX_DEPTH
    levels, aliases expanded.
    """
    reading = _Reading(problems, source)
    if len(text) > MAX_CHARACTERS:
        raise reading.error(1, f"the text is longer than {MAX_CHARACTERS:,} characters")
    try:
        root = _Loader(text).get_single_node()
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise reading.error(line, f"this is not YAML: {error.problem}") from None
    except (yaml.YAMLError, ValueError) as error:
        raise reading.error(1, f"this is not YAML: {' '.join(str(error).split())}") from None
    if root is None:
        raise reading.error(1, needs)
    return _convert(root, "", reading, 0)


MAX_CHARACTERS = 5_000_000
MAX_NODES = 100_000
MAX_DEPTH = 20
MAX_DIGITS = 40


class _Loader(yaml.SafeLoader):
    """A loader that refuses deep nesting before it recurses into it."""

    _depth = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        self._depth += 1
        if self._depth > MAX_DEPTH + 1:
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            raise yaml.MarkedYAMLError(problem=_TOO_DEEP, problem_mark=mark)
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node


_TOO_DEEP = f"values are nested more than {MAX_DEPTH} levels deep"


@dataclass
class _Reading:
    """The state of reading one text: its problems, its source for messages, the nodes read so far."""

    problems: Problems
    source: str
    nodes: int = 0

    def node(self, value: Any, path: str, line: int) -> Node:
        return Node(value, path, line, self.source)

    def error(self, line: int, message: str) -> InputError:
        location = f"{self.source}:" if self.source else f"{self.problems.file}:{line}"
        return InputError(f"{location} {message}")

    def count(self, line: int, depth: int) -> None:
        """Raise InputError where the text is too large, aliases expanded."""
        self.nodes += 1
        if self.nodes > MAX_NODES:
            raise self.error(line, f"there are more than {MAX_NODES:,} values, aliases expanded")
        if depth > MAX_DEPTH:
            raise self.error(line, _TOO_DEEP)


def read_text(path: Path) -> str:
    """Return a YAML file's text; raise InputError where it cannot be read as text."""
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise InputError(f"{path}: is not a text file in UTF-8") from None


def _convert(node: yaml.Node, path: str, reading: _Reading, depth: int) -> Node:
    line = node.start_mark.line + 1
    reading.count(line, depth)
    tag = _explicit_tag(node)
    if tag:
        reading.problems.add(reading.node(REPORTED, path, line), f"has the tag {tag}; write it without a tag")
        return reading.node(REPORTED, path, line)
    if isinstance(node, yaml.MappingNode):
        return _convert_mapping(node, path, reading, depth)
    if isinstance(node, yaml.SequenceNode):
        items = [_convert(item, f"{path}[{i}]", reading, depth + 1) for i, item in enumerate(node.value)]
        return reading.node(items, path, line)
    assert isinstance(node, yaml.ScalarNode)
    trap = _trap(node)
    if trap:
        reading.problems.add(reading.node(REPORTED, path, line), trap)
        return reading.node(REPORTED, path, line)
    return reading.node(_scalar(node), path, line)


def _convert_mapping(node: yaml.MappingNode, path: str, reading: _Reading, depth: int) -> Node:
    entries: dict[str, Node] = {}
    for key_node, value_node in node.value:
        key_line = key_node.start_mark.line + 1
        key = key_node.value if isinstance(key_node, yaml.ScalarNode) else "?"
        key_path = f"{path}.{key}" if path else str(key)
        here = reading.node(key, key_path, key_line)
        if not isinstance(key_node, yaml.ScalarNode) or key_node.tag != "tag:yaml.org,2002:str":
            reading.problems.add(here, f"the key {key!r} is not read as text by YAML; write it in quotes")
        elif key in entries:
            reading.problems.add(here, f"the key '{key}' is repeated; YAML would keep only the last one")
            continue
        converted = _convert(value_node, key_path, reading, depth + 1)
        entries[str(key)] = reading.node(converted.value, key_path, key_line)
    return reading.node(entries, path, node.start_mark.line + 1)


_RESOLVER = yaml.resolver.Resolver()


def _explicit_tag(node: yaml.Node) -> str | None:
    """Return the tag of a node if it differs from the one that YAML implies, else None."""
    plain = isinstance(node, yaml.ScalarNode) and not node.style
    implied = _RESOLVER.resolve(type(node), node.value, (plain, not plain))  # type: ignore[no-untyped-call]
    return None if node.tag == implied else str(node.tag).replace("tag:yaml.org,2002:", "!!")


_PLAIN_INT = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_PLAIN_FLOAT = re.compile(r"[-+]?(\d+\.\d*|\.\d+)([eE][-+]\d+)?")
NUMBER_AS_TEXT = re.compile(r"[-+]?(\d+(\.\d*)?|\.\d+)[eE][-+]?\d+")


def _trap(node: yaml.ScalarNode) -> str | None:
    """Return the error about a scalar that YAML 1.1 reads otherwise than it looks, or None."""
    text, kind = node.value, node.tag.rsplit(":", 1)[-1]
    if any("\ud800" <= character <= "\udfff" for character in text):
        return "contains an unpaired surrogate, which cannot be written as UTF-8"
    if node.style in ("'", '"', "|", ">") or kind == "null":
        return None
    quoted = f"or '{text}' in quotes for text"
    if kind == "bool" and text.lower() not in ("true", "false"):
        return f"`{text}` is read as {_truth(text)} by YAML; write {_truth(text).lower()}, {quoted}"
    if kind in ("int", "float"):
        return _number_trap(text, kind, quoted)
    if kind == "str" and NUMBER_AS_TEXT.fullmatch(text):
        return f"`{text}` is read as text by YAML; write {_spelled_out(text)}"
    if kind not in ("bool", "str"):
        return f"`{text}` is read as a {kind} by YAML; write '{text}' in quotes for text"
    return None


def _number_trap(text: str, kind: str, quoted: str) -> str | None:
    if len(text) > MAX_DIGITS:
        return f"`{text[:10]}...` is a number of {len(text):,} characters; write at most {MAX_DIGITS}"
    pattern, right = (_PLAIN_INT, "that number") if kind == "int" else (_PLAIN_FLOAT, "a plain finite number")
    if pattern.fullmatch(text):
        return None
    try:
        number = f"the number {yaml.safe_load(text)}"
    except ValueError:
        number, right = "a number", "a plain finite number"
    return f"`{text}` is read as {number} by YAML; write {right}, {quoted}"


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
