"""An imported sweep runs the code that it names only if the user allows it."""

import shutil
from pathlib import Path

import pytest

from tests.command import noisebench_here
from tests.trials import sweep_text

LOSS = """\
from pathlib import Path
import torch

Path("imported").touch()

def strange(logits, targets):
    return torch.nn.functional.cross_entropy(logits, targets, reduction="none")
"""


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the imported results of a sweep that names a loss of its sender."""
    root = tmp_path_factory.mktemp("imported")
    sender, receiver = root / "sender", root / "receiver"
    for folder in (sender, receiver):
        folder.mkdir()
        (folder / "strange_losses.py").write_text(LOSS)
    (sender / "sweep.yaml").write_text(sweep_text('"strange_losses:strange"', seeds="1", name="demo"))
    assert noisebench_here("run", "sweep.yaml", "--inline", cwd=sender).returncode == 0
    assert noisebench_here("export", "demo", "--out", root / "demo.tar", cwd=sender).returncode == 0
    done = noisebench_here("import", root / "demo.tar", cwd=receiver)
    assert done.returncode == 0, done.stderr
    return receiver


@pytest.fixture
def imported(original: Path, tmp_path: Path) -> Path:
    """A copy of that folder."""
    return Path(shutil.copytree(original, tmp_path / "copy"))


@pytest.mark.slow
def test_code_of_an_imported_sweep_needs_consent_once(imported: Path) -> None:
    refused = noisebench_here("resume", "demo", "--inline", cwd=imported)
    assert refused.returncode == 2
    assert refused.stdout == ""
    assert "runs code that you have not allowed: strange_losses:strange. Read" in refused.stderr
    assert "--allow-code strange_losses" in refused.stderr
    assert not (imported / "imported").exists()
    allowed = noisebench_here("resume", "demo", "--inline", "--allow-code", "strange_losses", cwd=imported)
    assert allowed.returncode == 0, allowed.stderr
    assert noisebench_here("resume", "demo", "--inline", cwd=imported).returncode == 0


@pytest.mark.slow
def test_status_and_plan_of_an_imported_sweep_import_no_code(imported: Path) -> None:
    for command in (["status"], ["failures", "demo"], ["plan", imported / "results/sweeps/demo/spec.yaml"]):
        assert noisebench_here(*command, cwd=imported).returncode == 0
    assert not (imported / "imported").exists()
