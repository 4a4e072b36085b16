"""Writes own data into the results folder, in a folder named by their content: files are decoded once.

The files are those of `kept`. Decoding also leaves its progress, so that a killed process continues.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from noisebench.data.own.decoding import Form, Shape, common_form, decode, highest_value
from noisebench.data.own.duplicates import fold_groups
from noisebench.data.own.files import continued, created, inside, own_root
from noisebench.data.own.kept import About, OwnData, array, checksum, complete, mapped
from noisebench.data.own.source import Source, checked, named
from noisebench.errors import EnvironmentFault, InputError
from noisebench.records.durable import write_inside

Say = Callable[[str], None]

# Raise this if the same files give other pixels.
FORMAT = 1
_CHUNK = 64
_PENDING, _DECODED, _BROKEN = 0, 1, 2
_DIGEST_BYTES = 16


def keep(
    source: Source, root: Path, *, size: int | None = None, skip_broken: bool = False, say: Say = print
) -> OwnData:
    """Write the samples below `root` unless they are there; return them.

    `size`: height and width of the decoded images. `say` is told the size before anything is written. Raises
    InputError that names broken files, unless `skip_broken` leaves them out; then nothing stays written.
    """
    hashes = hashes_of(source)
    form = _form(source, size)
    content = _content(source, hashes, form)
    folder = own_root(root) / content
    about = complete(folder)
    if about is None:
        about = _write(source, form, folder, skip_broken=skip_broken, say=say)
    elif about.broken and not skip_broken:
        raise InputError(_broken_message(source, about.broken))
    broken = {name for name, _ in about.broken}
    rows = np.array([row for row, name in enumerate(source.ids) if name not in broken], dtype=np.int64)
    kept = checked(source.at(rows)) if broken else source
    of_rows = tuple(hashes[row] for row in rows)
    digests = array(folder, "digests.npy") if source.paths is not None else None
    texts = of_rows if digests is None else tuple(bytes(digest).hex() for digest in digests)
    if broken:
        note = f"{named([f'{name}: {reason}' for name, reason in about.broken], 'broken file')} left out"
        kept = replace(kept, notes=(*kept.notes, note))
    return OwnData(content, folder, about, kept, of_rows, texts)


def content_of(source: Source, size: int | None) -> str:
    """Return what names the content of the samples, as `keep` does; writes nothing."""
    return _content(source, hashes_of(source), _form(source, size))


def _write(source: Source, form: Form, folder: Path, *, skip_broken: bool, say: Say) -> About:
    shape = form.shape
    existed = [parent for parent in (folder, *folder.parents) if parent.exists()]
    kind = np.dtype(np.float32 if source.has_features else np.uint8)
    bytes_ = len(source.ids) * shape.channels * shape.height * shape.width * kind.itemsize
    _check_space(bytes_, existed[0], say, len(source.ids), shape)
    with _locked(folder):
        about = complete(folder)  # another process may have been faster
        if about is not None:
            return about
        broken: list[tuple[str, str]] = []
        if source.values is not None:
            with created(folder, "values.bin") as file:
                source.values.tofile(file)
        else:
            broken = _decode_files(source, form, folder)
        if broken and not skip_broken:
            _remove_new(folder, existed)
            raise InputError(_broken_message(source, broken))
        return _finish(source, shape, folder, kind.name, broken)


def _finish(
    source: Source, shape: Shape, folder: Path, dtype: str, broken: Sequence[tuple[str, str]]
) -> About:
    """Write what follows from the values, at last `about.json`."""
    left_out = {name for name, _ in broken}
    rows = np.array([row for row, name in enumerate(source.ids) if name not in left_out], dtype=np.int64)
    kept = checked(source.at(rows)) if left_out else source
    about = About(
        format=FORMAT,
        samples=len(rows),
        **asdict(shape),
        dtype=dtype,
        classes=kept.classes,
        sha256="",
        broken=tuple(broken),
    )
    if left_out:
        _compact(folder, rows, replace(about, samples=len(source.ids)))
    values = mapped(folder, about)
    digests = [hashlib.sha256(row.tobytes()).digest()[:_DIGEST_BYTES] for row in values]
    arrays: dict[str, npt.NDArray[Any]] = {
        "digests.npy": np.frombuffer(b"".join(digests), np.uint8).reshape(-1, _DIGEST_BYTES),
        "labels.npy": kept.labels,
        "groups.npy": fold_groups(digests, kept.groups),
    }
    for name, each in arrays.items():
        with created(folder, name) as file:
            np.save(file, each)
    about = replace(about, sha256=checksum(folder))
    text = json.dumps(asdict(about), ensure_ascii=False)
    write_inside(folder.parent, f"{folder.name}/about.json", text.encode())
    (folder / "state.npy").unlink(missing_ok=True)
    return about


def _decode_files(source: Source, form: Form, folder: Path) -> list[tuple[str, str]]:
    """Decode all files that no earlier process has decoded; return (id, reason) of those that are broken."""
    assert source.paths is not None
    count, shape, highest = len(source.paths), form.shape, highest_value(form.deep)
    values = _continued(folder, "values.bin", (count, *asdict(shape).values()))
    state = _continued(folder, "state.npy", (count,))

    def decode_chunk(rows: npt.NDArray[np.int64]) -> list[tuple[str, str]]:
        broken, states = [], np.full(len(rows), _DECODED, np.uint8)
        for position, row in enumerate(rows):
            try:
                values[row] = decode(source.paths[row], shape, highest)  # type: ignore[index]
            except Exception as error:  # a damaged file can raise almost any exception
                states[position] = _BROKEN
                broken.append((source.ids[row], _reason(error)))
        values.flush()
        state[rows] = states
        return broken

    # Decoding and resizing release the interpreter's lock, so threads use all cores.
    left = np.flatnonzero(np.asarray(state) != _DECODED)
    chunks = [left[begin : begin + _CHUNK] for begin in range(0, len(left), _CHUNK)]
    with ThreadPoolExecutor(_threads()) as pool:
        try:
            return [entry for broken in pool.map(decode_chunk, chunks) for entry in broken]
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _threads() -> int:
    return len(os.sched_getaffinity(0))


def _reason(error: Exception) -> str:
    text = str(error).splitlines()[0] if str(error) else type(error).__name__
    return "no image that can be read" if text.startswith("cannot identify image file") else text


def _continued(folder: Path, name: str, shape: tuple[int, ...]) -> np.memmap[Any, Any]:
    """Return an array of bytes mapped to a file, which is made of zeros unless it has the right size."""
    with continued(folder, name, int(np.prod(shape))) as file:
        return np.memmap(file, np.uint8, "r+", shape=shape)


def _compact(folder: Path, rows: npt.NDArray[np.int64], whole: About) -> None:
    """Rewrite the values with these rows only."""
    values = mapped(folder, whole)
    with created(folder, "values.compact") as file:
        for begin in range(0, len(rows), 1024):
            file.write(values[rows[begin : begin + 1024]].tobytes())
    with inside(folder) as place:
        os.replace("values.compact", "values.bin", src_dir_fd=place, dst_dir_fd=place)


def _form(source: Source, size: int | None) -> Form:
    if source.paths is not None:
        return common_form(source.paths, size)
    assert source.values is not None
    if size is not None:
        raise InputError(
            f"--size {size}: only for image files; {source.name} has arrays, which keep their size"
        )
    sizes = source.values.shape[1:]
    return Form(Shape(*sizes) if source.values.ndim == 4 else Shape(sizes[0], 1, 1))


def _content(source: Source, hashes: Sequence[str], form: Form) -> str:
    """Return 16 hex digits that name the content: samples in order, labels, groups and the decoded shape."""
    # The names of data without deep images are those of before these had one scale.
    scale = ["one scale"] if form.deep else []
    about = [FORMAT, asdict(form.shape), source.classes, *scale]
    digest = hashlib.sha256(json.dumps(about).encode())
    for row, (name, of_row) in enumerate(zip(source.ids, hashes, strict=True)):
        group = None if source.groups is None else int(source.groups[row])
        digest.update(json.dumps([name, of_row, int(source.labels[row]), group]).encode())
    return digest.hexdigest()[:16]


def hashes_of(source: Source) -> tuple[str, ...]:
    """Return the SHA-256 of each sample's file or row, as hex; raise InputError if a file is unreadable."""
    return _row_hashes(source) if source.values is not None else _file_hashes(source)


def _row_hashes(source: Source) -> tuple[str, ...]:
    assert source.values is not None
    return tuple(hashlib.sha256(row.tobytes()).hexdigest() for row in source.values)


def _file_hashes(source: Source) -> tuple[str, ...]:
    assert source.paths is not None

    def of_file(path: Path) -> str:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    with ThreadPoolExecutor(_threads()) as pool:
        try:
            return tuple(pool.map(of_file, source.paths, chunksize=_CHUNK))
        except OSError as error:
            raise InputError(f"{error.filename}: cannot be read: {error.strerror}") from None


def _broken_message(source: Source, broken: Sequence[tuple[str, str]]) -> str:
    listed = named([f"{name}: {reason}" for name, reason in broken], "broken file")
    return f"{source.name}: {listed}; repair or remove them, or leave them out with --skip-broken"


def _check_space(bytes_: int, existing: Path, say: Say, samples: int, shape: Shape) -> None:
    gigabytes, free = bytes_ / 1e9, shutil.disk_usage(existing).free / 1e9
    what = f"{samples:,} samples of {shape.channels} x {shape.height} x {shape.width}"
    say(f"{what} take {gigabytes:.2f} GB in the results folder")
    if gigabytes > free:
        raise EnvironmentFault(
            f"{existing}: {free:.2f} GB are free, but {what} take {gigabytes:.2f} GB; free some space, "
            "choose another --results, or a smaller --size"
        )


def _remove_new(folder: Path, existed: Sequence[Path]) -> None:
    """Remove the folder and those parents that this process has made."""
    shutil.rmtree(folder)
    for parent in folder.parents:
        if parent in existed:
            return
        parent.rmdir()


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Let only one process write into the folder."""
    with inside(folder) as place:
        descriptor = os.open(
            "lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK, 0o666, dir_fd=place
        )
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
