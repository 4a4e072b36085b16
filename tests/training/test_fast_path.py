"""The words of a fast path."""

import pytest
import torch

from noisebench.catalogue.models import MODELS
from noisebench.errors import InputError
from noisebench.training import fast_path
from noisebench.training.fast_path import OVERRIDE, FastPath

CPU = torch.device("cpu")


def test_a_path_is_its_words() -> None:
    path = FastPath.parse("fused bf16 channels-last", CPU)
    assert path == FastPath(torch.bfloat16, channels_last=True, fused=True)
    assert str(path) == "bf16 channels-last fused"
    assert FastPath.parse(str(path), CPU) == path
    assert str(FastPath.parse("compiled", CPU)) == "fp32 compiled"


@pytest.mark.parametrize(("native", "expected"), [(True, "bf16 channels-last"), (False, "fp32")])
def test_half_is_what_the_processor_computes_in(
    native: bool, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": native})
    assert str(FastPath.parse("half channels-last", CPU)) == expected


def test_runs_are_not_fused_where_they_would_share_the_scale_of_the_loss(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **_: False)
    path = FastPath.of(torch.device("cuda"), "small-cnn", (60_000, 1, 28, 28))
    assert str(path) == "fp16 channels-last graph"


def test_every_model_has_a_path_on_every_kind_of_device() -> None:
    kinds = [(kind, model) for kind in ("cpu", "cuda") for model in MODELS]
    assert sorted(fast_path._TABLE) == sorted(kinds)
    for model in MODELS:
        assert not FastPath.of(CPU, model, (3, 32, 32)).fused


def test_tiny_images_are_trained_as_one_model_on_a_cpu() -> None:
    assert str(FastPath.of(CPU, "small-cnn", (1797, 1, 8, 8))) == "fp32 channels-last fused"
    assert not FastPath.of(CPU, "small-cnn", (60_000, 1, 28, 28)).fused


def test_the_environment_overrides_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(OVERRIDE, "fp32 fused")
    assert FastPath.of(CPU, "small-cnn", (1, 28, 28)) == FastPath(fused=True)
    monkeypatch.setenv(OVERRIDE, "fp32")
    assert FastPath.of(CPU, "small-cnn", (1, 8, 8)) == FastPath()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("bf61", "'bf61' is no part of a fast path; known: fp32, bf16, fp16, half, channels-last, graph"),
        ("fp32 graph", "a cpu has no CUDA graphs; leave `graph` out"),
        ("fp16 fused", "a run depend on its neighbours; leave `fused` out"),
    ],
)
def test_bad_words_are_refused(words: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        FastPath.parse(words, CPU)
