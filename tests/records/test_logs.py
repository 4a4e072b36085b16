"""The output of trials is logged line by line with the attempt."""

import os
import sys
from pathlib import Path

import pytest

from noisebench.records import logs
from noisebench.records.attempts import now
from noisebench.records.folders import ResultsFolder
from noisebench.records.logs import Log, lines_of


def printed(results: ResultsFolder, log: Log, attempt: str) -> list[str]:
    return [line.split(" ", 1)[1] for line in lines_of(results, log.path, attempt)]


def test_lines_are_separated_by_attempt(tmp_path: Path) -> None:
    results = ResultsFolder(tmp_path)
    log = Log(results.sweep("sweep"))
    for attempt in ("first", "second"):
        with log.of(attempt):
            print("one\ntwo of", attempt)
            print("an error", file=sys.stderr)
            print("no end of line", end="")
    assert printed(results, log, "first") == ["one", "two of first", "an error", "no end of line"]
    assert printed(results, log, "second") == ["one", "two of second", "an error", "no end of line"]
    assert printed(results, log, "third") == []


def test_stdout_is_restored(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Log(ResultsFolder(tmp_path).sweep("sweep")).of("a"):
        print("kept")
    print("after")
    assert capsys.readouterr() == ("after\n", "")


def test_an_echo_goes_to_the_original_stream(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    results = ResultsFolder(tmp_path)
    log = Log(results.sweep("sweep"), echo=True)
    with log.of("a"):
        print("seen")
    assert capsys.readouterr().out == "seen\n"
    assert printed(results, log, "a") == ["seen"]


def test_an_unwritable_log_does_not_fail_the_trial(tmp_path: Path) -> None:
    results = ResultsFolder(tmp_path)
    (tmp_path / "sweeps").write_text("a file in place of the folder")
    log = Log(results.sweep("sweep"))
    with log.of("a"):
        print("lost")
    assert printed(results, log, "a") == []


@pytest.mark.parametrize("name", ["../key", "sweeps/sweep/logs/link", "sweeps/sweep/logs/pipe", "key"])
def test_only_regular_files_among_the_logs_are_read(tmp_path: Path, name: str) -> None:
    results = ResultsFolder(tmp_path / "results")
    folder = results.sweep("sweep").logs
    folder.mkdir(parents=True)
    for key in (tmp_path / "key", results.root / "key"):
        key.write_text("2026-01-01 a secret\n")
    (folder / "link").symlink_to(tmp_path / "key")
    os.mkfifo(folder / "pipe")
    assert list(lines_of(results, name, "a")) == []


@pytest.mark.parametrize("text", ["x" * 9, "", "ä" * 30])
def test_the_size_of_a_log_is_limited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr(logs, "MAX_LOG_BYTES", 1000)
    results = ResultsFolder(tmp_path)
    log = Log(results.sweep("sweep"))
    with log.of("a"):
        for _ in range(1000):
            print(text)
        print("x" * 10_000, end="")
    lines, note = printed(results, log, "a"), "(the log ends here after 1000 bytes)"
    assert (lines[0], lines[-1]) == (text, note)
    size = (tmp_path / log.path).stat().st_size
    assert 900 < size <= 1000 + len(f"{now()} a {note}\n")


def test_a_log_that_is_replaced_by_a_link_leads_nowhere(tmp_path: Path) -> None:
    results = ResultsFolder(tmp_path / "results")
    log = Log(results.sweep("sweep"))
    (tmp_path / "bashrc").write_text("# my settings\n")
    with log.of("a"):
        print("one")
        (results.root / log.path).unlink()
        (results.root / log.path).symlink_to(tmp_path / "bashrc")
        print("two")
    assert (tmp_path / "bashrc").read_text() == "# my settings\n"


def test_a_linked_log_folder_gets_no_log(tmp_path: Path) -> None:
    folder = ResultsFolder(tmp_path / "results").sweep("sweep")
    folder.path.mkdir(parents=True)
    (tmp_path / "outside").mkdir()
    folder.logs.symlink_to(tmp_path / "outside")
    log = Log(folder)
    with log.of("a"):
        print("lost")
    assert list((tmp_path / "outside").iterdir()) == []


@pytest.mark.parametrize(
    "name", ["a\0b", "sweeps/sweep/logs/a\0b", "sweeps/sweep/logs/\ud800", "sweeps/../logs/a"]
)
def test_a_name_that_no_file_can_have_gives_no_lines(tmp_path: Path, name: str) -> None:
    ResultsFolder(tmp_path).sweep("sweep").logs.mkdir(parents=True)
    assert list(lines_of(ResultsFolder(tmp_path), name, "a")) == []
