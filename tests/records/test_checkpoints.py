"""A checkpoint is read as it was written, or counts as absent."""

from pathlib import Path

import pytest
import torch

from noisebench.records import provenance
from noisebench.records.checkpoints import Checkpoints

CONTENT = {"rows": "[]", "tensors": {"weight": torch.arange(8.0)}}


def write_checkpoint(folder: Path) -> Path:
    """Write a checkpoint; return its file."""
    Checkpoints(folder).write("run-0", CONTENT)
    return folder / "run-0.pt"


def test_a_checkpoint_is_read_back(tmp_path: Path) -> None:
    write_checkpoint(tmp_path)
    content = Checkpoints(tmp_path).read("run-0")
    assert content is not None
    assert content["rows"] == "[]"
    assert torch.equal(content["tensors"]["weight"], torch.arange(8.0))
    assert Checkpoints(tmp_path).read("run-1") is None


def test_a_checkpoint_with_any_flipped_byte_is_absent(tmp_path: Path) -> None:
    path = write_checkpoint(tmp_path)
    whole = path.read_bytes()
    tensor = whole.index(torch.arange(8.0).numpy().tobytes())
    for at in (0, 30, whole.index(b"\n"), tensor, tensor + 31, len(whole) - 1):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        assert Checkpoints(tmp_path).read("run-0") is None
        assert not path.exists()


@pytest.mark.parametrize("content", [CONTENT, {"layers": []}], ids=["no header", "other content"])
def test_a_file_of_another_format_is_absent(tmp_path: Path, content: dict[str, object]) -> None:
    torch.save(content, tmp_path / "run-0.pt")
    assert Checkpoints(tmp_path).read("run-0") is None


def test_a_checkpoint_of_other_code_is_absent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_checkpoint(tmp_path)
    monkeypatch.setattr(provenance, "source_hash", lambda: "0" * 16)
    assert Checkpoints(tmp_path).read("run-0") is None
