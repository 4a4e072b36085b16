"""`make paper` as a user runs it, on results that no paper printed."""

import subprocess
import sys
from pathlib import Path

import pytest

from analysis.figures import FIGURES
from tests.analysis.synthetic import ROOT
from tests.analysis.test_building import complete
from tests.store.results_folder import Folder, trial


@pytest.mark.slow
def test_everything_is_made_and_nothing_looks_like_a_failure(folder: Folder, tmp_path: Path) -> None:
    folder.manifest({"grid": [trial(), trial("MAE")]}, seeds_asked=1)
    complete(folder, (trial(), {"f1": 0.5}), (trial("MAE"), {"f1": 0.6}))
    venv, out = tmp_path / "venv", tmp_path / "out"
    venv.mkdir()
    for name in ("bin", "lib", "pyvenv.cfg"):
        (venv / name).symlink_to(Path(sys.prefix) / name)
    (venv / ".installed").touch()  # the packages are there: make need not install them
    variables = [f"VENV={venv}", f"RESULTS={folder.root}", f"OUT={out}"]
    done = subprocess.run(
        ["make", "paper", *variables], cwd=ROOT, capture_output=True, text=True, check=False, timeout=600
    )
    assert done.returncode == 0, done.stderr
    assert "nothing to compare: no published cell has results" in done.stderr
    assert done.stderr.splitlines()[-1].startswith(f"{out}/report.html: ")
    assert {path.name for path in out.iterdir()} == {
        *("tables", "figures", "report.html"),
        *("claims.md", "cost.md", "detectors.md", "comparison.md", "comparison.csv"),
    }
    assert "0.600" in (out / "tables" / "paper-grid.md").read_text(encoding="utf-8")
    assert len(list((out / "figures").iterdir())) == 3 * len(FIGURES)
