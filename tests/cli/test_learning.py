"""A model that does not learn is named after its first fold, by `detect` and by `status`."""

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest

from noisebench.records.first_fold import Counts, first_fold, note_first_fold
from tests.command import COMMAND, environment_of, noisebench_here

WARNING = "warning: after the first fold, the model does not learn: CE"


@pytest.mark.slow
def test_a_running_detect_and_the_status_of_its_sweep_say_so_after_one_fold(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "noise.npz", X=rng.normal(size=(200, 3)), y=rng.integers(0, 2, 200))
    words = ("noise.npz", "--model", "linear", "--loss", "CE", "--set", "training.epochs=2000", "--inline")
    environment = environment_of(tmp_path / "results")
    with subprocess.Popen(
        [*COMMAND, "detect", *words], cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        lines = iter(process.stderr)
        seen = next((line for line in lines if line.startswith(WARNING)), "")
        process.kill()
    assert "another --model, or features of a pretrained model" in seen
    assert not list(tmp_path.glob("results/scores/*/*.parquet"))
    done = noisebench_here("status", "noise", results=tmp_path / "results", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert f"    {seen}" in done.stdout
    state = json.loads(
        noisebench_here("status", "noise", "--json", results=tmp_path / "results", cwd=tmp_path).stdout
    )
    assert f"warning: {state['warning']}\n" == seen


def test_the_first_fold_is_noted_once(tmp_path: Path) -> None:
    folder = tmp_path / "trial"
    assert first_fold(folder) is None
    note_first_fold(folder, Counts(20, 9, 11))
    note_first_fold(folder, Counts(20, 20, 11))
    assert first_fold(folder) == Counts(20, 9, 11)
    note_first_fold(None, Counts(20, 9, 11))


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"samples": 0, "right": 0, "largest": 0}', '{"samples": 2, "right": 3, "largest": 1}'],
)
def test_a_damaged_note_says_nothing(text: str, tmp_path: Path) -> None:
    (tmp_path / "first-fold.json").write_text(text)
    assert first_fold(tmp_path) is None
