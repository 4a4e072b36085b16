"""Pretrained weights are used only if their content is the published one, in every process anew."""

import hashlib
import io
from pathlib import Path

import pytest
import torch

from noisebench.catalogue.files import Content, DataFile
from noisebench.errors import DataError
from noisebench.science import vision
from noisebench.science.vision import weights_file
from noisebench.training import weights
from noisebench.training.weights import pretrained_state

MODEL = "torchvision:mobilenet_v3_small"


@pytest.fixture(autouse=True)
def _as_a_new_process() -> None:
    weights._load.cache_clear()


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


def test_missing_weights_are_named_with_their_address(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"mobilenet_v3_small-\w{8}\.pth: missing; .* fetches https://"):
        pretrained_state(MODEL, tmp_path)
