"""The catalogue, which imports no torch, agrees with what science and trial have."""

import inspect
import math
import subprocess
import sys

import pytest

from noisebench.catalogue import entries as catalogue
from noisebench.catalogue.parameters import FROM_RECIPE, REQUIRED
from noisebench.data.cifar import HUMAN_KEYS
from noisebench.data.datasets import _READERS
from noisebench.science.corruption import STANDARD_MAPS
from noisebench.science.losses import LOSSES
from noisebench.science.models import MODELS
from noisebench.sweep.identity import SWEPT_PARAMETER
from noisebench.training.objective import OUTSIDE
from noisebench.trial.measurement import ROUTES


def test_names_agree() -> None:
    assert list(catalogue.LOSSES) == list(LOSSES)
    assert set(catalogue.MODELS) == set(MODELS)
    assert set(catalogue.DETECTORS) == set(ROUTES)
    assert set(catalogue.DATASETS) == set(_READERS)
    assert set(catalogue.WITH_STANDARD_MAP) == set(STANDARD_MAPS)
    assert {name for name, entry in catalogue.DATASETS.items() if entry.human} == set(HUMAN_KEYS)


@pytest.mark.parametrize("name", LOSSES)
def test_a_losss_parameters_agree_with_its_signature(name: str) -> None:
    taken = dict(list(inspect.signature(LOSSES[name]).parameters.items())[2:])
    known = {key: value for key, value in catalogue.LOSSES[name].items() if key not in OUTSIDE}
    assert set(known) == set(taken)
    for key, parameter in known.items():
        if parameter.default not in (REQUIRED, FROM_RECIPE):
            assert parameter.default == taken[key].default, key
        elif parameter.default is REQUIRED:
            assert taken[key].default is inspect.Parameter.empty, key


def test_swept_parameters_exist() -> None:
    for loss, parameter in SWEPT_PARAMETER.items():
        assert math.isfinite(catalogue.LOSSES[loss][parameter].low)


@pytest.mark.parametrize("module", ["sweep.sweep", "sweep.cost", "sweep.identity", "catalogue.entries"])
def test_a_sweep_imports_nothing_heavy(module: str) -> None:
    heavy = {"torch", "ray", "duckdb", "numpy"}
    code = f"import sys, noisebench.{module}; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
