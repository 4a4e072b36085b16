"""From YAML nodes to the alternatives they stand for: a list means one trial for each value."""

from __future__ import annotations

import difflib
import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from noisebench.catalogue.component import Component
from noisebench.catalogue.parameters import REQUIRED, Parameter
from noisebench.errors import InputError
from noisebench.sweep import reference
from noisebench.sweep.nodes import REPORTED, Node, Problems

Found = tuple[Component, Node]


@dataclass(frozen=True)
class Vocabulary:
    """What may stand in one place of a sweep: names, each with its parameters."""

    noun: str
    entries: Mapping[str, Mapping[str, Parameter]]
    key: str = "name"
    common: Mapping[str, Parameter] = field(default_factory=dict)
    references: bool = False
    # A mapping with one of these keys instead of `key` is a component of that name: {folder: PATH}.
    shorthands: Mapping[str, Mapping[str, Parameter]] = field(default_factory=dict)


def read_union(node: Node, vocabulary: Vocabulary, problems: Problems) -> list[Found]:
    """Read a name, a mapping or a list of either into components, each with the node it came from."""
    if not node.is_list:
        return read_component(node, vocabulary, problems)
    if not node.value:
        problems.add(node, f"is an empty list; name at least one {vocabulary.noun}")
    found: list[Found] = []
    for item in node.value:
        for component, where in read_component(item, vocabulary, problems):
            if any(component == earlier for earlier, _ in found):
                problems.add(where, f"the {vocabulary.noun} {describe(component)} stands twice")
            found.append((component, where))
    return found


def read_component(node: Node, vocabulary: Vocabulary, problems: Problems) -> list[Found]:
    """Read one name or mapping into the components its lists of values stand for."""
    if node.value is REPORTED:
        return []
    given: dict[str, Node] = {}
    name_node = node
    if node.is_mapping:
        given = dict(node.value)
        for word, parameters in vocabulary.shorthands.items():
            if word in given:
                given["path"] = given.pop(word)
                return _read_named(word, parameters, given, node, problems)
        if vocabulary.key not in given:
            problems.add(node, f"has no `{vocabulary.key}:`; write {{{vocabulary.key}: ..., <parameters>}}")
            return []
        name_node = given.pop(vocabulary.key)
    if name_node.value is REPORTED:
        return []
    if not isinstance(name_node.value, str):
        problems.add(
            name_node, f"{show(name_node.value)} is no {vocabulary.noun}; {_known(vocabulary.entries)}"
        )
        return []
    name = name_node.value
    if vocabulary.references and reference.is_reference(name):
        return _read_reference(name, name_node, given, node, vocabulary, problems)
    if name not in vocabulary.entries:
        problems.add(name_node, f"{vocabulary.noun} " + unknown(name, vocabulary.entries))
        return []
    return _read_named(name, {**vocabulary.common, **vocabulary.entries[name]}, given, node, problems)


def _read_named(
    name: str, parameters: Mapping[str, Parameter], given: dict[str, Node], node: Node, problems: Problems
) -> list[Found]:
    for key, value_node in given.items():
        if key not in parameters:
            problems.add(value_node, f"parameter {unknown(key, parameters, of=name)}")
    axes = []
    for key, parameter in parameters.items():
        if key in given:
            axes.append([(key, value) for value in read_values(given[key], parameter, problems)])
        elif parameter.default is REQUIRED:
            problems.add(node, f"{name} needs `{key}`, {parameter.describe()}")
        else:
            axes.append([(key, parameter.default)])
    return _products(name, axes, node)


def read_values(node: Node, parameter: Parameter, problems: Problems) -> list[Any]:
    """Read the value or the list of values given for one parameter."""
    if parameter.kind != "matrix" and node.is_list:
        if not node.value:
            problems.add(node, f"is an empty list, so the grid has no trial; give {parameter.describe()}")
        values: list[Any] = []
        for item in node.value:
            for value in _read_value(item, parameter, problems):
                if value in values:
                    problems.add(item, f"{show(value)} stands twice in the list")
                values.append(value)
        return values
    return _read_value(node, parameter, problems)


def _read_value(node: Node, parameter: Parameter, problems: Problems) -> list[Any]:
    if node.value is REPORTED:
        return []
    try:
        return [parameter.read(node.plain())]
    except ValueError as error:
        hint = nearest(str(node.value), parameter.choices)
        problems.add(node, f"is {show(node.plain())}, but must be {error}{hint}")
        return []


def _read_reference(
    name: str, name_node: Node, given: dict[str, Node], node: Node, vocabulary: Vocabulary, problems: Problems
) -> list[Found]:
    """Read a user's own function, whose parameters are whatever it takes."""
    try:
        source = reference.source_hash(name)
    except InputError as error:
        problems.add(name_node, str(error))
        return []
    axes: list[list[tuple[str, Any]]] = [[("source", source)]]
    for key, parameter in vocabulary.common.items():
        if key not in given:
            axes.append([(key, parameter.default)])
    for key, value_node in given.items():
        if key in vocabulary.common:
            axes.append([(key, value) for value in read_values(value_node, vocabulary.common[key], problems)])
            continue
        items = value_node.value if value_node.is_list else [value_node]
        if not items or any(item.is_list or item.is_mapping for item in items):
            problems.add(value_node, "must be a number, text, true or false, or a non-empty list of these")
            continue
        axes.append([(key, item.value) for item in items if item.value is not REPORTED])
    return _products(name, axes, node)


def _products(name: str, axes: Sequence[Sequence[tuple[str, Any]]], node: Node) -> list[Found]:
    return [(Component.of(name, **dict(combination)), node) for combination in itertools.product(*axes)]


def unknown(name: str, known: Iterable[str], of: str = "") -> str:
    """Say that a name is unknown, what is known, which of it was probably meant."""
    owner = f" of {of}" if of else ""
    return f"'{name}'{owner} is unknown; {_known(known)}{nearest(name, known)}"


def nearest(name: str, known: Iterable[str]) -> str:
    """Return ". Did you mean X?" for the nearest known name, or nothing where none is near."""
    by_folded = {candidate.casefold(): candidate for candidate in known}
    close = difflib.get_close_matches(name.casefold(), by_folded, n=1, cutoff=0.5)
    return f". Did you mean {by_folded[close[0]]}?" if close else ""


def show(value: Any) -> str:
    """Show a value as the user wrote it."""
    if value is None:
        return "empty"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict | list):
        return "a mapping" if isinstance(value, dict) else "a list"
    return f"'{value}'" if isinstance(value, str) else str(value)


def describe(component: Component) -> str:
    """Show a component in one short phrase."""
    inside = ", ".join(f"{key}={value}" for key, value in component.parameters if value is not None)
    return f"{component.name}({inside})" if inside else component.name


def _known(names: Iterable[str]) -> str:
    return "known: " + ", ".join(names)
