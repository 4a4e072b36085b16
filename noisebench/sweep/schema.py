"""The schema of a YAML mapping: which fields it has, how each is read, what an error says.

Sweeps and site profiles are both read with it.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from noisebench.catalogue.parameters import REQUIRED, Parameter
from noisebench.sweep.nodes import REPORTED, Node, Problems

# Longer values are shortened in messages.
MAX_SHOWN_CHARACTERS = 80

Reader = Callable[[Node, Problems], Any]


@dataclass(frozen=True)
class Field:
    """One field: `right` describes a correct value, `default` replaces an absent or empty one."""

    right: str
    read: Reader
    default: Any = REQUIRED


Fields = Mapping[str, Field | Parameter]


def read_fields(
    node: Node, fields: Fields, problems: Problems, noun: str = "field", *, empty_is_absent: bool = True
) -> dict[str, Any]:
    """Return the value of every field of a mapping, defaults included; errors are added to `problems`.

    `noun` is the word for a field in these messages. `empty_is_absent`: a key without a value gets the
    default; otherwise it is an error.
    """
    refuse_unknown(node, fields, problems, noun)
    values, present = defaults(fields), {}
    for key, parameter in fields.items():
        field, entry = scalar(parameter), node.value.get(key)
        if entry is not None and entry.value is not None:
            present[key] = (field, entry)
        elif field.default is REQUIRED or not (entry is None or empty_is_absent):
            values[key] = None
            _report_missing(node, key, field, problems)
    return values | {key: field.read(entry, problems) for key, (field, entry) in present.items()}


def refuse_unknown(node: Node, fields: Iterable[str], problems: Problems, noun: str = "field") -> None:
    """Add an error for every key of a mapping that is no field."""
    for key, value in node.value.items():
        if key not in fields:
            problems.add(value, f"{noun} {unknown(key, fields)}")


def _report_missing(node: Node, key: str, field: Field, problems: Problems) -> None:
    if key in node.value:
        problems.add(node.value[key], f"is empty, but must be {field.right}")
    else:
        problems.add(node, f"has no `{key}:`, {field.right}")


def defaults(fields: Fields) -> dict[str, Any]:
    """Return the default of every field, by name."""
    return {key: scalar(field).default for key, field in fields.items()}


def scalar(parameter: Parameter | Field) -> Field:
    """One number, text or flag; a `Field` is returned as it is."""
    if isinstance(parameter, Field):
        return parameter

    def read(node: Node, problems: Problems) -> Any:
        if node.is_list:
            problems.add(node, f"is a list, but must be {parameter.describe()}")
            return None
        return next(iter(read_value(node, parameter, problems)), None)

    return Field(parameter.describe(), read, parameter.default)


def section(value: Callable[..., Any], fields: Fields, default: Any = REQUIRED) -> Field:
    """A mapping of fields; `value` is called with them by name."""
    right = f"a mapping of {', '.join(fields)}"

    def read(node: Node, problems: Problems) -> Any:
        if is_mapping(node, right, problems):
            return value(**read_fields(node, fields, problems))
        return None

    return Field(right, read, default)


def several(parameter: Parameter | Field) -> Field:
    """A list of values of one kind, read as a tuple; a single value is a list of one."""
    item = scalar(parameter)

    def read(node: Node, problems: Problems) -> tuple[Any, ...]:
        items = node.value if node.is_list else [node]
        return tuple(item.read(each, problems) for each in items)

    return Field(f"a list, each {item.right}", read, ())


def named(parameter: Parameter, known: Iterable[str], noun: str) -> Field:
    """A mapping from some of the known names to values of one kind."""
    item = scalar(parameter)
    names = tuple(known)
    right = f"a mapping from a {noun} to {item.right}"

    def read(node: Node, problems: Problems) -> dict[str, Any]:
        if not is_mapping(node, right, problems):
            return {}
        for name, value in node.value.items():
            if name not in names:
                problems.add(value, f"{noun} {unknown(name, names)}")
        return {name: item.read(value, problems) for name, value in node.value.items()}

    return Field(right, read, {})


def alternatives(parameter: Parameter) -> Field:
    """A value or a list of values, one trial for each; read as a list."""
    right = parameter.describe()

    def read(node: Node, problems: Problems) -> list[Any]:
        return read_values(node, parameter, problems)

    return Field(right, read, parameter.default if parameter.default is REQUIRED else [parameter.default])


def read_values(node: Node, parameter: Parameter, problems: Problems) -> list[Any]:
    """Return the values of one parameter: those of a list without repetitions, or the single one."""
    if parameter.kind == "matrix" or not node.is_list:
        return read_value(node, parameter, problems)
    if not node.value:
        problems.add(node, f"is an empty list, so the grid has no trial; give {parameter.describe()}")
    values: dict[Any, None] = {}
    for item in node.value:
        for value in read_value(item, parameter, problems):
            if value in values:
                problems.add(item, f"{show(value)} is listed twice")
            values[value] = None
    return list(values)


def read_value(node: Node, parameter: Parameter, problems: Problems) -> list[Any]:
    """Return the value of a parameter in a list of one; an empty list where it is wrong."""
    if node.value is REPORTED:
        return []
    try:
        return [parameter.read(node.plain())]
    except ValueError as error:
        hint = nearest(str(node.value), parameter.choices)
        problems.add(node, f"is {show(node.plain())}, but must be {error}{hint}")
        return []


def is_mapping(node: Node, right: str, problems: Problems) -> bool:
    """Whether the node is a mapping; where it is not, `problems` says that it must be `right`."""
    if not node.is_mapping and node.value is not REPORTED:
        problems.add(node, f"is {show(node.plain())}, but must be {right}")
    return node.is_mapping


def unknown(name: str, known: Iterable[str], of: str = "") -> str:
    """Return an error about an unknown name: the known names and the nearest of them."""
    known = tuple(known)
    owner = f" of {of}" if of else ""
    return f"{show(name)}{owner} is unknown; known: {', '.join(known)}{nearest(name, known)}"


def nearest(name: str, known: Iterable[str]) -> str:
    """Return ". Did you mean X?" for the nearest known name, or nothing where none is near."""
    if len(name) > MAX_SHOWN_CHARACTERS:
        return ""
    by_folded = {candidate.casefold(): candidate for candidate in known}
    close = difflib.get_close_matches(name.casefold(), by_folded, n=1, cutoff=0.5)
    return f". Did you mean {by_folded[close[0]]}?" if close else ""


def show(value: Any) -> str:
    """Return a value as the user wrote it."""
    if value is None:
        return "empty"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict | list):
        return "a mapping" if isinstance(value, dict) else "a list"
    text = str(value) if len(str(value)) <= MAX_SHOWN_CHARACTERS else f"{str(value)[:77]}..."
    return f"'{text}'" if isinstance(value, str) else text
