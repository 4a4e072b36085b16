"""Pretrained weights are used only if their content is the published one, in every process anew."""

import hashlib
import io
from pathlib import Path

import pytest
import torch

from noisebench.catalogue.files import Content, DataFile
from noisebench.errors import DataError, InputError
from noisebench.science import vision
from noisebench.science.models import build
from noisebench.science.vision import import_torchvision, weights_file
from noisebench.sweep.trial import Training
from noisebench.training import weights
from noisebench.training.weights import initial_state, pretrained_state
from tests.trials import trial_of

MODEL = "torchvision:mobilenet_v3_small"


@pytest.fixture(autouse=True)
def _as_a_new_process() -> None:
    weights._load.cache_clear()
    weights.user_state.cache_clear()


def state_file() -> bytes:
    buffer = io.BytesIO()
    torch.save({"layer.weight": torch.arange(4.0)}, buffer)
    return buffer.getvalue()


@pytest.fixture
def published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file of weights that torchvision would publish: its name ends with the start of its hash."""
    content = state_file()
    name = f"made-{hashlib.sha256(content).hexdigest()[:8]}.pth"
    expected = Content(len(content), f"sha256:{name[5:13]}", partly_known=True)
    file = DataFile(f"weights/{name}", expected, f"https://localhost/{name}")
    monkeypatch.setattr(vision, "weights_file", lambda _: file)
    path = tmp_path / "weights" / name
    path.parent.mkdir()
    path.write_bytes(content)
    return path


def test_the_published_weights_are_read(published: Path) -> None:
    state = pretrained_state(MODEL, published.parents[1])
    assert torch.equal(state["layer.weight"], torch.arange(4.0))


@pytest.mark.parametrize("change", ["one bit", "shorter", "other weights"])
def test_a_changed_file_of_weights_is_refused(published: Path, change: str) -> None:
    pretrained_state(MODEL, published.parents[1])
    content = bytearray(published.read_bytes())
    if change == "one bit":
        content[content.index(torch.arange(4.0).numpy().tobytes()) + 7] ^= 1
    elif change == "shorter":
        del content[-1:]
    else:
        buffer = io.BytesIO()
        torch.save({"layer.weight": torch.zeros(4)}, buffer)
        content = bytearray(buffer.getvalue())
    published.write_bytes(content)
    weights._load.cache_clear()
    seen = hashlib.sha256(content).hexdigest()
    with pytest.raises(DataError, match=rf"{published.name}: not the published file: its sha256 is {seen}"):
        pretrained_state(MODEL, published.parents[1])


def test_a_file_that_changes_in_a_process_changes_no_later_trial(published: Path) -> None:
    before = pretrained_state(MODEL, published.parents[1])
    published.write_bytes(b"changed")
    assert pretrained_state(MODEL, published.parents[1]) is before


def test_another_file_under_torchvisions_own_name_is_refused(tmp_path: Path) -> None:
    name = Path(weights_file(MODEL.removeprefix("torchvision:")).path).name
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / name).write_bytes(state_file())
    with pytest.raises(DataError, match=rf"{name}: not the published file"):
        pretrained_state(MODEL, tmp_path)


def user_weights(path: Path, classes: int) -> dict[str, torch.Tensor]:
    """Write a state dict of a model with so many classes, and return it."""
    torch.manual_seed(classes)
    model = import_torchvision().models.get_model("mobilenet_v3_small", num_classes=classes)
    state: dict[str, torch.Tensor] = model.state_dict()
    torch.save(state, path)
    return state


def test_weights_of_a_user_are_those_of_all_layers_but_the_last(tmp_path: Path) -> None:
    state = user_weights(tmp_path / "w.pth", 7)
    text = f"{{model: '{MODEL}', weights: {tmp_path / 'w.pth'}}}"
    training = trial_of(training=text).training
    assert training.weights_content == hashlib.sha256((tmp_path / "w.pth").read_bytes()).hexdigest()[:16]
    model = build(MODEL, (3, 32, 32), 3, initial_state(training, None))
    ours = {name.removeprefix("model."): value for name, value in model.state_dict().items()}
    assert {name for name in state if not torch.equal(ours[name], state[name])} == {
        "classifier.3.weight",
        "classifier.3.bias",
    }
    assert Training.from_fields(training.as_fields()) == training


def test_the_content_of_weights_is_part_of_the_trial(tmp_path: Path) -> None:
    path = tmp_path / "w.pth"
    text = f"{{model: '{MODEL}', weights: {path}}}"
    ids = []
    for classes in (7, 8):
        user_weights(path, classes)
        trial = trial_of(training=text)
        ids.append(trial.trial_id)
    assert len(set(ids)) == 2
    path.write_bytes(b"other")
    weights.user_state.cache_clear()
    with pytest.raises(DataError, match=r"w\.pth: was changed after the sweep was read"):
        initial_state(trial.training, None)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            {"a": torch.ones(1)},
            r"fit torchvision's mobilenet_v3_small: 87 layers before the last one are miss",
        ),
        ([torch.ones(1)], r"w\.pth: holds no state dict"),
        ({"model": {"a": torch.ones(1)}}, r"w\.pth: holds no state dict"),
        (Path("a class"), r"w\.pth: no weights \(Weights only load failed"),
    ],
)
def test_other_files_get_one_message(content: object, message: str, tmp_path: Path) -> None:
    torch.save(content, tmp_path / "w.pth")
    training = trial_of(training=f"{{model: '{MODEL}', weights: {tmp_path / 'w.pth'}}}").training
    with pytest.raises(DataError, match=message):
        build(MODEL, (3, 32, 32), 3, initial_state(training, None))


@pytest.mark.parametrize(
    ("training", "message"),
    [
        ("{weights: nowhere.pth, model: 'torchvision:resnet18'}", "nowhere.pth cannot be read: No such file"),
        (f"{{weights: {__file__}}}", "weights are for models of torchvision, such as torchvision:resnet18"),
        (f"{{weights: {__file__}, model: '{MODEL}', pretrained: true}}", "two files of weights; leave one"),
    ],
)
def test_a_sweep_names_weights_that_can_be_used(training: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        trial_of(training=training)


def test_missing_weights_are_named_with_their_address(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"mobilenet_v3_small-\w{8}\.pth: missing; .* fetches https://"):
        pretrained_state(MODEL, tmp_path)
