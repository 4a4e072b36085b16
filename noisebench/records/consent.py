"""Whose code a kept sweep may run.

A sweep can name functions of a user's own modules. A spec that came with an archive, or that another user
wrote into a shared folder, names code as well; it is run only after the owner of this process agreed.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterable

from noisebench.errors import InputError
from noisebench.records.durable import write_durably
from noisebench.records.folders import SweepFolder
from noisebench.sweep.reference import module_of
from noisebench.sweep.sweep import Sweep


def allow_code(folder: SweepFolder, modules: Iterable[str]) -> None:
    """Let the sweep run functions of `modules`, in this process and in later ones of the same user."""
    known = _allowed(folder)
    added = known | set(modules)
    if added != known:
        path = folder.allowed_code
        write_durably(path, json.dumps({"modules": sorted(added)}).encode())
        path.chmod(stat.S_IRUSR | stat.S_IWUSR)


def check_code(folder: SweepFolder, sweep: Sweep, allowed: Iterable[str] = ()) -> None:
    """Raise InputError where a sweep names code that neither `allow_code` nor `allowed` covers."""
    permitted = _allowed(folder) | set(allowed)
    refused = [reference for reference in sweep.references() if module_of(reference) not in permitted]
    if refused:
        modules = ",".join(sorted({module_of(reference) for reference in refused}))
        raise InputError(
            f"{folder.spec} runs code that you have not allowed: {', '.join(refused)}. Read it, and if you "
            f"trust it, add --allow-code {modules}"
        )


def _allowed(folder: SweepFolder) -> set[str]:
    """Return the modules allowed before; none where another user could have written the file."""
    try:
        descriptor = os.open(folder.allowed_code, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return set()
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        shared = status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
        if not stat.S_ISREG(status.st_mode) or status.st_uid != os.getuid() or shared:
            return set()
        try:
            modules = json.load(file)["modules"]
        except (ValueError, LookupError, TypeError):
            return set()
    return {module for module in modules if isinstance(module, str)} if isinstance(modules, list) else set()
