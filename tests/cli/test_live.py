"""Lines of progress without a terminal."""

import time

import pytest

from noisebench.cli import live
from noisebench.cli.live import LiveProgress
from noisebench.engine.progress import Progress
from noisebench.records.attempts import Status


def test_lines_are_printed_while_all_places_are_taken(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(live, "PLAIN_LINE_SECONDS", 0.05)
    with LiveProgress("demo") as shown:
        progress = Progress(9, 0, 0, 9, on_change=shown.update)
        for _ in range(2):
            progress.started()
        text = ""
        while text.count("\n") < 2:
            time.sleep(0.05)
            text += capsys.readouterr().err
        # Between these two calls one place is free.
        progress.settled(Status.COMPLETED)
        progress.started()
    assert set(text.splitlines()) == {"demo: 0/9 done, 2 running, 7 pending"}
    assert capsys.readouterr().err.splitlines()[-1].startswith("demo: 1/9 done, 2 running, 6 pending")


def test_nothing_is_printed_if_nothing_was_pending(capsys: pytest.CaptureFixture[str]) -> None:
    with LiveProgress("demo"):
        pass
    assert capsys.readouterr() == ("", "")
