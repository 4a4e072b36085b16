"""References to a user's own code, `package.module:function`."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from noisebench.errors import InputError

_PATTERN = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")


def is_reference(name: str) -> bool:
    """Whether a name is written as `package.module:function`."""
    return bool(_PATTERN.fullmatch(name))


def source_hash(reference: str) -> str:
    """Return 16 hex digits of the sha256 of the referenced module's source, without importing it.

    The module is looked for in the current folder, then where Python looks. Raises InputError where
    it is not found or has no function of that name.
    """
    module, function = reference.split(":")
    source = _source_file(module).read_bytes()
    if not re.search(
        rf"^(async )?(def|class) {function}\b|^{function}\s*[:=]", source.decode(errors="replace"), re.M
    ):
        raise InputError(f"module '{module}' has no function '{function}'")
    return hashlib.sha256(source).hexdigest()[:16]


def load(reference: str) -> Callable[..., Any]:
    """Import what `package.module:function` names; raise InputError where that fails."""
    module, function = reference.split(":")
    _look_in_current_folder()
    try:
        found = getattr(importlib.import_module(module), function)
    except ImportError as error:
        raise InputError(f"'{reference}' cannot be imported: {error}") from error
    except AttributeError:
        raise InputError(f"module '{module}' has no function '{function}'") from None
    if not callable(found):
        raise InputError(f"'{reference}' is not a function")
    return found  # type: ignore[no-any-return]


def _source_file(module: str) -> Path:
    _look_in_current_folder()
    try:
        found = importlib.util.find_spec(module)
    except (ImportError, ValueError):
        found = None
    if found is None or found.origin is None or not found.origin.endswith(".py"):
        raise InputError(
            f"module '{module}' is not found in the current folder or among the installed packages"
        )
    return Path(found.origin)


def _look_in_current_folder() -> None:
    here = str(Path.cwd())
    if here not in sys.path and "" not in sys.path:
        sys.path.insert(0, here)
