"""The token that admits to a sweep's Ray."""

from __future__ import annotations

import os
import secrets
from pathlib import Path


def make_token(path: Path) -> None:
    """Write a fresh token for the user's eyes alone; one that stands there is replaced."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.parent.chmod(0o700)
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(secrets.token_hex(32))
        file.flush()
        os.fsync(file.fileno())


def token_environment(path: Path) -> dict[str, str]:
    """Return the variables by which every process of Ray finds the token, and refuses who has none."""
    return {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(path)}
