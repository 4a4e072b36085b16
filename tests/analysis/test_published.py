"""The papers' printed numbers beside the tables of a results folder."""

from pathlib import Path

import pytest

from analysis.published import load_published
from noisebench.errors import InputError
from noisebench.store.store import open_store
from tests.store.results_folder import Folder

HEADER = "source,dataset,corruption,eta,detector,loss,parameter,value,delay,metric,mean,std,seeds,decimals"


def test_published_numbers_are_read_for_as_long_as_the_store_is_open(folder: Folder, tmp_path: Path) -> None:
    csv = tmp_path / "published.csv"
    csv.write_text(f"{HEADER}\ntable4,CIFAR-100N,human,,confident-learning,CE,,,0,f1,0.6,0.01,5,3\n")
    folder.root.mkdir()
    with open_store(folder.results) as store:
        before = folder.results.database.read_bytes()
        load_published(store, csv)
        load_published(store, csv)  # a second comparison with the same store
        ((*row,),) = store.query(f"SELECT {HEADER} FROM published").rows()
    first, last = ["table4", "CIFAR-100N", "human", None], [0, "f1", 0.6, 0.01, 5, 3]
    assert row == [*first, "confident-learning", "CE", None, None, *last]
    assert folder.results.database.read_bytes() == before


@pytest.mark.parametrize("text", [f"{HEADER}\nx,y,z,high,,,,,,,,,,\n", "other\n1\n"])
def test_a_file_that_does_not_fit_is_refused(folder: Folder, tmp_path: Path, text: str) -> None:
    csv = tmp_path / "published.csv"
    csv.write_text(text)
    folder.root.mkdir()
    with open_store(folder.results) as store, pytest.raises(InputError, match=r"published\.csv"):
        load_published(store, csv)
