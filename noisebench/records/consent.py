"""Permission to run the code that a stored sweep names.

A sweep can name functions of user modules. A spec from an archive, or written by another user in a shared
folder, can do so too. Such code runs only after the user of this process has allowed it.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterable

from noisebench.errors import InputError
from noisebench.records.durable import is_storage_error, open_of_sweep, write_of_sweep
from noisebench.records.folders import SweepFolder
from noisebench.sweep.reference import module_of
from noisebench.sweep.sweep import Sweep


def allow_code(folder: SweepFolder, modules: Iterable[str]) -> None:
    """Allow the sweep to run functions of `modules`, in this and later processes of this user."""
    known = _allowed(folder)
    added = known | set(modules)
    if added != known:
        write_of_sweep(folder.allowed_code, json.dumps({"modules": sorted(added)}).encode(), mode=0o600)


def check_code(folder: SweepFolder, sweep: Sweep, allowed: Iterable[str] = ()) -> None:
    """Raise InputError if a sweep names code that neither `allow_code` nor `allowed` covers."""
    permitted = _allowed(folder) | set(allowed)
    refused = [reference for reference in sweep.references() if module_of(reference) not in permitted]
    if refused:
        modules = ",".join(sorted({module_of(reference) for reference in refused}))
        raise InputError(
            f"{folder.spec} runs code that you have not allowed: {', '.join(refused)}. Read it, and if you "
            f"trust it, add --allow-code {modules}"
        )


def _allowed(folder: SweepFolder) -> set[str]:
    """Return the modules allowed so far; none if another user could have written the file."""
    try:
        opened = open_of_sweep(folder.allowed_code)
    except OSError as error:
        if is_storage_error(error):
            raise
        return set()
    with opened as file:
        status = os.fstat(file.fileno())
        if status.st_uid != os.getuid() or status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            return set()
        try:
            modules = json.load(file)["modules"]
        except (ValueError, LookupError, TypeError, RecursionError):
            return set()
    return {module for module in modules if isinstance(module, str)} if isinstance(modules, list) else set()
