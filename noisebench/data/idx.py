"""IDX files (Y. LeCun's format for MNIST), plain or packed with gzip."""

import gzip
import struct
import zlib
from contextlib import nullcontext
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from noisebench.errors import DataError

_UNSIGNED_BYTES = 0x08
# The largest file of MNIST and Fashion-MNIST holds 47 MB.
MAX_BYTES = 1 << 26


def read_idx(path: Path) -> npt.NDArray[np.uint8]:
    """Return the array in `path`, or in `path` with .gz appended if only that exists.

    Raises DataError if the file is missing, truncated, or not an IDX file of unsigned bytes. Never reads or
    unpacks more than the header states or `MAX_BYTES`.
    """
    source = idx_file(path)
    try:
        with source.open("rb") as file:
            return parse_idx(source, file)
    except FileNotFoundError:
        raise DataError(f"{path}: missing, also as {source.name}") from None
    except OSError as error:
        raise DataError(f"{source}: damaged or truncated ({error})") from None


def idx_file(path: Path) -> Path:
    """Return `path`, or `path` with .gz appended if `path` does not exist."""
    return path if path.is_file() else path.with_name(path.name + ".gz")


def parse_idx(source: Path, content: BinaryIO) -> npt.NDArray[np.uint8]:
    """Return the array in `content`, packed with gzip if the name `source` says so.

    Raises DataError like `read_idx`.
    """
    try:
        with gzip.open(content) if source.suffix == ".gz" else nullcontext(content) as file:
            shape = _shape(source, file.read(4), file)
            expected = int(np.prod(shape, dtype=np.float64))
            if expected > MAX_BYTES:
                raise DataError(f"{source}: its header states {expected} bytes, more than {MAX_BYTES}")
            data = file.read(expected + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{source}: damaged or truncated ({error})") from None
    if len(data) != expected:
        actual = f"more than {expected}" if len(data) > expected else str(len(data))
        raise DataError(f"{source}: holds {actual} bytes after its header, which states {expected}")
    return np.frombuffer(data, np.uint8).reshape(shape)


def _shape(path: Path, start: bytes, file: gzip.GzipFile | BinaryIO) -> tuple[int, ...]:
    if len(start) < 4 or start[:3] != bytes([0, 0, _UNSIGNED_BYTES]):
        raise DataError(f"{path}: no IDX file of unsigned bytes; it begins with {start.hex() or 'nothing'}")
    dimensions = start[3]
    sizes = file.read(4 * dimensions)
    if len(sizes) < 4 * dimensions:
        raise DataError(f"{path}: truncated in its header, at {4 + len(sizes)} bytes")
    return struct.unpack(f">{dimensions}I", sizes)
