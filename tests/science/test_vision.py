"""torchvision can be imported beside any build of torch."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from noisebench import science
from noisebench.science.vision import import_torchvision


def test_the_import_gives_the_whole_package_and_again_the_same() -> None:
    torchvision = import_torchvision()
    assert torchvision is import_torchvision() is sys.modules["torchvision"]
    assert callable(torchvision.models.resnet34)
    assert callable(torchvision.datasets.MNIST)


def test_no_other_module_imports_torchvision() -> None:
    package = Path(science.__file__).parents[1]
    pattern = re.compile(
        r"^\s*(import|from) torchvision|import_module\(.torchvision|__import__\(.torchvision", re.M
    )
    importing = {path.name for path in package.rglob("*.py") if pattern.search(path.read_text())}
    assert importing == {"vision.py"}


@pytest.mark.slow
def test_the_shim_is_only_used_where_torchvision_does_not_import() -> None:
    script = (
        "import importlib\n"
        "try:\n    importlib.import_module('torchvision'); plain = True\n"
        "except RuntimeError:\n    plain = False\n"
        "from noisebench.science import vision\n"
        "vision.import_torchvision()\n"
        "shimmed = vision._declare_missing_operators.cache_info().currsize == 1\n"
        "raise SystemExit(0 if plain != shimmed else 1)\n"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
