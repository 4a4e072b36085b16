"""Every descriptor agrees with its implementation, and reading the catalogue imports nothing heavy."""

import inspect
import math
import subprocess
import sys
from collections.abc import Mapping

import pytest

from noisebench.catalogue.corruptions import CORRUPTIONS
from noisebench.catalogue.datasets import DATASETS, FOLDER
from noisebench.catalogue.descriptor import Descriptor
from noisebench.catalogue.detectors import DETECTORS
from noisebench.catalogue.losses import LOSSES
from noisebench.catalogue.models import MODELS
from noisebench.catalogue.parameters import FROM_RECIPE, REQUIRED
from noisebench.catalogue.training import SCHEDULES, TRAINING
from noisebench.sweep.trial import Training

CATALOGUES: Mapping[str, Mapping[str, Descriptor]] = {
    "losses": LOSSES,
    "corruptions": CORRUPTIONS,
    "detectors": DETECTORS,
    "datasets": {**DATASETS, FOLDER.name: FOLDER},
    "models": MODELS,
    "schedules": SCHEDULES,
}
ALL = [(kind, name) for kind, descriptors in CATALOGUES.items() for name in descriptors]


def arguments(descriptor: Descriptor, first: int) -> dict[str, inspect.Parameter]:
    """Return the parameters of an implementation after its `first` positional ones."""
    return dict(list(inspect.signature(descriptor.load()).parameters.items())[first:])


@pytest.mark.parametrize(("kind", "name"), ALL)
def test_every_implementation_exists_with_a_docstring(kind: str, name: str) -> None:
    descriptor = CATALOGUES[kind][name]
    assert descriptor.name == name
    assert descriptor.load().__doc__


@pytest.mark.parametrize("name", LOSSES)
def test_parameters_of_a_loss_are_those_of_its_function(name: str) -> None:
    loss = LOSSES[name]
    taken = arguments(loss, 2)
    known = {key: value for key, value in loss.parameters.items() if key != loss.l1}
    assert set(known) == set(taken)
    for key, parameter in known.items():
        if parameter.default not in (REQUIRED, FROM_RECIPE):
            assert parameter.default == taken[key].default, key
        elif parameter.default is REQUIRED:
            assert taken[key].default is inspect.Parameter.empty, key


@pytest.mark.parametrize("name", SCHEDULES)
def test_parameters_of_a_schedule_are_those_of_its_function(name: str) -> None:
    assert set(SCHEDULES[name].parameters) == set(arguments(SCHEDULES[name], 1))


@pytest.mark.parametrize("name", DATASETS)
def test_options_of_a_data_set_are_those_of_its_reader(name: str) -> None:
    assert set(DATASETS[name].options) == set(arguments(DATASETS[name], 1))


def test_parameters_of_a_folder_are_those_of_its_reader() -> None:
    assert {*FOLDER.parameters, "content"} == set(arguments(FOLDER, 1))


def test_fields_of_training_and_of_every_recipe_are_those_of_the_trial() -> None:
    fields = set(Training.__dataclass_fields__)
    assert {*TRAINING, "schedule", "model_source", "weights_content"} == fields
    for dataset in DATASETS.values():
        for detector in DETECTORS:
            assert set(dataset.recipe.training_for(detector)) == fields - {
                "model_source",
                "weights",
                "weights_content",
            }


def test_names_that_descriptors_give_are_parameters_of_theirs() -> None:
    for loss in LOSSES.values():
        assert {loss.swept, loss.l1} - {None} <= set(loss.parameters)
        assert loss.swept is None or math.isfinite(loss.parameters[loss.swept].low)
        for name, parameter in loss.parameters.items():
            assert parameter.default is not FROM_RECIPE or all(
                name in dataset.recipe.losses for dataset in DATASETS.values()
            )
    for detector in DETECTORS.values():
        assert set(detector.training.parameters) <= set(detector.parameters)
        assert detector.training.fits is None or detector.training.fits in detector.parameters


@pytest.mark.parametrize(
    "module", ["sweep.sweep", "sweep.cost", "sweep.identity", "catalogue.losses", "catalogue.datasets"]
)
def test_a_sweep_imports_nothing_heavy(module: str) -> None:
    heavy = {"torch", "ray", "duckdb", "numpy"}
    code = f"import sys, noisebench.{module}; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
