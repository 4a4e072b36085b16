"""From decisions to corrected labels and estimates."""

import csv
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from noisebench.errors import DataError, InputError
from noisebench.review.corrections import review, write_labels
from noisebench.review.decisions import COLUMNS, read_decisions
from noisebench.review.files import SuspectFiles
from tests.review.made import write_review

WRONG = np.random.default_rng(1).random(1200) < 0.08


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_review(tmp_path / "pets", WRONG, budget=150)
    return tmp_path / "pets"


def rows_of(
    folder: Path, ids: list[str], view: str = "list", **verdicts: tuple[str, str]
) -> list[dict[str, str]]:
    """Return decisions by someone who knows the truth, but for the given verdicts."""
    table = pd.read_parquet(SuspectFiles(folder).all).set_index("id")
    cards = json.loads(SuspectFiles(folder).report.read_text())["cards"]["hash"]
    rows = []
    for each in ids:
        sample = table.loc[each]
        truth = ("relabel", sample["suggested"]) if WRONG[int(each[1:])] else ("keep", "")
        verdict, corrected = verdicts.get(each, truth)
        row = {"id": each, "sha256": sample["sha256"], "given": sample["given"], "verdict": verdict}
        rows.append({**row, "corrected": corrected, "reviewer": "Ada", "view": view, "cards": cards})
    return rows


def written(path: Path, rows: list[dict[str, str]]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def by_rank(folder: Path) -> list[str]:
    return pd.read_parquet(SuspectFiles(folder).all)["id"].tolist()


def drawn(folder: Path) -> list[str]:
    ids = by_rank(folder)
    return [ids[rank - 1] for rank in json.loads(SuspectFiles(folder).report.read_text())["cards"]["drawn"]]


def test_a_review_corrects_labels_and_estimates_the_rest(folder: Path, tmp_path: Path) -> None:
    rows = rows_of(folder, drawn(folder), "random")
    result = review(folder, written(tmp_path / "d.csv", rows))
    wrong = sum(row["verdict"] == "relabel" for row in rows)
    assert (result.estimates.errors_found, result.relabelled, result.left_out) == (wrong, wrong, 0)
    assert result.verdicts == {
        "keep": len(rows) - wrong,
        "relabel": wrong,
        "several": 0,
        "none": 0,
        "unsure": 0,
    }
    total, remaining = result.estimates.total, result.estimates.remaining
    assert total is not None
    assert remaining is not None
    assert total.low <= WRONG.sum() <= total.high < len(WRONG) / 4
    assert (remaining.low, remaining.high) == (total.low - wrong, total.high - wrong)
    labels = pd.read_csv(SuspectFiles(folder).labels).set_index("id")
    table = pd.read_parquet(SuspectFiles(folder).all).set_index("id")
    assert sorted(labels.index) == sorted(table.index)
    changed = labels.index[labels["label"] != labels["given"]]
    assert set(changed) == {row["id"] for row in rows if row["verdict"] == "relabel"}
    assert (labels.loc[changed, "label"] == table.loc[changed, "suggested"]).all()
    assert table.loc[rows[0]["id"], ["verdict", "reviewer"]].tolist() == [rows[0]["verdict"], "Ada"]
    suspects = pd.read_csv(SuspectFiles(folder).csv, keep_default_na=False)
    assert set(suspects["verdict"]) == {"", "keep", "relabel"}
    assert json.loads(SuspectFiles(folder).report.read_text())["review"]["found"] == wrong


def test_decisions_of_several_files_add_up_and_the_last_on_a_sample_counts(
    folder: Path, tmp_path: Path
) -> None:
    first, second, third = by_rank(folder)[:3]
    review(folder, written(tmp_path / "a.csv", rows_of(folder, [first, second], **{first: ("keep", "")})))
    more = rows_of(folder, [first, third], **{first: ("none", ""), third: ("several", "")})
    result = review(folder, written(tmp_path / "b.csv", more))
    kept = {each.id: str(each.verdict) for each in read_decisions(SuspectFiles(folder).decisions)}
    assert set(kept) == {first, second, third}
    assert (kept[first], kept[third]) == ("none", "several")
    assert (result.left_out, result.estimates.reviewed) == (1, 3)
    assert first not in set(pd.read_csv(SuspectFiles(folder).labels)["id"])


def test_a_class_for_a_sample_that_neither_label_fits_corrects_it(folder: Path, tmp_path: Path) -> None:
    first = by_rank(folder)[0]
    given = pd.read_parquet(SuspectFiles(folder).all)["given"][0]
    other = "dog" if given == "cat" else "cat"
    result = review(folder, written(tmp_path / "d.csv", rows_of(folder, [first], **{first: ("none", other)})))
    assert (result.left_out, result.relabelled) == (0, 1)


def changed(rows: list[dict[str, str]], **values: str) -> list[dict[str, str]]:
    return [{**rows[0], **values}, *rows[1:]]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"sha256": "f" * 64}, "its content has changed"),
        ({"given": "owl"}, "its label is now '.*', reviewed 'owl'"),
        ({"id": "s99999"}, "no such sample"),
        ({"verdict": "relabel", "corrected": "owl"}, "corrected label 'owl' is no class"),
    ],
)
def test_decisions_on_other_data_are_refused_and_nothing_is_written(
    folder: Path, tmp_path: Path, values: dict[str, str], message: str
) -> None:
    rows = changed(rows_of(folder, by_rank(folder)[:3]), **values)
    before = {path: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(InputError, match=message) as error:
        review(folder, written(tmp_path / "d.csv", rows))
    assert "1 of 3 decisions" in str(error.value)
    assert {path: path.read_bytes() for path in folder.iterdir()} == before
    result = review(folder, tmp_path / "d.csv", skip_changed=True)
    assert (len(result.refused), result.estimates.reviewed) == (1, 2)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("id,verdict\ns1,keep\n", "lacks the column sha256, given"),
        (
            "id,sha256,given,verdict\ns1,a,cat,maybe\n",
            r"d.csv:2 verdict 'maybe' is unknown; known: keep, relabel",
        ),
        ("id,sha256,given,verdict,view\ns1,a,cat,keep,x\n", "view 'x' is unknown"),
        ("id,sha256,given,verdict\ns1,a,cat,relabel\n", "needs the right class in the column corrected"),
        ('id,sha256,given,verdict\ns1,"a"b,cat,keep\n', "d.csv:2 is no CSV"),
        ("", "lacks the column"),
    ],
)
def test_a_file_that_holds_no_decisions_is_refused(
    folder: Path, tmp_path: Path, text: str, message: str
) -> None:
    path = tmp_path / "d.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        review(folder, path)
    assert not SuspectFiles(folder).decisions.exists()


def test_bytes_that_are_no_text_and_a_missing_file_are_refused(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "d.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="is not UTF-8 text"):
        review(folder, tmp_path / "d.csv")
    with pytest.raises(InputError, match="cannot be read: No such file"):
        review(folder, tmp_path / "none.csv")
    with pytest.raises(InputError, match="no suspects to review here"):
        review(tmp_path, tmp_path / "d.csv")


def test_hostile_texts_are_unchanged_in_decisions_and_labels(tmp_path: Path) -> None:
    names = ('comma, "quote"\r\nline', "a\u2028b")
    write_review(tmp_path / "pets", WRONG[:60], classes=names)
    folder = tmp_path / "pets"
    rows = rows_of(folder, by_rank(folder)[:20])
    review(folder, written(tmp_path / "d.csv", rows))
    again = read_decisions(SuspectFiles(folder).decisions)
    assert [(each.id, each.given, each.corrected) for each in again] == [
        (row["id"], row["given"], row["corrected"]) for row in rows
    ]
    assert set(COLUMNS) == {*rows[0], "suggested", "decided"}
    assert review(folder, SuspectFiles(folder).decisions).estimates.reviewed == 20


def test_labels_are_written_with_and_without_a_review(folder: Path, tmp_path: Path) -> None:
    assert write_labels(folder, tmp_path / "l.csv") == len(WRONG)
    table = pd.read_csv(tmp_path / "l.csv")
    assert (table["label"] == table["given"]).all()
    first = by_rank(folder)[0]
    review(folder, written(tmp_path / "d.csv", rows_of(folder, [first], **{first: ("none", "")})))
    assert write_labels(folder, tmp_path / "l.parquet") == len(WRONG) - 1
    assert list(pd.read_parquet(tmp_path / "l.parquet")) == [
        "id",
        "path",
        "label",
        "given",
        "verdict",
        "sha256",
    ]
    with pytest.raises(InputError, match=r"must be \.csv or \.parquet"):
        write_labels(folder, tmp_path / "l.xlsx")


def test_decisions_stay_when_the_suspects_are_found_again(folder: Path, tmp_path: Path) -> None:
    first, second = by_rank(folder)[:2]
    rows = rows_of(folder, [first, second], **{second: ("none", "")})
    review(folder, written(tmp_path / "d.csv", rows))
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert write_review(folder, WRONG, budget=150).decisions_left_out == 0
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert write_labels(folder, tmp_path / "l.csv") == len(WRONG) - 1
    labels = pd.read_csv(tmp_path / "l.csv")
    assert labels["id"][labels["label"] != labels["given"]].tolist() == [first]


def test_decisions_that_no_longer_fit_are_counted_and_kept(folder: Path, tmp_path: Path) -> None:
    review(folder, written(tmp_path / "d.csv", rows_of(folder, by_rank(folder)[:2])))
    decisions = SuspectFiles(folder).decisions.read_bytes()
    other = tuple(f"other {row}" for row in range(len(WRONG)))
    assert write_review(folder, WRONG, sha256=other).decisions_left_out == 2
    assert SuspectFiles(folder).decisions.read_bytes() == decisions
    assert json.loads(SuspectFiles(folder).report.read_text())["review"] is None
    assert not SuspectFiles(folder).labels.exists()
    review(folder, written(tmp_path / "d.csv", rows_of(folder, by_rank(folder)[2:3])))
    assert len(read_decisions(SuspectFiles(folder).decisions)) == 3


@pytest.mark.slow
def test_random_cards_of_another_ranking_correct_labels_but_estimate_nothing(
    folder: Path, tmp_path: Path
) -> None:
    rows = rows_of(folder, drawn(folder)[:120], "random")
    found = review(folder, written(tmp_path / "d.csv", rows))
    assert (found.estimates.total is not None, found.not_random) == (True, 0)
    write_review(folder, WRONG, budget=150, seed=6)
    assert json.loads(SuspectFiles(folder).report.read_text())["review"]["total"] is None
    again = review(folder, tmp_path / "d.csv")
    assert (again.estimates.total, again.not_random) == (None, 120)
    assert again.relabelled == found.relabelled > 0
    assert again.verdicts == found.verdicts
    # Decisions that do not name their cards may be of any page.
    unnamed = [{name: value for name, value in row.items() if name != "cards"} for row in rows]
    assert review(folder, written(tmp_path / "e.csv", unnamed)).not_random == 120
    more = rows_of(folder, drawn(folder), "random")
    assert review(folder, written(tmp_path / "f.csv", more)).estimates.total is not None


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{}", "without suspects, by_class, cards"),
        ("[]", "without suspects, by_class, cards"),
        ("[" * 100_000, "recursion"),
        ("{", "Expecting"),
    ],
)
def test_a_damaged_report_is_named_with_what_repairs_it(folder: Path, text: str, problem: str) -> None:
    SuspectFiles(folder).report.write_text(text)
    with pytest.raises(DataError, match=problem) as caught:
        write_labels(folder, folder / "labels-out.csv")
    assert "`noisebench detect DATA` writes both again and keeps the decisions" in str(caught.value)


@pytest.mark.parametrize(
    ("field", "value", "problem"),
    [
        ("suspects", "many", "suspects is no number from 0 to 1200"),
        ("by_class", [{"name": 5}], "by_class names no classes"),
        ("cards", [], "listed is no number"),
        (
            "cards",
            {"listed": 3, "ends": [900, 30], "drawn": []},
            "ends are not ranks in order, the last 1200",
        ),
        ("cards", {"listed": 3, "ends": [1200], "drawn": [0]}, "drawn are not ranks from 1 to 1200"),
    ],
)
def test_a_report_with_a_damaged_field_is_refused_and_nothing_is_written(
    folder: Path, tmp_path: Path, field: str, value: object, problem: str
) -> None:
    decisions = written(tmp_path / "d.csv", rows_of(folder, by_rank(folder)[:3]))
    report = SuspectFiles(folder).report
    report.write_text(json.dumps({**json.loads(report.read_text()), field: value}))
    before = {path: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(DataError, match=problem):
        review(folder, decisions)
    assert {path: path.read_bytes() for path in folder.iterdir()} == before


@pytest.mark.parametrize("column", ["id", "rank", "given"])
def test_a_table_with_damaged_cells_is_refused(folder: Path, column: str) -> None:
    table = pd.read_parquet(SuspectFiles(folder).all)
    table[column] = None if column == "given" else table[column].iloc[0]
    table.to_parquet(SuspectFiles(folder).all)
    with pytest.raises(
        DataError, match=r"an id occurs twice|the ranks are not 1, 2|not every given is a text"
    ):
        write_labels(folder, folder / "labels-out.csv")


def test_a_table_of_other_columns_is_named(folder: Path) -> None:
    pd.DataFrame({"id": ["a"]}).to_parquet(SuspectFiles(folder).all)
    with pytest.raises(DataError, match="without rank, path, sha256, given, verdict, corrected, reviewer"):
        write_labels(folder, folder / "labels-out.csv")
