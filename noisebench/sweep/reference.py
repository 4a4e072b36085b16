"""References to a user's own code, `package.module:function`.

A sweep is data: reading one never imports what it names. The module's file is found without importing its
packages, its hash is part of the trial's identity, and a trial runs the bytes that have this hash.
"""

from __future__ import annotations

import ast
import hashlib
import importlib
import importlib.util
import re
import sys
import sysconfig
from collections.abc import Callable, Sequence
from functools import lru_cache
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import Any

from noisebench.catalogue.descriptor import OWN_FUNCTION
from noisebench.errors import DataError, InputError

_PATTERN = re.compile(OWN_FUNCTION)


def is_reference(name: str) -> bool:
    """Whether a name is written as `package.module:function`."""
    return bool(_PATTERN.fullmatch(name))


def module_of(reference: str) -> str:
    """Return the module of a reference."""
    return reference.split(":")[0]


def source_hash(reference: str) -> str:
    """Return 16 hex digits of the sha256 of the referenced module's source; nothing is imported.

    The module is looked for in the current folder, then among the installed packages. Raises InputError
    where it is not found, is part of Python itself, or does not define the function.
    """
    module, function = reference.split(":")
    path = _file_of(module)
    content = _read(module, path)
    if function not in _defined_names(module, content):
        raise InputError(f"module '{module}' ({path}) defines no function '{function}'")
    return content_of_file(content)


def arguments(reference: str) -> dict[str, bool]:
    """Return a function's arguments, read from its source, and whether each must be given.

    A class or a variable has none.
    """
    module, function = reference.split(":")
    for statement in _statements(module, _read(module, _file_of(module))):
        if isinstance(statement, ast.FunctionDef) and statement.name == function:
            signature = statement.args
            positional = (*signature.posonlyargs, *signature.args)
            required = len(positional) - len(signature.defaults)
            is_required = {part.arg: place < required for place, part in enumerate(positional)}
            keywords = zip(signature.kwonlyargs, signature.kw_defaults, strict=True)
            return is_required | {part.arg: default is None for part, default in keywords}
    return {}


def load(reference: str, source: str | None = None) -> Callable[..., Any]:
    """Import what a reference names and return it; `source` is the hash that its module has to have.

    Raises InputError where that fails, DataError where the module has another hash: it was edited after
    the sweep was read.
    """
    module, function = reference.split(":")
    path = _file_of(module)
    content = _read(module, path)
    seen = content_of_file(content)
    if source is not None and seen != source:
        raise DataError(
            f"{path} was changed after the sweep was read (its hash is {seen}, the trial has {source}): "
            "restore the file, or run the sweep's YAML again, which makes new trials"
        )
    try:
        value = getattr(_imported(module, path, content), function)
    except ImportError as error:
        raise InputError(f"'{reference}' cannot be imported: {error}") from error
    except AttributeError:
        raise InputError(f"module '{module}' ({path}) defines no function '{function}'") from None
    if not callable(value):
        raise InputError(f"'{reference}' is not a function")
    if isinstance(value, FunctionType | BuiltinFunctionType | type) and value.__module__ != module:
        raise InputError(f"'{reference}' is defined in '{value.__module__}'; define it in '{module}'")
    return value  # type: ignore[no-any-return]


@lru_cache(maxsize=64)
def _imported(module: str, path: Path, content: bytes) -> ModuleType:
    """Return the module made of exactly `content`, a new one where other content was imported before."""
    here = str(Path.cwd())
    if here not in sys.path and "" not in sys.path:
        sys.path.insert(0, here)
    package, _, _ = module.rpartition(".")
    if package:
        importlib.import_module(package)
    folders = [str(path.parent)] if path.name == "__init__.py" else None
    spec = importlib.util.spec_from_file_location(module, path, submodule_search_locations=folders)
    assert spec is not None
    made, before = importlib.util.module_from_spec(spec), sys.modules.get(module)
    sys.modules[module] = made
    try:
        exec(compile(content, path, "exec"), made.__dict__)
    except BaseException:
        del sys.modules[module]
        if before is not None:
            sys.modules[module] = before
        raise
    return made


def _defined_names(module: str, content: bytes) -> set[str]:
    """Return the names of the functions, classes and variables that a module's source defines."""
    names: set[str] = set()
    for statement in _statements(module, content):
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(statement.name)
        elif isinstance(statement, ast.Assign | ast.AnnAssign):
            targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
            names.update(target.id for target in targets if isinstance(target, ast.Name))
    return names


def _statements(module: str, content: bytes) -> list[ast.stmt]:
    try:
        return ast.parse(content).body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise InputError(f"module '{module}' is not valid Python: {error}") from None


def _file_of(module: str) -> Path:
    """Return the source file of a module of the user or of an installed package, without any import."""
    top = module.split(".")[0]
    if top in sys.stdlib_module_names:
        raise InputError(
            f"module '{module}' is part of Python, whose functions a sweep cannot name; name one of your own "
            "module, such as my_losses:truncated"
        )
    importlib.invalidate_caches()
    spec = _top_level_spec(top)
    name = top
    for part in module.split(".")[1:]:
        name = f"{name}.{part}"
        locations = None if spec is None else spec.submodule_search_locations
        spec = None if locations is None else PathFinder.find_spec(name, list(locations))
    if spec is None or spec.origin is None or not spec.origin.endswith(".py") or _is_of_python(spec.origin):
        raise InputError(
            f"module '{module}' is not found in the current folder or among the installed packages"
        )
    return Path(spec.origin).absolute()


def _top_level_spec(name: str) -> ModuleSpec | None:
    """Return the spec of a top-level module; not through sys.modules, which may hold another folder's."""
    spec = PathFinder.find_spec(name, [str(Path.cwd())])
    finders: Sequence[Any] = sys.meta_path if spec is None else ()
    for finder in finders:
        spec = finder.find_spec(name, None) if hasattr(finder, "find_spec") else None
        if spec is not None:
            break
    return spec


def _is_of_python(origin: str) -> bool:
    """Whether a file belongs to the standard library, which holds the installed packages in one folder."""
    paths, file = sysconfig.get_paths(), Path(origin)
    library, packages = paths["stdlib"], (paths["purelib"], paths["platlib"])
    return file.is_relative_to(library) and not any(file.is_relative_to(folder) for folder in packages)


def _read(module: str, path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"module '{module}': {path} cannot be read: {error.strerror}") from None


def content_of_file(content: bytes) -> str:
    """Return 16 hex digits of the sha256 of a file's content, which name it in a trial."""
    return hashlib.sha256(content).hexdigest()[:16]
