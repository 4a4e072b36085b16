"""Evidence is read as it was written, or it is refused."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from noisebench.records import provenance
from noisebench.records.evidence import DamagedEvidenceError, EvidenceFile, Sharing
from noisebench.science.evidence import Evidence, Traces

ROWS = [{"fold": 0, "epoch": 0, "loss": 0.1 + 0.2, "quantiles": {"wrong": [1e-17, None]}}]


def evidence() -> Evidence:
    rng = np.random.default_rng(0)
    return Evidence(
        labels=np.arange(4) % 3,
        classes=3,
        predicted=np.array([0, 1, 1, 2]),
        test_accuracies=np.array([0.5]),
        probabilities=rng.random((4, 3), dtype=np.float32),
        in_passing=Traces(losses=rng.random((4, 2), dtype=np.float32)),
    )


def file_in(folder: Path, *, keep: bool = True) -> EvidenceFile:
    return EvidenceFile(folder / "evidence" / "1a.evidence", "attempt", Sharing(keep=keep))


def test_evidence_is_read_as_it_was_written(tmp_path: Path) -> None:
    written = evidence()
    file_in(tmp_path).write(written.arrays(), ROWS, "bf16")
    kept = file_in(tmp_path).read()
    assert kept is not None
    assert (kept.rows, kept.fast_path, kept.attempt_id) == (ROWS, "bf16", "attempt")
    again = Evidence.of(kept.arrays)
    for name, array in written.arrays().items():
        assert again.arrays()[name].tobytes() == array.tobytes()
        assert again.arrays()[name].dtype == array.dtype
    assert again.after_epoch is None
    assert again.classes == 3


def test_evidence_that_nobody_else_needs_is_not_written(tmp_path: Path) -> None:
    file_in(tmp_path, keep=False).write(evidence().arrays(), ROWS, None)
    assert list(tmp_path.iterdir()) == []
    assert file_in(tmp_path).read() is None


@pytest.mark.parametrize("position", [0, 40, 200, -1])
def test_a_changed_byte_is_detected(tmp_path: Path, position: int) -> None:
    file = file_in(tmp_path)
    file.write(evidence().arrays(), ROWS, None)
    assert file.path is not None
    content = bytearray(file.path.read_bytes())
    content[position] ^= 1
    file.path.write_bytes(content)
    with pytest.raises(DamagedEvidenceError, match=r"1a\.evidence"):
        file.read()


def test_a_shortened_file_and_one_of_other_code_are_detected(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = file_in(tmp_path)
    file.write(evidence().arrays(), ROWS, None)
    assert file.path is not None
    whole = file.path.read_bytes()
    file.path.write_bytes(whole[:-100])
    with pytest.raises(DamagedEvidenceError):
        file.read()
    file.path.write_bytes(whole)
    monkeypatch.setattr(provenance, "source_hash", lambda: "0" * 16)
    with pytest.raises(DamagedEvidenceError, match="another version"):
        file.read()


def test_names_are_known_without_reading_the_arrays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = file_in(tmp_path)
    assert file.names() == frozenset()
    file.write(evidence().arrays(), ROWS, None)
    assert file.names() == set(evidence().arrays())
    assert file.path is not None
    whole = file.path.read_bytes()
    file.path.write_bytes(whole[:-100])
    assert file.names() == frozenset()
    file.path.write_bytes(whole)
    monkeypatch.setattr(provenance, "source_hash", lambda: "0" * 16)
    assert file.names() == frozenset()


def test_missing_arrays_and_too_few_passes_are_named() -> None:
    found = evidence()
    assert found.lacks({"probabilities": 1, "in-passing.losses": 1}) == []
    assert found.lacks({"after-epoch.losses": 1, "passes": 2}) == ["after-epoch.losses", "passes"]
    with_passes = replace(found, passes=np.zeros((2, 4, 3), dtype=np.float32))
    assert with_passes.lacks({"passes": 2}) == []
    assert with_passes.lacks({"passes": 3}) == ["passes"]
