"""Functions of users' modules: how they are found, imported and refused."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from noisebench.errors import DataError, InputError
from noisebench.sweep.reference import is_reference, load, source_hash
from noisebench.sweep.sweep import parse_sweep
from noisebench.trial.measurement import measure
from tests.trials import sweep_text, trial_of


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The current folder, empty; modules imported from it are removed afterwards."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield tmp_path
    for name, module in list(sys.modules.items()):
        if str(getattr(module, "__file__", "")).startswith(f"{tmp_path}/"):
            del sys.modules[name]


def test_what_is_written_as_a_reference() -> None:
    assert is_reference("my_losses:soft")
    assert is_reference("my.package.losses:soft")
    assert not any(map(is_reference, ["CE", "a:b:c", "a b:c", ":f", "m:", "../m:f", "m:f()"]))


@pytest.mark.parametrize(
    "name", ["os:system", "shutil:rmtree", "pydoc:pipepager", "os.path:join", "builtins:eval"]
)
def test_functions_of_python_itself_are_refused(name: str, folder: Path) -> None:
    module = name.split(":")[0]
    message = f"module '{module}' is part of Python, whose functions a sweep cannot name"
    for use in (source_hash, load):
        with pytest.raises(InputError, match=message):
            use(name)
    (folder / f"{module.split('.')[0]}.py").write_text("def system(*_): pass\n")
    with pytest.raises(InputError, match=message):
        source_hash(name)


def test_a_data_set_of_python_itself_is_one_clear_error() -> None:
    text = sweep_text(dataset='{name: "pydoc:pipepager", cmd: "id > PWNED"}')
    with pytest.raises(
        InputError, match=r"^test\.yaml:4 blocks\.grid\.dataset\.name: module 'pydoc' is part of"
    ):
        parse_sweep(text, "test.yaml")


@pytest.mark.usefixtures("folder")
def test_modules_of_pythons_own_tests_are_refused() -> None:
    with pytest.raises(InputError, match=r"module 'test\.support' is not found in the current folder"):
        source_hash("test.support:run_unittest")


def test_reading_a_reference_imports_neither_module_nor_package(folder: Path) -> None:
    package = folder / "own_package"
    package.mkdir()
    for file in ("__init__.py", "losses.py"):
        (package / file).write_text("import sys\nsys.imported_by_a_test = True\ndef soft(): pass\n")
    source_hash("own_package.losses:soft")
    source_hash("own_package:soft")
    assert not hasattr(sys, "imported_by_a_test")
    assert load("own_package.losses:soft").__module__ == "own_package.losses"
    assert hasattr(sys, "imported_by_a_test")
    del sys.imported_by_a_test


@pytest.mark.usefixtures("folder")
def test_an_installed_package() -> None:
    assert load("yaml.composer:Composer", source_hash("yaml.composer:Composer")).__name__ == "Composer"
    with pytest.raises(InputError, match=r"module 'yaml' \(.*__init__\.py\) defines no function 'Composer'"):
        source_hash("yaml:Composer")


def test_a_function_that_a_module_only_imports_is_refused(folder: Path) -> None:
    (folder / "borrowing.py").write_text("from os import system\nimport shutil\nremove = shutil.rmtree\n")
    with pytest.raises(InputError, match="defines no function 'system'"):
        source_hash("borrowing:system")
    with pytest.raises(
        InputError, match="'borrowing:remove' is defined in 'shutil'; define it in 'borrowing'"
    ):
        load("borrowing:remove")


@pytest.mark.parametrize("text", ["def soft(:\n", "x = '\0'\n", "(" * 1_000])
def test_a_module_that_is_no_python_is_refused(text: str, folder: Path) -> None:
    (folder / "broken.py").write_text(text)
    with pytest.raises(InputError, match="module 'broken' is not valid Python"):
        source_hash("broken:soft")


def test_a_variable_may_hold_the_function(folder: Path) -> None:
    (folder / "partly.py").write_text(
        "from functools import partial\ndef power(p, q):\n    return p**q\nsquare = partial(power, q=2)\n"
    )
    assert load("partly:square", source_hash("partly:square"))(3) == 9
    (folder / "number.py").write_text("soft = 3\n")
    with pytest.raises(InputError, match="'number:soft' is not a function"):
        load("number:soft")


def test_a_module_edited_after_the_sweep_was_read_is_refused(folder: Path) -> None:
    module = folder / "edited.py"
    module.write_text("def soft():\n    return 1\n")
    first = source_hash("edited:soft")
    assert load("edited:soft", first)() == 1
    module.write_text("def soft():\n    return 2\n")
    second = source_hash("edited:soft")
    with pytest.raises(
        DataError, match=rf"edited\.py was .* \(its hash is {second}, the trial has {first}\)"
    ):
        load("edited:soft", first)
    assert load("edited:soft", second)() == 2


@pytest.mark.slow
def test_a_trial_whose_module_was_edited_gives_no_result(folder: Path) -> None:
    module = folder / "edited_later.py"
    module.write_text("def soft(logits, targets):\n    return logits[:, 0]\n")
    trial = trial_of('"edited_later:soft"')
    module.write_text("def soft(logits, targets):\n    return 0 * logits[:, 0]\n")
    with pytest.raises(DataError, match=r"edited_later\.py was changed after the sweep was read"):
        measure(trial, None, torch.device("cpu"))


def test_a_missing_import_is_one_clear_error(folder: Path) -> None:
    (folder / "lacking.py").write_text("import no_such_module_at_all\ndef soft(): pass\n")
    with pytest.raises(InputError, match="'lacking:soft' cannot be imported: No module named 'no_such"):
        load("lacking:soft", source_hash("lacking:soft"))
    assert "lacking" not in sys.modules
