"""HTML from Jinja2 templates; every inserted text is escaped."""

from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup


def render(template: Path, **values: Any) -> str:
    """Return the HTML of a template file, which may include, import and call `asset` on its neighbours.

    Raises jinja2.UndefinedError where the template uses a value that is not passed.
    """
    return _environment(template.parent).get_template(template.name).render(values)


@cache
def _environment(folder: Path) -> Environment:
    environment = Environment(
        loader=FileSystemLoader(folder),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.policies["json.dumps_kwargs"] = {"separators": (",", ":"), "allow_nan": False}

    def asset(name: str) -> Markup:
        """Return a style sheet or script of the folder as it is: it holds no value."""
        return Markup((folder / name).read_text(encoding="utf-8"))

    environment.globals["asset"] = asset
    return environment
