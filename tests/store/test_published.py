"""The papers' printed numbers in the database."""

from pathlib import Path

import pytest

from noisebench.errors import InputError
from noisebench.store.ingest import ingest
from noisebench.store.published import load_published
from noisebench.store.query import query
from tests.store.results_folder import Folder, started, trial

HEADER = "source,dataset,corruption,eta,detector,loss,parameter,value,delay,metric,mean,std,seeds,decimals"


def test_published_numbers_replace_what_was_loaded(folder: Folder, tmp_path: Path) -> None:
    csv = tmp_path / "published.csv"
    csv.write_text(f"{HEADER}\ntable4,CIFAR-100N,human,,confident-learning,CE,,,0,f1,0.6,0.01,5,3\n")
    for _ in range(2):
        load_published(folder.results, csv)
    folder.journal(started(trial(), "a"))
    expected = (
        "table4",
        "CIFAR-100N",
        "human",
        None,
        "confident-learning",
        "CE",
        None,
        None,
        0,
        "f1",
        0.6,
        0.01,
        5,
        3,
    )
    assert query(folder.results, "FROM published").rows() == [expected]


def test_what_is_loaded_already_is_not_written_again(folder: Folder, tmp_path: Path) -> None:
    csv = tmp_path / "published.csv"
    csv.write_text(f"{HEADER}\ntable4,CIFAR-100N,human,,confident-learning,CE,,,0,f1,0.6,0.01,5,3\n")
    load_published(folder.results, csv)
    before = folder.results.database.stat()
    load_published(folder.results, csv)
    assert folder.results.database.stat().st_ino == before.st_ino
    csv.write_text(csv.read_text().replace("0.6,", "0.7,"))
    load_published(folder.results, csv)
    assert query(folder.results, "SELECT mean FROM published").rows() == [(0.7,)]
    ingest(folder.results, rebuild=True)
    load_published(folder.results, csv)
    assert query(folder.results, "SELECT mean FROM published").rows() == [(0.7,)]


@pytest.mark.parametrize("text", [f"{HEADER}\nx,y,z,high,,,,,,,,,,\n", "other\n1\n"])
def test_a_file_that_does_not_fit_is_refused(folder: Folder, tmp_path: Path, text: str) -> None:
    csv = tmp_path / "published.csv"
    csv.write_text(text)
    with pytest.raises(InputError, match=r"published\.csv"):
        load_published(folder.results, csv)
    assert query(folder.results, "FROM published").rows() == []
