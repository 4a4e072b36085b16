"""The description of one thing that a sweep can name: parameters, source, implementation."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from noisebench.catalogue.parameters import Parameter

# How a sweep names a function of a user's module, `package.module:function`.
OWN_FUNCTION = r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*"


@dataclass(frozen=True, kw_only=True)
class Descriptor:
    """One thing that a sweep can name.

    `implementation` is `package.module:function`; it is imported when a trial needs it, so that reading a
    sweep imports no torch. `source` names the paper, with the equation where it has a number.
    """

    name: str
    implementation: str
    source: str = ""
    parameters: Mapping[str, Parameter] = field(default_factory=dict)

    def load(self) -> Callable[..., Any]:
        """Import the implementation and return it."""
        return load(self.implementation)


def load(implementation: str) -> Callable[..., Any]:
    """Import `package.module:function` of noisebench and return the function."""
    module, function = implementation.split(":")
    return getattr(importlib.import_module(module), function)  # type: ignore[no-any-return]


AnyDescriptor = TypeVar("AnyDescriptor", bound=Descriptor)


def by_name(*descriptors: AnyDescriptor) -> dict[str, AnyDescriptor]:
    """Return descriptors by their names, in the order given."""
    return {descriptor.name: descriptor for descriptor in descriptors}
