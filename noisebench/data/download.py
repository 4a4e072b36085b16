"""Download, verify and resume data files."""

from __future__ import annotations

import errno
import io
import os
import stat
import tarfile
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPException
from pathlib import Path
from typing import BinaryIO

from noisebench.catalogue.files import Archive, DataFile
from noisebench.errors import DataError, EnvironmentFault
from noisebench.records.durable import write_durably

CHUNK_BYTES = 1 << 20
TIMEOUT_SECONDS = 30

# Called with (address, bytes so far, bytes in all or None).
OnProgress = Callable[[str, int, int | None], None]


def fetch_all(files: list[DataFile], data_dir: Path, on_progress: OnProgress) -> None:
    """Download the files into `data_dir`; fetch an archive with several of them once.

    Raises EnvironmentFault if an address cannot be reached (the next call resumes the download) or the folder
    is not writable, DataError if the answer is not the expected file. Never reads, unpacks or writes more
    than the expected sizes.
    """
    for url in dict.fromkeys(file.url for file in files):
        wanted = [file for file in files if file.url == url]
        # Named by the whole address: MNIST and Fashion-MNIST use the same file names.
        partial = data_dir / ".downloads" / urllib.parse.quote(url, safe="")
        try:
            with _opened(partial) as downloaded:
                _download(wanted[0], downloaded, on_progress)
                try:
                    for file, content in _contents(wanted, downloaded):
                        write_durably(data_dir / file.path, content)
                finally:
                    # Only an incomplete file is kept: a complete but wrong file must not be resumed.
                    partial.unlink(missing_ok=True)
        except OSError as error:
            raise EnvironmentFault(f"{data_dir}: cannot be written ({error.strerror or error})") from None


@contextmanager
def _opened(partial: Path) -> Iterator[BinaryIO]:
    """Open a partial download for reading and appending; do not follow links."""
    partial.parent.mkdir(parents=True, exist_ok=True)
    try:
        folder = os.open(partial.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK
            descriptor = os.open(partial.name, flags, 0o644, dir_fd=folder)
        finally:
            os.close(folder)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENOTDIR, errno.ENXIO) and partial.parent.parent.is_dir():
            raise EnvironmentFault(
                f"{partial}: not a plain file in a plain folder; remove it and run the same command"
            ) from None
        raise
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode) or status.st_nlink != 1:
        os.close(descriptor)
        raise EnvironmentFault(f"{partial}: a link or no plain file; remove it and run the same command")
    with os.fdopen(descriptor, "r+b") as file:
        yield file


def _contents(wanted: list[DataFile], downloaded: BinaryIO) -> Iterator[tuple[DataFile, bytes]]:
    """Yield the verified content of each wanted file; an archive is verified before it is opened."""
    downloaded.seek(0)
    data = downloaded.read(wanted[0].download.size + 1)
    mismatch = wanted[0].download.mismatch(data)
    if mismatch is not None:
        raise DataError(f"{wanted[0].url} did not give the expected file: {mismatch}")
    if isinstance(wanted[0].source, str):
        yield wanted[0], data
        return
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        for file in wanted:
            yield file, _member(archive, file)


def _member(archive: tarfile.TarFile, file: DataFile) -> bytes:
    assert isinstance(file.source, Archive)
    try:
        member = archive.extractfile(file.source.member)
        assert member is not None
        content = member.read(file.content.size + 1)
    except (tarfile.TarError, KeyError, OSError, EOFError, AssertionError) as error:
        raise DataError(f"{file.url}: no archive that holds {file.source.member} ({error})") from None
    mismatch = file.content.mismatch(content)
    if mismatch is not None:
        raise DataError(f"{file.url} did not give the expected file: {file.source.member}: {mismatch}")
    return content


def _download(wanted: DataFile, file: BinaryIO, on_progress: OnProgress) -> None:
    """Append the rest of the content at the address to `file`, up to the expected size."""
    url, expected = wanted.url, wanted.download.size
    have, total = file.seek(0, io.SEEK_END), None
    for start, total, chunk in _chunks(url, have):
        if start == 0:
            file.truncate(0)
        have = start + len(chunk)
        if have > expected:
            file.truncate(0)
            raise DataError(
                f"{url} did not give the expected file: it sends more than the expected {expected} bytes"
            )
        file.write(chunk)
        on_progress(url, have, total)
    file.flush()
    if total is not None and have != total:
        raise EnvironmentFault(f"{url}: broke off after {have} of {total} bytes; run the same command again")


def _chunks(url: str, have: int) -> Iterator[tuple[int, int | None, bytes]]:
    """Yield (first byte, total bytes, content) from byte `have` on, or from 0 if the server restarts."""
    request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as reply:
            start = have if reply.status == 206 else 0
            length = reply.headers.get("Content-Length")
            total = start + int(length) if length else None
            while chunk := reply.read(CHUNK_BYTES):
                yield start, total, chunk
                start += len(chunk)
    except urllib.error.HTTPError as error:
        if error.code == 416 and have:  # the file is already complete
            return
        raise EnvironmentFault(f"{url}: the server answered {error.code} {error.reason}") from None
    except (OSError, HTTPException) as error:
        reason = getattr(error, "reason", error)
        raise EnvironmentFault(
            f"{url}: cannot be fetched ({reason}); is there internet here? "
            "Run `noisebench prepare` on a node that has it, or put the file there by hand"
        ) from None
