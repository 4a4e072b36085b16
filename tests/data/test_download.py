"""Data files are downloaded completely or not at all, from a real local server."""

import hashlib
import http.server
import io
import os
import tarfile
import threading
import tracemalloc
import urllib.parse
from collections.abc import Iterator
from pathlib import Path

import pytest

from noisebench.catalogue.files import Archive, Content, DataFile
from noisebench.data.download import fetch_all
from noisebench.data.files import check_files, needed_files, problem
from noisebench.errors import DataError, EnvironmentFault
from noisebench.science import vision
from tests.trials import trial_of

CONTENT = bytes(range(256)) * 20_000
RESNET_34_SHA256 = "b627a593bcbe140c234610266fe4f8ae95ea42fc881d091c9b6052e6b1d0590f"


class Server(http.server.ThreadingHTTPServer):
    """Serves `files`; truncates the first `breaks` answers."""

    files: dict[str, bytes]
    honours_ranges = True
    breaks = 0
    asked: list[str | None]


class Handler(http.server.BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        wanted = self.headers.get("Range")
        self.server.asked.append(wanted)
        data = self.server.files.get(self.path)
        if data is None:
            self.send_error(404)
            return
        resumed = wanted is not None and self.server.honours_ranges
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted and resumed else 0
        self.send_response(206 if resumed else 200)
        self.send_header("Content-Length", str(len(data) - start))
        self.end_headers()
        if self.server.breaks:
            self.server.breaks -= 1
            self.wfile.write(data[start : start + len(data) // 2])
            return
        self.wfile.write(data[start:])

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    with Server(("127.0.0.1", 0), Handler) as server:
        server.files, server.asked = {"/data.bin": CONTENT}, []
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def content_of(data: bytes) -> Content:
    return Content(len(data), f"md5:{hashlib.md5(data).hexdigest()}")


def file_at(server: Server, content: bytes = CONTENT, name: str = "data.bin") -> DataFile:
    return DataFile("set/data.bin", content_of(content), f"http://127.0.0.1:{server.server_port}/{name}")


def quiet(_: str, __: int, ___: int | None) -> None:
    pass


def test_a_file_is_downloaded_with_progress(server: Server, tmp_path: Path) -> None:
    seen = []
    fetch_all([file_at(server)], tmp_path, lambda _, have, total: seen.append((have, total)))
    assert (tmp_path / "set" / "data.bin").read_bytes() == CONTENT
    assert problem(file_at(server), tmp_path) is None
    assert seen[-1] == (len(CONTENT), len(CONTENT))
    assert list((tmp_path / ".downloads").iterdir()) == []


def test_an_interrupted_download_is_resumed(server: Server, tmp_path: Path) -> None:
    server.breaks = 1
    with pytest.raises(EnvironmentFault, match=r"(broke off|cannot be fetched)"):
        fetch_all([file_at(server)], tmp_path, quiet)
    assert not (tmp_path / "set").exists()
    fetch_all([file_at(server)], tmp_path, quiet)
    assert (tmp_path / "set" / "data.bin").read_bytes() == CONTENT
    assert server.asked == [None, f"bytes={len(CONTENT) // 2}-"]


def test_two_addresses_with_the_same_file_name_are_separate(server: Server, tmp_path: Path) -> None:
    server.files["/other/data.bin"] = CONTENT[::-1]
    server.breaks = 1
    with pytest.raises(EnvironmentFault):
        fetch_all([file_at(server)], tmp_path, quiet)
    other = file_at(server, content=CONTENT[::-1], name="other/data.bin")
    fetch_all([other], tmp_path, quiet)
    assert server.asked == [None, None]


def test_a_server_that_ignores_ranges_sends_the_whole_file(server: Server, tmp_path: Path) -> None:
    server.breaks, server.honours_ranges = 1, False
    with pytest.raises(EnvironmentFault):
        fetch_all([file_at(server)], tmp_path, quiet)
    fetch_all([file_at(server)], tmp_path, quiet)
    assert (tmp_path / "set" / "data.bin").read_bytes() == CONTENT


def test_a_folder_that_cannot_be_written_is_named(server: Server, tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file, no folder")
    with pytest.raises(EnvironmentFault, match=r"data: cannot be written \(Not a directory\)"):
        fetch_all([file_at(server)], tmp_path / "data", quiet)


def test_unexpected_content_is_refused_and_removed(server: Server, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="did not give the expected file"):
        fetch_all([file_at(server, content=CONTENT[::-1])], tmp_path, quiet)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def packed(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def member_of(server: Server, archive: bytes, name: str, content: bytes) -> DataFile:
    url = f"http://127.0.0.1:{server.server_port}/data.tar.gz"
    source = Archive(url, content_of(archive), f"folder/{name}")
    return DataFile(f"set/{name}", content_of(content), source)


def test_members_of_one_archive_need_one_download(server: Server, tmp_path: Path) -> None:
    archive = packed({"folder/a": b"aaaaa", "folder/b": b"bbbbb"})
    server.files["/data.tar.gz"] = archive
    files = [member_of(server, archive, name, name.encode() * 5) for name in ("a", "b")]
    fetch_all(files, tmp_path, quiet)
    assert (tmp_path / "set" / "b").read_bytes() == b"bbbbb"
    assert len(server.asked) == 1
    with pytest.raises(DataError, match="no archive that holds folder/c"):
        fetch_all([member_of(server, archive, "c", b"ccccc")], tmp_path, quiet)


def test_an_unexpected_archive_is_not_opened(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A small archive can unpack to gigabytes, so its checksum is checked first."""
    expected = packed({"folder/a": b"aaaaa"})
    server.files["/data.tar.gz"] = bytes(len(expected))

    def opened(*_: object, **__: object) -> None:
        raise AssertionError("the archive was opened")

    monkeypatch.setattr(tarfile, "open", opened)
    with pytest.raises(DataError, match="did not give the expected file: its md5 is"):
        fetch_all([member_of(server, expected, "a", b"aaaaa")], tmp_path, quiet)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_member_is_not_unpacked_beyond_its_size(server: Server, tmp_path: Path) -> None:
    archive = packed({"folder/a": bytes(10_000_000)})
    server.files["/data.tar.gz"] = archive
    tracemalloc.start()
    with pytest.raises(DataError, match="folder/a: it holds more than 5 bytes, expected 5"):
        fetch_all([member_of(server, archive, "a", b"aaaaa")], tmp_path, quiet)
    assert tracemalloc.get_traced_memory()[1] < 5_000_000
    tracemalloc.stop()
    assert not (tmp_path / "set").exists()


def test_an_endless_answer_is_refused(server: Server, tmp_path: Path) -> None:
    server.files["/data.bin"] = CONTENT * 5
    with pytest.raises(DataError, match=f"sends more than the expected {len(CONTENT)} bytes"):
        fetch_all([file_at(server)], tmp_path, quiet)
    assert sum(path.stat().st_size for path in tmp_path.rglob("*") if path.is_file()) == 0


@pytest.mark.parametrize("kind", ["link", "hard link", "fifo", "folder"])
def test_a_download_is_not_written_through_a_link(server: Server, tmp_path: Path, kind: str) -> None:
    victim, data = tmp_path / "victim", tmp_path / "data"
    victim.write_bytes(b"precious")
    partial = data / ".downloads" / urllib.parse.quote(file_at(server).url, safe="")
    if kind == "folder":
        data.mkdir()
        (tmp_path / "elsewhere").mkdir()
        partial.parent.symlink_to(tmp_path / "elsewhere")
    else:
        partial.parent.mkdir(parents=True)
        make = {"link": partial.symlink_to, "hard link": partial.hardlink_to}
        os.mkfifo(partial) if kind == "fifo" else make[kind](victim)
    with pytest.raises(EnvironmentFault, match=r"plain file.*; remove it"):
        fetch_all([file_at(server)], data, quiet)
    assert victim.read_bytes() == b"precious"
    assert not (tmp_path / "elsewhere").exists() or list((tmp_path / "elsewhere").iterdir()) == []


def test_a_missing_server_and_a_missing_file_are_reported(server: Server, tmp_path: Path) -> None:
    with pytest.raises(EnvironmentFault, match="the server answered 404"):
        fetch_all([file_at(server, name="other.bin")], tmp_path, quiet)
    nowhere = DataFile("x", content_of(b""), "http://127.0.0.1:9/x")
    with pytest.raises(EnvironmentFault, match=r"cannot be fetched .*; is there internet here\?"):
        fetch_all([nowhere], tmp_path, quiet)


def test_every_problem_is_reported_at_once(tmp_path: Path) -> None:
    trials = [trial_of(dataset="MNIST")]
    with pytest.raises(DataError, match="say where they are with --data DIR"):
        check_files(trials, None)
    raw = tmp_path / "MNIST" / "raw"
    raw.mkdir(parents=True)
    (raw / "train-labels-idx1-ubyte.gz").write_bytes(b"damaged")
    with pytest.raises(DataError) as refused:
        check_files(trials, tmp_path)
    lines = str(refused.value).splitlines()
    assert len(lines) == 5
    assert lines[0].endswith("missing (expected md5:f68b3c2dcbeaaa9fbdd348bbdeb94873)")
    assert "train-labels-idx1-ubyte.gz: damaged: it holds 7 bytes, expected 28881" in lines[1]
    assert lines[4].startswith("`noisebench prepare SPEC")


def test_missing_weights_have_two_fixes(tmp_path: Path) -> None:
    with pytest.raises(DataError) as refused:
        check_files([trial_of(dataset="CIFAR-10", training="{}")], tmp_path)
    lines = str(refused.value).splitlines()
    assert lines[6].endswith("resnet34-b627a593.pth: missing (expected sha256:" + RESNET_34_SHA256 + ")")
    assert lines[-1].startswith("`training: {pretrained: false}` starts from random weights")


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (CONTENT + b"0", f"it sends more than the expected {len(CONTENT)} bytes"),
        (CONTENT[1:], r"its sha256 is \w{64}, expected \w{8}\.\.\.$"),
    ],
)
def test_weights_of_torchvision_are_fetched_and_verified_by_the_digits_of_their_hash(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changed: bytes, message: str
) -> None:
    content = Content(len(CONTENT), f"sha256:{hashlib.sha256(CONTENT).hexdigest()[:8]}", partly_known=True)
    published = DataFile("weights/net.pth", content, file_at(server).url)
    monkeypatch.setattr(vision, "weights_file", lambda name: {"resnet18": published}[name])
    training = "{model: 'torchvision:resnet18', pretrained: true, epochs: 1}"
    trials = [trial_of(training=training)]
    with pytest.raises(DataError) as refused:
        check_files(trials, tmp_path)
    lines = str(refused.value).splitlines()
    assert lines[0].startswith(f"{tmp_path / 'weights' / 'net.pth'}: missing (expected sha256:")
    assert lines[-2] == f"weights/net.pth is published at {published.url}"
    assert lines[-1].startswith("`training: {pretrained: false}` starts from random weights")
    server.files["/data.bin"] = changed
    with pytest.raises(DataError, match=message):
        fetch_all(needed_files(trials), tmp_path, quiet)
    server.files["/data.bin"] = CONTENT
    fetch_all(needed_files(trials), tmp_path, quiet)
    check_files(trials, tmp_path)
    assert (tmp_path / "weights" / "net.pth").read_bytes() == CONTENT


def test_the_files_that_a_sweep_needs() -> None:
    paths = [file.path for file in needed_files([trial_of(), trial_of(dataset="CIFAR-10", training="{}")])]
    assert paths[-1] == "weights/resnet34-b627a593.pth"
    assert len(paths) == 7
    assert needed_files([trial_of()]) == []
