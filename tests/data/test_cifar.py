"""CIFAR's files: the real ones, and damaged or hostile ones."""

import json
import pickle
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from noisebench.catalogue.component import Component
from noisebench.catalogue.datasets import DATASETS
from noisebench.data import cifar, files
from noisebench.data.datasets import load_dataset
from noisebench.data.files import needed_files, problem
from noisebench.errors import DataError
from tests.data.test_download import content_of
from tests.trials import trial_of

RATES = {
    "CIFAR-10N-aggregate": 0.0901,
    "CIFAR-10N-worst": 0.4021,
    "CIFAR-10N-random1": 0.1723,
    "CIFAR-10N-random2": 0.1812,
    "CIFAR-10N-random3": 0.1764,
}


@pytest.fixture(scope="session")
def cifar_10(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with the real CIFAR-10 files and the human labels."""
    folder = tmp_path_factory.mktemp("data")
    unpack = [sys.executable, str(real_data / "unpack_cifar10.py"), str(folder)]
    subprocess.run(unpack, check=True, capture_output=True)
    (folder / "cifar-n").symlink_to(real_data / "cifar-n")
    return folder


@pytest.mark.slow
@pytest.mark.data
def test_cifar_10_is_complete(cifar_10: Path) -> None:
    trial = trial_of(dataset="CIFAR-10", training="{pretrained: false}")
    assert [problem(file, cifar_10) for file in needed_files([trial])] == [None] * 6
    data = load_dataset(trial.dataset, cifar_10)
    assert data.judged.images.shape == (50_000, 3, 32, 32)
    assert np.bincount(data.judged.labels).tolist() == [5000] * 10
    assert data.test is not None
    assert np.bincount(data.test.labels).tolist() == [1000] * 10
    # The first training image is a frog; its top left pixel is (59, 62, 63).
    assert data.judged.labels[0] == 6
    assert data.judged.images[0, :, 0, 0].tolist() == [59, 62, 63]


@pytest.mark.slow
@pytest.mark.data
@pytest.mark.parametrize("variant", RATES)
def test_cifar_10n_rates(variant: str, cifar_10: Path) -> None:
    data = load_dataset(Component.of(variant, samples=None), cifar_10)
    assert data.human is not None
    assert round(float((data.human != data.judged.labels).mean()), 4) == RATES[variant]


@pytest.mark.slow
@pytest.mark.data
def test_human_labels_out_of_order_are_refused(cifar_10: Path) -> None:
    labels = load_dataset(Component.of("CIFAR-10", samples=None), cifar_10).judged.labels
    with pytest.raises(DataError, match="not those of the training set, or not in the same order"):
        cifar.read_human_labels(cifar_10, "cifar-n/CIFAR-10_human.pt", "worse_label", labels[::-1])


@pytest.fixture(scope="session")
def cifar_100(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """CIFAR-100's layout with its real labels; the images are not available here, and black.

    Its two pickles count as the published ones.
    """
    folder, known = tmp_path_factory.mktemp("data"), {}
    (folder / "cifar-100-python").mkdir()
    human = torch.load(real_data / "cifar-n" / "CIFAR-100_human.pt", weights_only=False)
    test = np.load(real_data / "cifar-100-cleaned" / "cifar100_test_set_original_labels.npy")
    for name, labels in (("train", human["clean_label"]), ("test", test)):
        pixels = np.zeros((len(labels), 3072), dtype=np.uint8)
        batch = {"data": pixels, "fine_labels": [int(label) for label in labels]}
        content = pickle.dumps(batch, protocol=4)
        (folder / "cifar-100-python" / name).write_bytes(content)
        known[f"cifar-100-python/{name}"] = content_of(content)
    for name in ("cifar-n", "cifar-100-cleaned"):
        (folder / name).symlink_to(real_data / name)
    with pytest.MonkeyPatch.context() as patch:
        for path, known_content in known.items():
            patch.setitem(files._KNOWN, path, known_content)
        yield folder


@pytest.mark.slow
@pytest.mark.data
def test_cifar_100n_rate(cifar_100: Path) -> None:
    data = load_dataset(Component.of("CIFAR-100N", samples=None), cifar_100)
    assert data.human is not None
    assert round(float((data.human != data.judged.labels).mean()), 4) == 0.4020


@pytest.mark.slow
@pytest.mark.data
def test_cleaned_test_set_keeps_the_confirmed_images(cifar_100: Path) -> None:
    data = load_dataset(Component.of("CIFAR-100-cleaned-test", corrupt_training=True), cifar_100)
    assert len(data.judged.labels) == 9_415 == DATASETS["CIFAR-100-cleaned-test"].samples
    assert data.training is not None
    assert len(data.training.labels) == 50_000


@pytest.mark.data
def test_verdicts_on_another_test_set_are_refused(cifar_100: Path) -> None:
    with pytest.raises(DataError, match="not the labels of the test set"):
        cifar.kept_test_images(cifar_100 / "cifar-100-cleaned", np.zeros(10_000, dtype=np.int64))


def batch_of(**changes: object) -> bytes:
    batch: dict[str, object] = {"data": np.zeros((4, 3072), dtype=np.uint8), "labels": [0, 1, 2, 9]}
    return pickle.dumps({**batch, **changes}, protocol=2)


class Hostile:
    """Runs a command if it is unpickled without restriction."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        import os

        return os.system, ("touch /tmp/noisebench-was-here",)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "damaged, or no CIFAR pickle"),
        (b"<html>not found</html>", "damaged, or no CIFAR pickle"),
        (pickle.dumps({"data": bytes(9999), "labels": [0]})[:5000], "damaged, or no CIFAR pickle"),
        (pickle.dumps(Hostile()), r"damaged.*\(it asks for posix\.system, which no CIFAR file needs"),
        (pickle.dumps({"data": 1}), "no CIFAR batch with `data` and `labels`"),
        (pickle.dumps([1, 2]), "no CIFAR batch"),
    ],
    ids=["empty", "html", "truncated", "hostile", "no-labels", "a-list"],
)
def test_damaged_pickles_are_named(content: bytes, message: str) -> None:
    with pytest.raises(DataError, match=f"batch: {message}"):
        cifar.parse_batch(content, Path("batch"), "labels", 10)
    assert not Path("/tmp/noisebench-was-here").exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"labels": [0, 1, 2, 10]}, r"labels run from 0 to 10, must lie in 0\.\.9"),
        ({"labels": [0, 1, 2]}, r"data is uint8 \[4, 3072\], must be uint8 \[3, 3072\]"),
        ({"data": np.zeros((4, 3072))}, "data is float64"),
    ],
)
def test_batches_with_wrong_content_are_named(changes: dict[str, object], message: str) -> None:
    with pytest.raises(DataError, match=message):
        cifar.parse_batch(batch_of(**changes), Path("batch"), "labels", 10)


CRASHING = """
import pickle, sys
from pathlib import Path
import numpy as np
from noisebench.data import cifar

class Dtype:  # eight bytes of the file are used as the address of an object
    def __reduce__(self):
        return np.dtype, ("V8",), (3, "|", None, ("a",), {"a": (np.dtype("O"), 0)}, 8, 1, 0)

class Array:
    def __reduce__(self):
        state = (1, (1,), Dtype(), False, b"A" * 8)
        return np._core.multiarray._reconstruct, (np.ndarray, (0,), b"b"), state

path = Path(sys.argv[1]) / "cifar-10-batches-py" / "data_batch_1"
path.parent.mkdir()
path.write_bytes(pickle.dumps({"data": Array(), "labels": Array()}, protocol=2))
cifar.read_batches(Path(sys.argv[1]), ["cifar-10-batches-py/data_batch_1"], "labels", 10)
"""


@pytest.mark.slow
def test_a_pickle_is_verified_before_it_is_unpickled(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", CRASHING, str(tmp_path), "verified"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "data_batch_1: not the published file: it holds" in done.stderr


def test_a_missing_batch_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"test_batch: missing; `noisebench prepare` fetches it"):
        cifar.read_batches(tmp_path, ["cifar-10-batches-py/test_batch"], "labels", 10)


def test_batches_are_read_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in (0, 1):
        pixels = np.arange(4 * 3072, dtype=np.int64).reshape(4, 3072) + number
        content = batch_of(data=(pixels % 256).astype(np.uint8), labels=[number] * 4)
        (tmp_path / str(number)).write_bytes(content)
        monkeypatch.setitem(files._KNOWN, str(number), content_of(content))
    images, labels = cifar.read_batches(tmp_path, ["1", "0"], "labels", 10)
    assert labels.tolist() == [1] * 4 + [0] * 4
    assert images[0, 0, 0, :3].tolist() == [1, 2, 3]  # red channel, first row


@pytest.mark.parametrize("damage", ["missing", "truncated", "text"])
def test_damaged_human_labels_are_named(tmp_path: Path, damage: str, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "cifar-n" / "CIFAR-10_human.pt"
    path.parent.mkdir()
    if damage == "truncated":
        torch.save({"clean_label": torch.zeros(3)}, path)
        path.write_bytes(path.read_bytes()[:100])
    elif damage == "text":
        path.write_text("not found")
        monkeypatch.setitem(files._KNOWN, "cifar-n/CIFAR-10_human.pt", content_of(b"not found"))
    message = r"CIFAR-10_human\.pt: (missing|not the published file|no label file of CIFAR-N)"
    with pytest.raises(DataError, match=message):
        cifar.read_human_labels(
            tmp_path, "cifar-n/CIFAR-10_human.pt", "worse_label", np.zeros(3, dtype=np.int64)
        )


@pytest.mark.data
def test_damaged_verdicts_are_named(tmp_path: Path, real_data: Path) -> None:
    shutil.copytree(real_data / "cifar-100-cleaned", tmp_path / "verdicts")
    path = tmp_path / "verdicts" / "cifar100_mturk.json"
    path.chmod(0o644)
    path.write_text(json.dumps([{"id": 1}]))
    with pytest.raises(DataError, match="verdicts on CIFAR-100's test set are damaged"):
        cifar.kept_test_images(tmp_path / "verdicts", np.zeros(10_000, dtype=np.int64))
