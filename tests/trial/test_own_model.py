"""A model of a user's module: trained as any other, identified by its source, checked before its training."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from noisebench.errors import DataError, InputError
from noisebench.records.checkpoints import Checkpoints
from noisebench.science.models import build
from noisebench.sweep import reference
from noisebench.sweep.trial import Trial
from noisebench.trial.measurement import measure
from tests.training.test_resume import Stopped, StoppingCheckpoints, equal
from tests.trials import sweep_of, trial_of

CPU = torch.device("cpu")
SHAPE = (1, 8, 8)
GOOD = """\
import torch
from torch import nn

torch.rand(1)

def net(shape, classes):
    block = nn.Sequential(nn.Conv2d(shape[0], 8, 3), nn.BatchNorm2d(8), nn.GELU())
    return nn.Sequential(block, nn.Flatten(), nn.Dropout(), nn.LazyLinear(classes))
"""
BAD = """\
import torch
from torch import nn

class Odd(nn.Module):
    def __init__(self, answer):
        super().__init__()
        self.layer, self.answer = nn.Linear(64, 10), answer

    def forward(self, images):
        return self.answer(self, self.layer(images.flatten(1)))

def fails(shape, classes): raise ValueError("no\\nway")
def needs_more(shape, classes, width): pass
def a_function(shape, classes): return lambda images: images
def ten_classes(shape, classes): return nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
def wrong_size(shape, classes): return nn.Sequential(nn.Flatten(), nn.Linear(63, classes))
def pairs(shape, classes): return Odd(lambda _, logits: (logits, logits))
def classes(shape, classes): return Odd(lambda _, logits: logits.long())
def endless(shape, classes): return Odd(lambda _, logits: logits / 0)
def untrained(shape, classes): return nn.Sequential(nn.Flatten(), nn.AdaptiveAvgPool1d(classes))
def not_copied(shape, classes):
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, classes))
    model.first = model(torch.zeros(1, 8, 8))
    return model
def two_heads(shape, classes): return Odd(lambda odd, logits: [logits] if odd.training else logits)
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The current folder, with modules of models; those imported are removed afterwards."""
    (tmp_path / "models_of_a_test.py").write_text(GOOD)
    (tmp_path / "bad_models_of_a_test.py").write_text(BAD)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield tmp_path
    for name in ("models_of_a_test", "bad_models_of_a_test"):
        sys.modules.pop(name, None)


def trial(precision: str = "reference", model: str = "models_of_a_test:net") -> Trial:
    # 400 samples in two folds: the last batch of each has one sample.
    training = f"model: '{model}', epochs: 2, batch_size: 199, learning_rate: 0.01, precision: {precision}"
    return trial_of(training=f"{{{training}}}")


def test_a_sweep_trains_a_model_of_ones_own() -> None:
    first, again = (measure(trial(), None, CPU) for _ in range(2))
    assert equal(first, again)
    assert first.epochs[1]["loss"] < first.epochs[0]["loss"]
    assert measure(trial("fast"), None, CPU).fast_path == "fp32"


def test_a_trial_that_a_new_process_resumes_gives_the_same(tmp_path: Path) -> None:
    whole = measure(trial(), None, CPU)
    with pytest.raises(Stopped):
        # Two epochs and the finished run: the new process starts the second run.
        measure(trial(), None, CPU, StoppingCheckpoints(tmp_path / "kept", 3))
    reference._imported.cache_clear()
    assert equal(measure(trial(), None, CPU, Checkpoints(tmp_path / "kept", epoch_seconds=0)), whole)


def test_its_source_is_part_of_the_identity(folder: Path) -> None:
    before = trial()
    assert trial().trial_id == before.trial_id
    assert Trial.from_fields(before.as_fields()) == before
    assert sweep_of(training="{model: 'models_of_a_test:net', epochs: 1}").references() == [
        "models_of_a_test:net"
    ]
    (folder / "models_of_a_test.py").write_text(GOOD.replace("Conv2d(shape[0], 8", "Conv2d(shape[0], 9"))
    after = trial()
    assert after.trial_id != before.trial_id
    assert after.evidence_id != before.evidence_id
    with pytest.raises(DataError, match="was changed after the sweep was read"):
        measure(before, None, CPU)


def test_other_models_have_no_source() -> None:
    for model in ("small-cnn", "torchvision:resnet18"):
        built = trial_of(training=f"{{model: '{model}', pretrained: false}}")
        assert "model_source" not in built.as_fields()["training"]


@pytest.mark.parametrize(
    ("function", "message"),
    [
        ("fails", r"fails\(\(1, 8, 8\), 7\) raised ValueError: no$"),
        ("needs_more", "missing 1 required positional argument: 'width'$"),
        ("a_function", r"returned a function; it must return a torch\.nn\.Module$"),
        ("ten_classes", r"returned torch.float32 \[2, 10\]; it must return floating-point logits \[2, 7\]$"),
        ("wrong_size", r"in evaluation, for images \[2, 1, 8, 8\], raised RuntimeError: mat1"),
        ("pairs", "returned a tuple; it must return a tensor of logits$"),
        ("classes", r"returned torch.int64 \[2, 10\]"),
        ("endless", "returned logits that are not finite$"),
        ("not_copied", "cannot be copied, as it must be: RuntimeError: Only Tensors created explicitly"),
        ("untrained", "has no parameters to train$"),
        ("two_heads", "in training, for images .* returned a list; it must return a tensor"),
    ],
)
def test_a_function_that_is_wrong_gets_one_clear_error(function: str, message: str) -> None:
    classes = 10 if function in ("endless", "two_heads") else 7
    with pytest.raises(InputError, match=rf"^model bad_models_of_a_test:{function}\b.*{message}"):
        build(f"bad_models_of_a_test:{function}", SHAPE, classes)


def test_a_missing_function_is_refused_with_the_place_in_the_sweep() -> None:
    with pytest.raises(InputError) as refused:
        trial(model="models_of_a_test:nett")
    assert str(refused.value).startswith("test.yaml:8 blocks.grid.training.model: module 'models_of_a_test'")
    assert str(refused.value).endswith("defines no function 'nett'")


def test_there_are_no_pretrained_weights_of_ones_own_model() -> None:
    with pytest.raises(InputError, match="no pretrained weights for models_of_a_test:net"):
        trial_of(training="{model: 'models_of_a_test:net', pretrained: true}")
