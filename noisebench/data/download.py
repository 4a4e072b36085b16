"""Fetching data files: whole, verified, going on where a broken download stopped."""

from __future__ import annotations

import tarfile
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from http.client import HTTPException
from pathlib import Path

from noisebench.data.files import DataFile, problem
from noisebench.errors import DataError, EnvironmentFault
from noisebench.records.durable import write_durably

CHUNK_BYTES = 1 << 20
TIMEOUT_SECONDS = 30

# Called with (address, bytes so far, bytes in all or None).
OnProgress = Callable[[str, int, int | None], None]


def fetch_all(files: list[DataFile], data_dir: Path, on_progress: OnProgress) -> None:
    """Put the files into `data_dir`; an archive that holds several of them is fetched once.

    Raises EnvironmentFault where an address cannot be reached (what came so far is kept, and the next
    call goes on from there) or the folder not written, DataError where what came is not the expected file.
    """
    for url in dict.fromkeys(file.source.url for file in files):
        wanted = [file for file in files if file.source.url == url]
        # By the whole address: MNIST and Fashion-MNIST give their files the same names.
        partial = data_dir / ".downloads" / urllib.parse.quote(url, safe="")
        try:
            _download(url, partial, on_progress)
            try:
                for file in wanted:
                    _place(file, partial, data_dir)
            finally:
                # Kept only while it is incomplete: what is whole but wrong must not be taken up again.
                partial.unlink(missing_ok=True)
        except OSError as error:
            raise EnvironmentFault(f"{data_dir}: cannot be written ({error.strerror or error})") from None


def _place(file: DataFile, downloaded: Path, data_dir: Path) -> None:
    content = downloaded.read_bytes() if file.source.member is None else _member(downloaded, file)
    target = data_dir / file.path
    write_durably(target, content)
    wrong = problem(file, data_dir)
    if wrong is not None:
        target.unlink()
        raise DataError(f"{file.source.url} did not give the expected file: {wrong}")


def _member(archive: Path, file: DataFile) -> bytes:
    assert file.source.member is not None
    try:
        with tarfile.open(archive) as tar:
            member = tar.extractfile(file.source.member)
            assert member is not None
            return member.read()
    except (tarfile.TarError, KeyError, OSError, EOFError, AssertionError) as error:
        raise DataError(f"{file.source.url}: no archive that holds {file.source.member} ({error})") from None


def _download(url: str, partial: Path, on_progress: OnProgress) -> None:
    partial.parent.mkdir(parents=True, exist_ok=True)
    with partial.open("ab") as file:
        have, total = file.tell(), None
        for start, total, chunk in _chunks(url, have):
            if start == 0:
                file.truncate(0)
            file.write(chunk)
            have = start + len(chunk)
            on_progress(url, have, total)
    if total is not None and have != total:
        raise EnvironmentFault(
            f"{url}: broke off after {have} of {total} bytes; run the same command to go on"
        )


def _chunks(url: str, have: int) -> Iterator[tuple[int, int | None, bytes]]:
    """Yield (first byte, bytes in all, content) from byte `have` on, or from 0 if the server wants it so."""
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
        if error.code == 416 and have:  # nothing is left to fetch
            return
        raise EnvironmentFault(f"{url}: the server answered {error.code} {error.reason}") from None
    except (OSError, HTTPException) as error:
        reason = getattr(error, "reason", error)
        raise EnvironmentFault(
            f"{url}: cannot be fetched ({reason}); is there internet here? "
            "Run `noisebench prepare` on a node that has it, or put the file there by hand"
        ) from None
