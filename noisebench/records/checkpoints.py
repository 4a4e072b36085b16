"""Checkpoints of an unfinished trial: finished runs, and epochs of long runs."""

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
from noisebench.records.durable import is_storage_error, patiently, read_inside, write_durably

Rows = list[dict[str, Any]]


class Checkpoints:
    """The checkpoint folder of one trial; without a folder, nothing is written.

    The folder is named by the trial's id, so its files belong to this trial. Unfinished fits are written at
    the end of an epoch, at most once in `epoch_seconds`. A damaged file, or a file written by another
    version of the code or with another `content`, counts as absent, and its work is repeated. `content`
    says what the attempt observes, in one line.
    """

    def __init__(
        self, folder: Path | None = None, *, epoch_seconds: float = math.inf, content: str = ""
    ) -> None:
        self.folder = folder
        self._content = content
        self._epoch_seconds = epoch_seconds
        self._written = time.monotonic()

    @property
    def epoch_due(self) -> bool:
        """Whether to write an unfinished fit at the end of this epoch."""
        return self.folder is not None and time.monotonic() - self._written >= self._epoch_seconds

    def read(self, name: str) -> dict[str, Any] | None:
        """Return the content of checkpoint `name`, tensors on the CPU; None if it is missing or damaged.

        Raises OSError where the file system fails.
        """
        if self.folder is None:
            return None
        path = self.folder / f"{name}.pt"
        try:
            header, _, payload = read_inside(self.folder, path.name).partition(b"\n")
        except OSError as error:
            if is_storage_error(error):
                raise
            return None  # none, or no file of ours, such as a pipe, which would block
        if header != self._header(payload):
            path.unlink(missing_ok=True)
            return None
        content = torch.load(io.BytesIO(payload), map_location="cpu", weights_only=True)
        return content if isinstance(content, dict) else None

    def write(self, name: str, content: dict[str, Any]) -> None:
        """Write tensors, numbers and text as checkpoint `name`, durable on return."""
        if self.folder is None:
            return
        buffer = io.BytesIO()
        torch.save(content, buffer)
        path, payload = self.folder / f"{name}.pt", buffer.getvalue()
        patiently(lambda: write_durably(path, self._header(payload) + b"\n" + payload))
        self._written = time.monotonic()

    def _header(self, payload: bytes) -> bytes:
        """Return the first line: the hashes of the payload, which torch does not check, and of the code."""
        digest = hashlib.sha256(payload).hexdigest()
        words = ("noisebench checkpoint", digest, provenance.source_hash(), self._content)
        return " ".join(word for word in words if word).encode()

    def forget(self, name: str) -> None:
        """Remove one checkpoint."""
        if self.folder is not None:
            (self.folder / f"{name}.pt").unlink(missing_ok=True)

    def clear(self) -> None:
        """Remove all checkpoints, after the trial has completed."""
        if self.folder is not None:
            shutil.rmtree(self.folder, ignore_errors=True)


def pack(rows: Rows, tensors: dict[str, Tensor]) -> dict[str, Any]:
    """Return epoch rows and tensors as the content of a checkpoint."""
    return {"rows": json.dumps(rows), "tensors": tensors}


def unpack(content: dict[str, Any]) -> tuple[Rows, dict[str, Tensor]]:
    """Return the epoch rows and tensors that `pack` combined."""
    return json.loads(content["rows"]), content["tensors"]
