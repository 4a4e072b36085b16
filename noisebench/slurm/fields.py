"""The fields of a site profile read by tables that say what may stand where."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from noisebench.catalogue.parameters import REQUIRED, Parameter
from noisebench.sweep.components import read_values, show, unknown
from noisebench.sweep.nodes import REPORTED, Node, Problems

Reader = Callable[[Node, Problems], Any]


@dataclass(frozen=True)
class Field:
    """One field: what is right, how it is read, what it is where it is absent or empty."""

    right: str
    read: Reader
    default: Any = REQUIRED


Fields = Mapping[str, Field]


def read_fields(node: Node, fields: Fields, problems: Problems) -> dict[str, Any]:
    """Return the value of every field of a mapping, defaults included; what is wrong is in `problems`."""
    given: dict[str, Node] = node.value
    for key, value in given.items():
        if key not in fields:
            problems.add(value, f"field {unknown(key, fields)}")
    return {key: _read_field(node, key, field, problems) for key, field in fields.items()}


def _read_field(node: Node, key: str, field: Field, problems: Problems) -> Any:
    given: Node | None = node.value.get(key)
    if given is not None and given.value is not None:
        return field.read(given, problems)
    if field.default is not REQUIRED:
        return field.default
    if given is not None:
        problems.add(given, f"is empty, but must be {field.right}")
    else:
        problems.add(node, f"has no `{key}:`, {field.right}")
    return None


def defaults(fields: Fields) -> dict[str, Any]:
    """Return the default of every field, by name."""
    return {key: field.default for key, field in fields.items()}


def section(value: Callable[..., Any], fields: Fields, default: Any = REQUIRED) -> Field:
    """A mapping of fields that `value` is built from, by name."""
    right = f"a mapping of {', '.join(fields)}"

    def read(node: Node, problems: Problems) -> Any:
        if node.is_mapping:
            return value(**read_fields(node, fields, problems))
        if node.value is not REPORTED:
            problems.add(node, f"is {show(node.plain())}, but must be {right}")
        return None

    return Field(right, read, default)


def scalar(parameter: Parameter) -> Field:
    """A number, a text or a flag."""

    def read(node: Node, problems: Problems) -> Any:
        if node.is_list:
            problems.add(node, f"is a list, but must be {parameter.describe()}")
            return None
        return next(iter(read_values(node, parameter, problems)), None)

    return Field(parameter.describe(), read, parameter.default)


def text(default: Any = None, *, pattern: str = ".+", right: str = "text") -> Field:
    """Text of one line that matches a pattern; `right` says in words what does."""

    def read(node: Node, problems: Problems) -> str | None:
        if isinstance(node.value, str) and re.fullmatch(pattern, node.value):
            return node.value
        if node.value is not REPORTED:
            problems.add(node, f"is {show(node.plain())}, but must be {right}")
        return None

    return Field(right, read, default)


def several(item: Field) -> Field:
    """A list of values of one kind, a tuple once it is read; a single value stands for a list of one."""

    def read(node: Node, problems: Problems) -> tuple[Any, ...]:
        items = node.value if node.is_list else [node]
        return tuple(item.read(each, problems) for each in items)

    return Field(f"a list, each {item.right}", read, ())


def named(item: Field, known: Iterable[str], noun: str) -> Field:
    """A mapping from some of the known names to values of one kind."""
    names = tuple(known)
    right = f"a mapping from a {noun} to {item.right}"

    def read(node: Node, problems: Problems) -> dict[str, Any]:
        if not node.is_mapping:
            if node.value is not REPORTED:
                problems.add(node, f"is {show(node.plain())}, but must be {right}")
            return {}
        for name, value in node.value.items():
            if name not in names:
                problems.add(value, f"{noun} {unknown(name, names)}")
        return {name: item.read(value, problems) for name, value in node.value.items()}

    return Field(right, read, {})
