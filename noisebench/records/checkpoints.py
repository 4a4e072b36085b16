"""What a trial in progress keeps: finished runs, and epochs of long ones."""

from __future__ import annotations

import hashlib
import io
import json
import math
import shutil
import time
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from noisebench.records import provenance
from noisebench.records.durable import patiently, write_durably

Rows = list[dict[str, Any]]


class Checkpoints:
    """The checkpoint folder of one trial; None as folder keeps nothing.

    The folder's name is the trial's id, so what is found there belongs to this very trial. Unfinished fits
    are kept at the end of an epoch once `epoch_seconds` have passed since the last write. A file that is
    damaged, or that other code wrote, counts as absent: its work is done again.
    """

    def __init__(self, folder: Path | None = None, *, epoch_seconds: float = math.inf) -> None:
        self.folder = folder
        self._epoch_seconds = epoch_seconds
        self._written = time.monotonic()

    @property
    def epoch_due(self) -> bool:
        """Whether an unfinished fit is to be kept at the end of this epoch."""
        return self.folder is not None and time.monotonic() - self._written >= self._epoch_seconds

    def read(self, name: str) -> dict[str, Any] | None:
        """Return what was written under `name`, tensors on the CPU; None where there is nothing whole."""
        if self.folder is None:
            return None
        path = self.folder / f"{name}.pt"
        try:
            header, _, payload = path.read_bytes().partition(b"\n")
        except FileNotFoundError:
            return None
        if header != _header(payload):
            path.unlink(missing_ok=True)
            return None
        content = torch.load(io.BytesIO(payload), map_location="cpu", weights_only=True)
        return content if isinstance(content, dict) else None

    def write(self, name: str, content: dict[str, Any]) -> None:
        """Keep tensors, numbers and text under `name`: whole on the disk when this returns."""
        if self.folder is None:
            return
        buffer = io.BytesIO()
        torch.save(content, buffer)
        path, payload = self.folder / f"{name}.pt", buffer.getvalue()
        patiently(lambda: write_durably(path, _header(payload) + b"\n" + payload))
        self._written = time.monotonic()

    def forget(self, name: str) -> None:
        """Remove one checkpoint."""
        if self.folder is not None:
            (self.folder / f"{name}.pt").unlink(missing_ok=True)

    def clear(self) -> None:
        """Remove everything: the trial has completed."""
        if self.folder is not None:
            shutil.rmtree(self.folder, ignore_errors=True)


def _header(payload: bytes) -> bytes:
    """Return a file's first line: the hash of what follows, which torch does not check, and of the code."""
    digest = hashlib.sha256(payload).hexdigest()
    return f"noisebench checkpoint {digest} {provenance.source_hash()}".encode()


def pack(rows: Rows, tensors: dict[str, Tensor]) -> dict[str, Any]:
    """Put epoch rows and tensors into one checkpoint's content."""
    return {"rows": json.dumps(rows), "tensors": tensors}


def unpack(content: dict[str, Any]) -> tuple[Rows, dict[str, Tensor]]:
    """Take apart what `pack` put together."""
    return json.loads(content["rows"]), content["tensors"]
