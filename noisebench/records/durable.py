"""Atomic, durable file writes."""

import contextlib
import errno
import os
import shutil
import stat
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, TypeVar

# The file system is full, over quota, read-only, broken or gone: neither a file nor who wrote it is at fault.
STORAGE_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS, errno.ESTALE)
RETRY_SECONDS = (0.1, 0.5, 2.0, 5.0, 10.0, 20.0)

Written = TypeVar("Written")


def patiently(write: Callable[[], Written]) -> Written:
    """Call `write`; after an OSError, retry for about 40 seconds, then raise it."""
    for pause in RETRY_SECONDS:
        try:
            return write()
        except OSError:
            time.sleep(pause)
    return write()


def is_storage_error(error: BaseException) -> bool:
    """Return whether the file system itself fails: what cannot be read may be there and whole."""
    return isinstance(error, OSError) and error.errno in STORAGE_ERRORS


@contextmanager
def unreadable_skipped() -> Iterator[None]:
    """Leave the block at a file that cannot be read, unless the file system itself fails: that is raised."""
    try:
        yield
    except OSError as error:
        if is_storage_error(error):
            raise


def write_durably(path: Path, data: bytes, unless: Callable[[], bool] = lambda: False) -> bool:
    """Replace the file at `path` by `data` atomically, even across a power cut.

    `unless` is called once the data are on the disk; if it returns true, the old file stays. Return whether
    the file was written.
    """
    make_folder(path.parent)
    with folder_inside(path.parent, "") as folder:
        return _replace(folder, path, data, unless)


def write_inside(root: Path, relative: str, data: bytes, *, mode: int = 0o666) -> None:
    """Write the file at `relative` below `root` like `write_durably`; `mode` as in `os.open`.

    Raises OSError if a folder on the way is a link: it may lead anywhere.
    """
    make_folder(root)
    parents, _, _ = relative.rpartition("/")
    with folder_inside(root, parents, make=True) as folder:
        _replace(folder, root / relative, data, mode=mode)


def _replace(
    folder: int, path: Path, data: bytes, unless: Callable[[], bool] = lambda: False, *, mode: int = 0o666
) -> bool:
    temporary = f".{path.name}.{uuid.uuid4().hex}"
    try:
        try:
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
            descriptor = os.open(temporary, flags, mode, dir_fd=folder)
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            if unless():
                return False
            os.replace(temporary, path.name, src_dir_fd=folder, dst_dir_fd=folder)
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(temporary, dir_fd=folder)
        os.fsync(folder)
    except OSError as error:
        raise _of(error, path) from error
    return True


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """Open a new file beside `path` for writing; once the block ends, it durably becomes the file at `path`.

    If the block raises, the old file stays, and the new one is removed.
    """
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        with temporary.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    sync_folder(path.parent)


def _of(error: OSError, path: Path) -> OSError:
    """Return the error with the whole path: calls relative to a folder name only the last part."""
    return OSError(error.errno, error.strerror, str(path)) if error.errno else error


def remove_leftovers(path: Path, seconds: float) -> None:
    """Remove temporary files of killed writers of `path` that are older than `seconds`.

    Ages are relative to the modification time of `path`, so `path` must have just been written. This avoids
    comparing the file system's clock with the machine's.
    """
    now = path.stat().st_mtime
    for leftover in path.parent.glob(f".{path.name}.*"):
        with contextlib.suppress(FileNotFoundError):  # renamed by its writer, or removed by another process
            if now - leftover.stat().st_mtime > seconds:
                leftover.unlink()


def sync_folder(folder: Path) -> None:
    """Sync the directory entries of `folder`."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_folder(folder: Path) -> None:
    """Create `folder` and its missing parents durably."""
    if folder.is_dir():
        return
    make_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    sync_folder(folder.parent)


@contextmanager
def folder_inside(root: Path, relative: str, *, make: bool = False) -> Iterator[int]:
    """Open the folder at `relative` below `root`, where "" is `root` itself; yield its descriptor.

    Symbolic links below `root` are not followed. With `make`, missing folders are made, durably. Raises
    OSError if a part is missing, a link or no folder, or if `relative` leads out of `root`.
    """
    parts = [part for part in relative.split("/") if part]
    if ".." in parts or relative.startswith("/"):
        raise OSError(f"{relative!r} leads out of {root}")
    path, folder = root, os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for part in parts:
            path = path / part
            try:
                inner = _folder_in(folder, part, make=make)
            except OSError as error:
                raise _of(error, path) from error
            os.close(folder)
            folder = inner
        yield folder
    finally:
        os.close(folder)


def _folder_in(folder: int, name: str, *, make: bool) -> int:
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
    try:
        return os.open(name, flags, dir_fd=folder)
    except FileNotFoundError:
        if not make:
            raise
    with contextlib.suppress(FileExistsError):  # another process has made it meanwhile
        os.mkdir(name, dir_fd=folder)
    os.fsync(folder)
    return os.open(name, flags, dir_fd=folder)


def open_inside(root: Path, relative: str, *, hard_links: bool = False) -> BinaryIO:
    """Open the regular file at `relative` below the folder `root` for reading.

    Symbolic links below `root` are not followed. Raises OSError if the file is missing, a link or not a
    regular file, if `relative` leads out of the folder or is no path, or if the file has another name, a hard
    link, and others may write into its folder: they may have put a private file of yours there. With
    `hard_links`, another name is no fault.
    """
    parents, _, name = relative.rpartition("/")
    path = root / relative
    if name == "..":
        raise OSError(f"{relative!r} leads out of {root}")
    try:
        with folder_inside(root, parents) as folder:
            try:
                # Without O_NONBLOCK, opening a FIFO waits for a writer.
                descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
            except OSError as error:
                raise _of(error, path) from error
            fault = _fault(os.fstat(descriptor), None if hard_links else os.fstat(folder))
    except ValueError as error:  # a NUL, or what no file name can hold
        raise OSError(f"{relative!r} is no path: {error}") from None
    if fault is not None:
        os.close(descriptor)
        raise OSError(f"{path}: {fault}")
    # A journal's lines are longer than Python's default buffer.
    return os.fdopen(descriptor, "rb", buffering=1 << 17)


def read_inside(root: Path, relative: str) -> bytes:
    """Return the content of the file at `relative` below `root`; raises OSError as `open_inside` does."""
    with open_inside(root, relative) as file:
        return file.read()


def open_of_sweep(path: Path) -> BinaryIO:
    """Open a file of a sweep, ROOT/FOLDER/SWEEP/NAME, like `open_inside`: no link below ROOT is followed."""
    return open_inside(path.parents[2], "/".join(path.parts[-3:]))


def read_of_sweep(path: Path) -> bytes:
    """Return the content of a file of a sweep; raises OSError as `open_inside` does."""
    with open_of_sweep(path) as file:
        return file.read()


def write_of_sweep(path: Path, data: bytes, *, mode: int = 0o666) -> None:
    """Write a file of a sweep, ROOT/FOLDER/SWEEP/NAME; raises OSError as `write_inside` does."""
    write_inside(path.parents[2], "/".join(path.parts[-3:]), data, mode=mode)


def remove_inside(root: Path, relative: str) -> None:
    """Remove the file, the link or the folder with its content at `relative` below `root`, if it is there.

    Raises OSError if it cannot be removed, or if a folder on the way is a link: it may lead anywhere.
    """
    parents, _, name = relative.rpartition("/")
    try:
        with folder_inside(root, parents) as folder:
            if stat.S_ISDIR(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
                shutil.rmtree(name, dir_fd=folder)
            else:
                os.unlink(name, dir_fd=folder)
    except FileNotFoundError:
        return


def _fault(file: os.stat_result, folder: os.stat_result | None) -> str | None:
    """Return why a file must not be read from its folder, None if it may be; without one, hard links may."""
    if not stat.S_ISREG(file.st_mode):
        return "is no regular file"
    if folder is None:
        return None
    is_shared = folder.st_uid != os.getuid() or folder.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    if file.st_nlink > 1 and is_shared:
        return "has a hard link, and others can write into its folder; replace it with a copy"
    return None
