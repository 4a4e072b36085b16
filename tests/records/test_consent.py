"""Code of an imported sweep runs only after the user allows it."""

import json
import os
from pathlib import Path

import pytest

from noisebench.errors import InputError
from noisebench.records.folders import ResultsFolder, SweepFolder
from noisebench.records.manifest import keep_sweep, kept_sweep
from noisebench.sweep.sweep import Sweep, parse_sweep
from tests.trials import sweep_of, sweep_text


@pytest.fixture
def sweep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Sweep:
    monkeypatch.chdir(tmp_path)
    for module in ("own_losses", "own_data"):
        (tmp_path / f"{module}.py").write_text("def made(*arguments):\n    raise RuntimeError\n")
    return parse_sweep(sweep_text('"own_losses:made"', dataset='"own_data:made"'), "test.yaml")


@pytest.fixture
def imported(tmp_path: Path, sweep: Sweep) -> SweepFolder:
    """A sweep whose spec was imported."""
    folder = ResultsFolder(tmp_path / "results").sweep("test")
    folder.path.mkdir(parents=True)
    folder.spec.write_text(sweep.text)
    return folder


def test_code_of_an_imported_sweep_is_refused(imported: SweepFolder) -> None:
    with pytest.raises(InputError) as refused:
        kept_sweep(imported)
    assert str(refused.value) == (
        f"{imported.spec} runs code that you have not allowed: own_data:made, own_losses:made. Read it, and "
        "if you trust it, add --allow-code own_data,own_losses"
    )
    with pytest.raises(InputError, match=r"allowed: own_losses:made\. .* add --allow-code own_losses$"):
        kept_sweep(imported, ["own_data"])


def test_allowed_code_stays_allowed(imported: SweepFolder) -> None:
    sweep = kept_sweep(imported, ["own_data", "own_losses"])
    with pytest.raises(InputError):
        kept_sweep(imported)
    keep_sweep(imported, sweep)
    assert kept_sweep(imported) == sweep


def test_the_code_of_a_sweep_that_the_user_wrote_is_allowed(tmp_path: Path, sweep: Sweep) -> None:
    folder = ResultsFolder(tmp_path / "results").sweep("test")
    keep_sweep(folder, sweep)
    assert kept_sweep(folder) == sweep
    assert json.loads(folder.allowed_code.read_text()) == {"modules": ["own_data", "own_losses"]}
    assert folder.allowed_code.stat().st_mode & 0o777 == 0o600


def test_a_sweep_without_code_writes_no_permission_file(tmp_path: Path) -> None:
    folder = ResultsFolder(tmp_path / "results").sweep("test")
    keep_sweep(folder, sweep_of())
    assert kept_sweep(folder) == sweep_of()
    assert not folder.allowed_code.exists()


@pytest.mark.parametrize("damage", ["group", "others", "link", "fifo", "text", "form"])
def test_a_file_that_another_user_may_have_written_allows_nothing(
    damage: str, imported: SweepFolder, tmp_path: Path
) -> None:
    file, good = imported.allowed_code, json.dumps({"modules": ["own_data", "own_losses"]})
    match damage:
        case "group" | "others":
            file.write_text(good)
            file.chmod(0o660 if damage == "group" else 0o602)
        case "link":
            (tmp_path / "elsewhere").write_text(good)
            (tmp_path / "elsewhere").chmod(0o600)
            file.symlink_to(tmp_path / "elsewhere")
        case "fifo":
            os.mkfifo(file, 0o600)
        case _:
            file.write_text("[" if damage == "text" else '{"modules": 3}')
            file.chmod(0o600)
    with pytest.raises(InputError, match="runs code that you have not allowed"):
        kept_sweep(imported)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a file to another user")
def test_a_file_of_another_user_allows_nothing(imported: SweepFolder) -> None:
    imported.allowed_code.write_text(json.dumps({"modules": ["own_data", "own_losses"]}))
    imported.allowed_code.chmod(0o600)
    assert kept_sweep(imported)
    os.chown(imported.allowed_code, 65534, 65534)
    with pytest.raises(InputError, match="runs code that you have not allowed"):
        kept_sweep(imported)
