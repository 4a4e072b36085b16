"""The steps of the guides give a loss, a detector, a data set and a model that work."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SWEEPS = [
    "new-data",
    "new-detector",
    "new-loss",
    "new-model",
    "own-data",
    "own-detector",
    "own-loss",
    "own-model",
]
GUIDES = ["a-loss", "a-detector", "a-data-set", "a-model"]
_BLOCK = re.compile(r"^```(python|yaml)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_PLACE = re.compile(r"# (\S+\.py)(?:, in (\w+))?\n")
# What is tested of the additions, beside the tests that they bring.
TESTS = [
    "tests/catalogue/test_descriptors.py",
    "tests/catalogue/test_document.py",
    "tests/science/test_losses.py",
    "tests/science/test_models.py",
    "tests/science/test_disagreement.py",
    "tests/data/test_digits_parity.py",
    "tests/training/test_modes.py",
    "tests/sweep/test_broken_sweeps.py",
]
ADDITIONS = "Taylor or pixels or disagreement or parity or document or descriptors or modes or broken"


@pytest.fixture(scope="module")
def extended(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project with everything that the guides add, their sweeps beside it."""
    copy = tmp_path_factory.mktemp("extended")
    for folder in ("noisebench", "tests", "docs", "sweeps"):
        shutil.copytree(ROOT / folder, copy / folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", copy)
    for guide in GUIDES:
        for kind, block in _BLOCK.findall((ROOT / "docs" / f"adding-{guide}.md").read_text()):
            if kind == "yaml":
                (copy / f"{block.split()[1]}.yaml").write_text(block)
            else:
                add(copy, block)
    return copy


def add(copy: Path, block: str) -> None:
    """Append a block of Python to the file that its first line names, or to a list in that file."""
    place = _PLACE.match(block)
    assert place is not None, block
    path, code = copy / place[1], block[place.end() :]
    text = path.read_text() if path.exists() else ""
    if place[2] is None:
        path.write_text(f"{text}\n\n{code}" if text else code)
        return
    start = re.search(rf"^{place[2]}\b.*[(\[]$", text, re.MULTILINE)
    assert start is not None, place[2]
    end = re.compile(r"^[)\]]$", re.MULTILINE).search(text, start.end())
    assert end is not None
    path.write_text(text[: end.start()] + code + text[end.start() :])


def run(copy: Path, *arguments: str) -> str:
    environment = {**os.environ, "PYTHONPATH": str(copy)}
    done = subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=copy,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_every_guide_ends_with_the_three_places() -> None:
    for guide in GUIDES:
        text = (ROOT / "docs" / f"adding-{guide}.md").read_text()
        places = re.split(r"^#+ The three places to touch$", text, flags=re.MULTILINE)
        assert len(places) == 2
        steps = re.findall(r"^(\d)\. The (implementation|descriptor|test)\b", places[1], re.MULTILINE)
        assert steps == [("1", "implementation"), ("2", "descriptor"), ("3", "test")]


@pytest.mark.slow
def test_small_trials_run_with_the_additions(extended: Path) -> None:
    files = sorted(path.name for path in extended.glob("*.yaml"))
    assert [file.removesuffix(".yaml") for file in files] == SWEEPS
    (extended / "all.yaml").write_text(f"sweep: all\ninclude: [{', '.join(files)}]\n")
    outcome = json.loads(run(extended, "noisebench", "run", "all.yaml", "--inline", "--json"))
    assert (outcome["completed"], outcome["failed"]) == (outcome["total"], 0)
    assert {cell["block"] for cell in outcome["cells"]} == set(SWEEPS)


@pytest.mark.slow
def test_the_tests_of_the_additions_pass(extended: Path) -> None:
    run(extended, "noisebench.catalogue.document")
    passed = run(extended, "pytest", "-q", "-p", "no:cacheprovider", *TESTS, "-k", ADDITIONS)
    count = re.search(r"(\d+) passed", passed)
    assert count is not None
    assert int(count[1]) > 20
