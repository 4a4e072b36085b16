"""The IDX files of MNIST and its kin (Y. LeCun's format), packed with gzip or not."""

import gzip
import struct
import zlib
from pathlib import Path

import numpy as np
import numpy.typing as npt

from noisebench.errors import DataError

_UNSIGNED_BYTES = 0x08


def read_idx(path: Path) -> npt.NDArray[np.uint8]:
    """Return the array in `path`, or in `path` with .gz appended where only that exists.

    Raises DataError where the file is missing, truncated, or no IDX file of unsigned bytes.
    """
    packed = path.with_name(path.name + ".gz")
    found = path if path.is_file() else packed
    try:
        data = found.read_bytes()
        if found == packed:
            data = gzip.decompress(data)
    except FileNotFoundError:
        raise DataError(f"{path}: missing, also as {packed.name}") from None
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{found}: damaged or truncated ({error})") from None
    if len(data) < 4 or data[:3] != bytes([0, 0, _UNSIGNED_BYTES]):
        raise DataError(
            f"{found}: no IDX file of unsigned bytes; it begins with {data[:4].hex() or 'nothing'}"
        )
    dimensions = data[3]
    start = 4 + 4 * dimensions
    if len(data) < start:
        raise DataError(f"{found}: truncated in its header, at {len(data)} bytes")
    shape = struct.unpack(f">{dimensions}I", data[4:start])
    expected = start + int(np.prod(shape, dtype=np.int64))
    if len(data) != expected:
        raise DataError(f"{found}: holds {len(data)} bytes, but its header announces {expected}")
    return np.frombuffer(data, np.uint8, offset=start).reshape(shape)
