"""A named part of a trial with its parameters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

Value = str | int | float | bool | None | tuple[Any, ...]


@dataclass(frozen=True)
class Component:
    """A named part of a trial with every parameter written out, defaults included."""

    name: str
    parameters: tuple[tuple[str, Value], ...] = ()

    @classmethod
    def of(cls, name: str, **parameters: Value) -> Component:
        """Return a component with sorted parameters, so that equal ones compare equal."""
        return cls(name, tuple(sorted(parameters.items())))

    def __getitem__(self, parameter: str) -> Any:
        return dict(self.parameters)[parameter]

    def get(self, parameter: str, default: Any = None) -> Any:
        """Return the parameter's value, or `default` if there is none of that name."""
        return dict(self.parameters).get(parameter, default)

    def without(self, *names: str) -> dict[str, Any]:
        """Return the parameters as a dict, leaving out `names`."""
        return {name: value for name, value in self.parameters if name not in names}

    def as_fields(self) -> dict[str, Any]:
        """Return the flat mapping that records contain: name and parameters."""
        return {"name": self.name, **dict(self.parameters)}

    @classmethod
    def from_fields(cls, mapping: dict[str, Any]) -> Component:
        """Read back what `as_fields` wrote, also from JSON."""
        parameters = {key: _frozen(value) for key, value in mapping.items() if key != "name"}
        return cls.of(mapping["name"], **parameters)


def _frozen(value: Any) -> Any:
    return tuple(_frozen(item) for item in value) if isinstance(value, list) else value
