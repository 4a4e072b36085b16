"""`noisebench review` and `labels` on the command line."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.command import noisebench_here
from tests.review.made import write_review


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """Results with suspects of one run, and decisions on the three most suspicious."""
    folder = tmp_path / "results" / "suspects" / "pets"
    write_review(folder, np.arange(100) < 15)
    table = pd.read_parquet(folder / "all.parquet").head(3)
    table = table.assign(verdict=["relabel", "keep", "none"], corrected=[table["suggested"][0], "", ""])
    columns = ["id", "sha256", "given", "verdict", "corrected"]
    table[columns].to_csv(tmp_path / "decisions.csv", index=False)
    return tmp_path / "results"


def test_a_review_is_printed_as_lines_or_json(results: Path) -> None:
    words = ("review", "pets", "--decisions", "decisions.csv")
    done = noisebench_here(*words, results=results, cwd=results.parent)
    assert (done.returncode, done.stderr) == (0, "")
    assert "reviewed      3: 1 keep, 1 relabel, 1 none" in done.stdout
    assert "corrected     1 relabelled, 1 left out" in done.stdout
    assert "wrong in all  not known yet: review random cards" in done.stdout
    assert "random cards are left" in done.stdout
    fields = json.loads(noisebench_here(*words, "--json", results=results, cwd=results.parent).stdout)
    assert (fields["reviewed"], fields["found"], fields["next"]["why"]) == (3, 2, "estimate")
    assert all(Path(each).is_file() for each in fields["files"])


def test_labels_are_written_to_a_file(results: Path) -> None:
    done = noisebench_here("labels", "pets", "--out", "corrected.csv", results=results, cwd=results.parent)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "corrected.csv: 100 labels\n")
    assert list(pd.read_csv(results.parent / "corrected.csv"))[:3] == ["id", "path", "label"]


def test_mistakes_end_with_one_message_and_exit_code_2(results: Path) -> None:
    cwd = results.parent
    for words, message in (
        (("review", "cars", "--decisions", "decisions.csv"), "no suspects of 'cars' here; known: pets"),
        (("labels", "cars", "--out", "x.csv"), "no suspects of 'cars' here; known: pets"),
        (("labels", "pets", "--out", "x.txt"), "the ending must be .csv or .parquet"),
        (("review", "pets", "--decisions", "none.csv"), "none.csv: cannot be read: No such file"),
    ):
        done = noisebench_here(*words, results=results, cwd=cwd)
        assert (done.returncode, done.stdout) == (2, "")
        assert message in done.stderr
        assert "Traceback" not in done.stderr
    text = (cwd / "decisions.csv").read_text().splitlines()
    (cwd / "other.csv").write_text(
        "\n".join([text[0], text[1].replace(",relabel", "x,relabel"), *text[2:]]) + "\n"
    )
    done = noisebench_here("review", "pets", "--decisions", "other.csv", results=results, cwd=cwd)
    assert done.returncode == 2
    assert "1 of 3 decisions are on other data or labels" in done.stderr
    done = noisebench_here(
        "review", "pets", "--decisions", "other.csv", "--skip-changed", results=results, cwd=cwd
    )
    assert done.returncode == 0
    assert "left out: " in done.stderr
