"""The evidence of a training, kept for the trials that judge it."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from noisebench.records import provenance
from noisebench.records.durable import is_storage_error, open_inside, patiently, read_inside, write_durably

# A header has about 100 bytes; a file without lines is not read whole for it.
_LONGEST_HEADER = 1000

Arrays = Mapping[str, npt.NDArray[Any]]


class DamagedEvidenceError(ValueError):
    """An evidence file that differs from what was written, or that another version of the code wrote."""


@dataclass(frozen=True)
class KeptEvidence:
    """The arrays of an evidence with what the records of its trials repeat.

    `rows` are the epochs of the training, `fast_path` its modes, `attempt_id` the attempt that trained.
    """

    arrays: Arrays
    rows: list[dict[str, Any]]
    fast_path: str | None
    attempt_id: str


@dataclass(frozen=True)
class Sharing:
    """How a trial shares evidence: arrays to gather (name to size), whether to keep them for others."""

    needs: Mapping[str, int] = field(default_factory=dict)
    keep: bool = False

    def as_fields(self) -> dict[str, Any]:
        """Return the mapping for JSON."""
        return {"needs": dict(self.needs), "keep": self.keep}


@dataclass(frozen=True)
class EvidenceFile:
    """The file of one evidence, as one attempt reads and writes it; without a path there is none."""

    path: Path | None = None
    attempt_id: str = ""
    sharing: Sharing = field(default_factory=Sharing)

    def read(self) -> KeptEvidence | None:
        """Return the evidence, None if there is none.

        Raises DamagedEvidenceError if it is damaged, OSError where the file system fails.
        """
        if self.path is None:
            return None
        try:
            header, _, payload = read_inside(self.path.parent, self.path.name).partition(b"\n")
        except FileNotFoundError:
            return None
        except OSError as error:
            if is_storage_error(error):
                raise
            raise DamagedEvidenceError(f"{self.path}: {error}") from error
        if header != _header(payload):
            raise DamagedEvidenceError(f"{self.path}: damaged, or written by another version of noisebench")
        text, _, arrays = payload.partition(b"\n")
        try:
            return KeptEvidence(arrays=_unpacked(arrays), **json.loads(text))
        except (ValueError, TypeError, KeyError, zipfile.BadZipFile) as error:
            raise DamagedEvidenceError(f"{self.path}: {error}") from error

    def names(self) -> frozenset[str]:
        """Return the names of the arrays in the file, without reading them.

        Empty if there is no file, or one that is not whole or of another version of the code.
        """
        if self.path is None:
            return frozenset()
        try:
            with open_inside(self.path.parent, self.path.name) as file:
                if file.readline(_LONGEST_HEADER).split()[-1:] != [provenance.source_hash().encode()]:
                    return frozenset()
                with zipfile.ZipFile(file) as archive:
                    return frozenset(name.removesuffix(".npy") for name in archive.namelist())
        except (OSError, zipfile.BadZipFile):
            return frozenset()

    def write(self, arrays: Arrays, rows: list[dict[str, Any]], fast_path: str | None) -> None:
        """Write the evidence if it is to be kept for others; durable on return."""
        path = self.path
        if path is None or not self.sharing.keep:
            return
        notes = {"rows": rows, "fast_path": fast_path, "attempt_id": self.attempt_id}
        payload = json.dumps(notes, separators=(",", ":")).encode() + b"\n" + _packed(arrays)
        patiently(lambda: write_durably(path, _header(payload) + b"\n" + payload))

    def remove(self) -> None:
        """Remove the file, if there is one."""
        if self.path is not None:
            with suppress(FileNotFoundError):
                self.path.unlink()


def _header(payload: bytes) -> bytes:
    """Return a file's first line: the hash of its content, and of the code that gathered it."""
    digest = hashlib.sha256(payload).hexdigest()
    return f"noisebench evidence {digest} {provenance.source_hash()}".encode()


def _packed(arrays: Arrays) -> bytes:
    buffer = io.BytesIO()
    named: Any = dict(arrays)
    np.savez(buffer, **named)
    return buffer.getvalue()


def _unpacked(content: bytes) -> dict[str, npt.NDArray[Any]]:
    with np.load(io.BytesIO(content), allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}
