"""Data files are fetched whole or not at all, from a real server on this machine."""

import hashlib
import http.server
import io
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from noisebench.data.download import fetch_all
from noisebench.data.files import DataFile, Source, check_files, needed_files, problem
from noisebench.errors import DataError, EnvironmentFault
from tests.trials import trial_of

CONTENT = bytes(range(256)) * 20_000


class Server(http.server.ThreadingHTTPServer):
    """Serves `files`; breaks the first `breaks` answers off in the middle."""

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
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def file_at(
    server: Server, content: bytes = CONTENT, member: str | None = None, name: str = "data.bin"
) -> DataFile:
    checksum = f"md5:{hashlib.md5(content).hexdigest()}"
    return DataFile("set/data.bin", checksum, Source(f"http://127.0.0.1:{server.server_port}/{name}", member))


def quiet(_: str, __: int, ___: int | None) -> None:
    pass


def test_a_file_arrives_whole_with_progress(server: Server, tmp_path: Path) -> None:
    seen = []
    fetch_all([file_at(server)], tmp_path, lambda _, have, total: seen.append((have, total)))
    assert (tmp_path / "set" / "data.bin").read_bytes() == CONTENT
    assert problem(file_at(server), tmp_path) is None
    assert seen[-1] == (len(CONTENT), len(CONTENT))
    assert list((tmp_path / ".downloads").iterdir()) == []


def test_a_broken_download_goes_on_where_it_stopped(server: Server, tmp_path: Path) -> None:
    server.breaks = 1
    with pytest.raises(EnvironmentFault, match=r"(broke off|cannot be fetched)"):
        fetch_all([file_at(server)], tmp_path, quiet)
    assert not (tmp_path / "set").exists()
    fetch_all([file_at(server)], tmp_path, quiet)
    assert (tmp_path / "set" / "data.bin").read_bytes() == CONTENT
    assert server.asked == [None, f"bytes={len(CONTENT) // 2}-"]


def test_two_addresses_that_end_alike_are_not_mixed_up(server: Server, tmp_path: Path) -> None:
    server.files["/other/data.bin"] = CONTENT[::-1]
    server.breaks = 1
    with pytest.raises(EnvironmentFault):
        fetch_all([file_at(server)], tmp_path, quiet)
    other = file_at(server, content=CONTENT[::-1], name="other/data.bin")
    fetch_all([other], tmp_path, quiet)
    assert server.asked == [None, None]


def test_a_server_that_starts_anew_is_followed(server: Server, tmp_path: Path) -> None:
    server.breaks, server.honours_ranges = 1, False
    with pytest.raises(EnvironmentFault):
        fetch_all([file_at(server)], tmp_path, quiet)
    fetch_all([file_at(server)], tmp_path, quiet)
    assert (tmp_path / "set" / "data.bin").read_bytes() == CONTENT


def test_a_folder_that_cannot_be_written_is_named(server: Server, tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file, no folder")
    with pytest.raises(EnvironmentFault, match=r"data: cannot be written \(Not a directory\)"):
        fetch_all([file_at(server)], tmp_path / "data", quiet)


def test_another_content_than_expected_is_refused_and_not_kept(server: Server, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="did not give the expected file"):
        fetch_all([file_at(server, content=b"something else")], tmp_path, quiet)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_members_of_one_archive_need_one_download(server: Server, tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name in ("a", "b"):
            info = tarfile.TarInfo(f"folder/{name}")
            info.size = 5
            archive.addfile(info, io.BytesIO(name.encode() * 5))
    server.files["/data.tar.gz"] = buffer.getvalue()
    url = f"http://127.0.0.1:{server.server_port}/data.tar.gz"
    files = [
        DataFile(
            f"set/{name}", f"md5:{hashlib.md5(name.encode() * 5).hexdigest()}", Source(url, f"folder/{name}")
        )
        for name in ("a", "b")
    ]
    fetch_all(files, tmp_path, quiet)
    assert (tmp_path / "set" / "b").read_bytes() == b"bbbbb"
    assert len(server.asked) == 1


def test_no_server_and_no_file_are_clear(server: Server, tmp_path: Path) -> None:
    with pytest.raises(EnvironmentFault, match="the server answered 404"):
        fetch_all([file_at(server, name="other.bin")], tmp_path, quiet)
    nowhere = DataFile("x", "md5:0", Source("http://127.0.0.1:9/x"))
    with pytest.raises(EnvironmentFault, match=r"cannot be fetched .*; is there internet here\?"):
        fetch_all([nowhere], tmp_path, quiet)


def test_every_problem_is_named_before_a_trial_starts(tmp_path: Path) -> None:
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
    assert "damaged: its md5 is " in lines[1]
    assert "expected d53e105ee54ea40749a09fcbcd1e9432" in lines[1]
    assert lines[4].startswith("`noisebench prepare SPEC")


def test_missing_weights_have_two_mends(tmp_path: Path) -> None:
    with pytest.raises(DataError) as refused:
        check_files([trial_of(dataset="CIFAR-10", training="{}")], tmp_path)
    lines = str(refused.value).splitlines()
    assert lines[6].endswith("resnet34-b627a593.pth: missing (expected sha256:b627a593)")
    assert lines[-1].startswith("`training: {pretrained: false}` starts from random weights")


def test_what_a_sweep_needs() -> None:
    paths = [file.path for file in needed_files([trial_of(), trial_of(dataset="CIFAR-10", training="{}")])]
    assert paths[-1] == "weights/resnet34-b627a593.pth"
    assert len(paths) == 7
    assert needed_files([trial_of()]) == []
