"""Components of a trial from YAML: a list of values gives one component for each."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence, Sized
from dataclasses import dataclass, field
from typing import Any

from noisebench.catalogue.component import Component
from noisebench.catalogue.parameters import REQUIRED, Parameter
from noisebench.errors import InputError
from noisebench.sweep import reference
from noisebench.sweep.nodes import REPORTED, Node, Problems
from noisebench.sweep.schema import Field, read_values, show, unknown

# A component with the node it was read from.
Placed = tuple[Component, Node]

MAX_TRIALS = 1_000_000


@dataclass(frozen=True)
class Vocabulary:
    """The names that are valid in one place of a sweep, each with its parameters.

    `key` is the field that holds the name. `references` allows a user's function, which has the parameters
    `common`; if there are `reads`, its parameter of that name lists which of them are its arguments, and
    those of `always` are given, too. A
    mapping with a field of `shorthands` instead of `key` has that name, and the field's value is that of its
    first parameter: {folder: PATH}.
    """

    noun: str
    entries: Mapping[str, Mapping[str, Parameter]]
    key: str = "name"
    common: Mapping[str, Parameter] = field(default_factory=dict)
    references: bool = False
    reads: frozenset[str] = frozenset()
    always: tuple[str, ...] = ()
    shorthands: Mapping[str, Mapping[str, Parameter]] = field(default_factory=dict)


def union(vocabulary: Vocabulary, default: Any = REQUIRED) -> Field:
    """A name, a mapping or a list of either, read as a list of components with their nodes."""

    def read(node: Node, problems: Problems) -> list[Placed]:
        return read_union(node, vocabulary, problems)

    example = next(iter(vocabulary.entries))
    return Field(f"a {vocabulary.noun} such as {example}, or a list of them", read, default)


def read_union(node: Node, vocabulary: Vocabulary, problems: Problems) -> list[Placed]:
    """Read a name, a mapping or a list of either into components; a repeated one is a problem."""
    if not node.is_list:
        return read_component(node, vocabulary, problems)
    if not node.value:
        problems.add(node, f"is an empty list; name at least one {vocabulary.noun}")
    components: dict[Component, Node] = {}
    for item in node.value:
        for component, where in read_component(item, vocabulary, problems):
            if component in components:
                problems.add(where, f"the {vocabulary.noun} {describe(component)} is listed twice")
            components[component] = where
    return list(components.items())


def read_component(node: Node, vocabulary: Vocabulary, problems: Problems) -> list[Placed]:
    """Read one name or mapping; lists of parameter values give a component for each combination."""
    if node.value is REPORTED:
        return []
    fields: dict[str, Node] = {}
    name_node = node
    if node.is_mapping:
        fields = dict(node.value)
        for word, parameters in vocabulary.shorthands.items():
            if word in fields:
                fields[next(iter(parameters))] = fields.pop(word)
                return _read_named(word, parameters, fields, node, problems)
        if vocabulary.key not in fields:
            problems.add(node, f"has no `{vocabulary.key}:`; write {{{vocabulary.key}: ..., <parameters>}}")
            return []
        name_node = fields.pop(vocabulary.key)
    if name_node.value is REPORTED:
        return []
    if not isinstance(name_node.value, str):
        known = ", ".join(vocabulary.entries)
        problems.add(name_node, f"{show(name_node.plain())} is not a {vocabulary.noun}; known: {known}")
        return []
    name = name_node.value
    if vocabulary.references and reference.is_reference(name):
        return _read_reference(name, name_node, fields, node, vocabulary, problems)
    if name not in vocabulary.entries:
        problems.add(name_node, f"{vocabulary.noun} " + unknown(name, vocabulary.entries))
        return []
    return _read_named(name, vocabulary.entries[name], fields, node, problems)


def _read_named(
    name: str, parameters: Mapping[str, Parameter], fields: dict[str, Node], node: Node, problems: Problems
) -> list[Placed]:
    for key, value_node in fields.items():
        if key not in parameters:
            problems.add(value_node, f"parameter {unknown(key, parameters, of=name)}")
    axes = []
    for key, parameter in parameters.items():
        if key in fields:
            axes.append([(key, value) for value in read_values(fields[key], parameter, problems)])
        elif parameter.default is REQUIRED:
            problems.add(node, f"{name} needs `{key}`, {parameter.describe()}")
        else:
            axes.append([(key, parameter.default)])
    implied = {key: one.implied for key, one in parameters.items() if one.implied is not None}
    return _products(name, axes, node, problems, implied)


def _read_reference(
    name: str,
    name_node: Node,
    entries: dict[str, Node],
    node: Node,
    vocabulary: Vocabulary,
    problems: Problems,
) -> list[Placed]:
    """Read a user's function; its parameters can have any name."""
    try:
        source = reference.source_hash(name)
        wanted = reference.arguments(name)
    except InputError as error:
        problems.add(name_node, str(error))
        return []
    reads = tuple(each for each in wanted if each in vocabulary.reads)
    if vocabulary.reads and (lacking := _lacking(wanted, vocabulary, entries)):
        problems.add(name_node, _not_given(name, lacking, vocabulary))
        return []
    axes: list[list[tuple[str, Any]]] = [[("source", source)]]
    if vocabulary.reads:
        axes.append([("reads", reads)])
    for key, parameter in vocabulary.common.items():
        if key not in entries:
            axes.append([(key, parameter.default)])
    for key, value_node in entries.items():
        if key in vocabulary.common:
            axes.append([(key, value) for value in read_values(value_node, vocabulary.common[key], problems)])
            continue
        items = value_node.value if value_node.is_list else [value_node]
        if not items or any(item.is_list or item.is_mapping for item in items):
            problems.add(value_node, "must be a number, text, true or false, or a non-empty list of these")
            continue
        axes.append([(key, item.value) for item in items if item.value is not REPORTED])
    return _products(name, axes, node, problems)


def _lacking(wanted: Mapping[str, bool], vocabulary: Vocabulary, entries: Mapping[str, Node]) -> str:
    """Return the first required argument of a user's function that it would not get, "" if there is none."""
    given = {*vocabulary.reads, *vocabulary.always, *vocabulary.common, *entries}
    return next((name for name, required in wanted.items() if required and name not in given), "")


def _not_given(function: str, argument: str, vocabulary: Vocabulary) -> str:
    arrays = ", ".join([*vocabulary.always, *sorted(vocabulary.reads)])
    return (
        f"{function} has the argument {argument}, which is no array that a function may read; these are "
        f"{arrays}. Give a parameter its value in the sweep, {{name: {function}, {argument}: VALUE}}, or a "
        "default in the code"
    )


def _products(
    name: str,
    axes: Sequence[Sequence[tuple[str, Any]]],
    node: Node,
    problems: Problems,
    implied: Mapping[str, Any] | None = None,
) -> list[Placed]:
    """Return a component for each combination; it has no parameter whose value is `implied`."""
    if exceeds_limit(axes, node, problems):
        return []
    left_out = set((implied or {}).items())
    combinations = (dict(set(each) - left_out) for each in itertools.product(*axes))
    return [(Component.of(name, **parameters), node) for parameters in combinations]


def exceeds_limit(axes: Iterable[Sized], node: Node, problems: Problems) -> bool:
    """Whether there are more than MAX_TRIALS combinations of these lists, which is then a problem."""
    count = math.prod(len(axis) for axis in axes)
    if count > MAX_TRIALS:
        problems.add(node, f"makes {count:,} combinations; the maximum is {MAX_TRIALS:,}")
    return count > MAX_TRIALS


def describe(component: Component) -> str:
    """Return a component as text: name(parameter=value, ...)."""
    inside = ", ".join(f"{key}={value}" for key, value in component.parameters if value is not None)
    return f"{component.name}({inside})" if inside else component.name
