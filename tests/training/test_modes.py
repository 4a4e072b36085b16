"""Execution modes and their words."""

from dataclasses import fields

import pytest
import torch

from noisebench.catalogue.models import MODELS
from noisebench.errors import InputError
from noisebench.training.modes import OVERRIDE, WORDS, Modes, default_modes, overridden_modes

CPU, GPU = torch.device("cpu"), torch.device("cuda")


def test_modes_and_their_words() -> None:
    parsed = Modes.parse("grouped bf16 channels-last", CPU)
    assert parsed == Modes(torch.bfloat16, channels_last=True, grouped=True)
    assert str(parsed) == "bf16 channels-last grouped"
    assert Modes.parse(str(parsed), CPU) == parsed
    assert str(Modes.parse("compiled", CPU)) == "fp32 compiled"
    assert len(WORDS) == len(fields(Modes)) - 1
    assert str(Modes()) == "fp32"


@pytest.mark.parametrize(("native", "expected"), [(True, "bf16 channels-last"), (False, "fp32")])
def test_half_is_the_16_bit_type_of_the_device(
    native: bool, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": native})
    assert str(Modes.parse("half channels-last", CPU)) == expected


def test_fits_in_fp16_are_not_grouped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **_: False)
    assert str(Modes.parse("half channels-last graph grouped", GPU)) == "fp16 channels-last graph"
    shape = (60_000, 1, 28, 28)
    assert str(default_modes(GPU, "small-cnn", shape)) == "fp16 channels-last graph branches"


@pytest.mark.parametrize("model", [*MODELS, "torchvision:resnet18"])
def test_every_model_has_modes_on_every_kind_of_device(model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **_: True)
    assert default_modes(GPU, model, (3, 32, 32)) != Modes()
    assert not default_modes(CPU, model, (3, 32, 32)).together


def test_models_of_torchvision_train_one_fit_after_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **_: True)
    assert str(default_modes(GPU, "torchvision:resnet18", (3, 32, 32))) == "bf16 channels-last"
    assert str(default_modes(CPU, "torchvision:resnet18", (3, 32, 32))) == "fp32"


def test_tiny_images_are_trained_as_one_model_on_a_cpu() -> None:
    assert str(default_modes(CPU, "small-cnn", (1797, 1, 8, 8))) == "fp32 channels-last grouped"
    assert not default_modes(CPU, "small-cnn", (60_000, 1, 28, 28)).grouped


def test_the_environment_variable_overrides_the_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    assert overridden_modes(CPU) is None
    monkeypatch.setenv(OVERRIDE, "fp32 grouped")
    assert overridden_modes(CPU) == Modes(grouped=True)
    monkeypatch.setenv(OVERRIDE, "fp32")
    assert overridden_modes(CPU) == Modes()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("bf61", "'bf61' is no mode; known: fp32, bf16, fp16, half, channels-last, graph"),
        ("fused", "'fused' is no mode"),
        ("fp32 graph", "a cpu has no CUDA graphs; leave `graph` out"),
        ("fp16 grouped", "depend on each other; leave `grouped` out"),
        ("grouped branches", "either `grouped` or `branches`"),
        ("compiled branches", "branches cannot be compiled"),
    ],
)
def test_bad_words_are_refused(words: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Modes.parse(words, CPU)
