"""The commands of the analysis, run as modules from a checkout."""

import importlib
import subprocess
import sys
from pathlib import Path

import pytest

from analysis.options import run
from tests.analysis.synthetic import ROOT

COMMANDS = ("tables", "figures", "claims", "cost", "compare", "detectors", "report")


# Each process imports for seconds.
@pytest.mark.parametrize(
    "command", ["cost", *(pytest.param(name, marks=pytest.mark.slow) for name in COMMANDS if name != "cost")]
)
def test_a_command_runs_as_a_module_and_reports_a_missing_folder(command: str, tmp_path: Path) -> None:
    arguments = ["--results", str(tmp_path / "missing"), "--out", str(tmp_path / "out")]
    done = subprocess.run(
        [sys.executable, "-m", f"analysis.{command}", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    expected = f"{tmp_path}/missing: no results folder here; name one with --results DIR\n"
    assert (done.returncode, done.stdout, done.stderr) == (2, "", expected)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_missing_folder_is_the_users_mistake(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [command, "--results", str(tmp_path / "missing"), "--out", str(tmp_path / "out")]
    monkeypatch.setattr(sys, "argv", words)
    with pytest.raises(SystemExit) as end:
        run(importlib.import_module(f"analysis.{command}").main)
    expected = f"{tmp_path}/missing: no results folder here; name one with --results DIR\n"
    assert (end.value.code, *capsys.readouterr()) == (2, "", expected)


def test_no_module_changes_the_import_path() -> None:
    sources = [path.read_text(encoding="utf-8") for path in (ROOT / "analysis").rglob("*.py")]
    assert not [text for text in sources if "sys.path" in text]
