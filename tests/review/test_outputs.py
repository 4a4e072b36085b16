"""The files that a run leaves: tables, report, page."""

import ast
import base64
import io
import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from noisebench.review.candidates import Candidate, Rule, as_report
from noisebench.review.files import SuspectFiles
from noisebench.review.outputs import write_suspects
from noisebench.review.summary import Pair, Run
from noisebench.review.suspects import rank
from noisebench.review.thumbnails import SIDE, thumbnail
from tests.review.made import picture, samples_of, scores, write_review

P = [[0.2, 0.7, 0.1], [0.1, 0.8, 0.1], [0.5, 0.2, 0.3], [0.6, 0.3, 0.1]]
RUN = Run("pets", "photos/", "0123abcd", {"loss": "CE"}, notes=("A note.",), bracket=(1, 3))

# What a folder of a stranger may hold as names of classes and files.
HOSTILE = (
    "</script><script>document.title='PWNED'</script>",
    "<!--<script>",
    "\"'><img src=x onerror=\"document.title='PWNED'\">",
    "a\u2028b\u2029c",
    "\u202egpj.exe\u202c עברית",
    "long" * 500,
    'comma, quote " and\nline',
    "=cmd()|'x'!A0",
    "{{ 7 * 7 }}{% raw %}",
    "byte \udcff of no text",
)


def test_tables_hold_the_columns_by_rank(tmp_path: Path) -> None:
    samples = samples_of([0, 1, 2, 0], sha256=("a", "b", "a", "c"), notes=("", "", "dark", ""))
    trials = [
        scores([True, False, True, False], P, [0.8, 0.9, 0.95, 0.4]),
        scores([True, False, False, False], None, [0.8, 0.9, 0.95, 0.4], detector="aum"),
    ]
    ranked = replace(rank(samples, trials), precision=(np.linspace(0.5, 0.2, 4), np.linspace(0.9, 0.4, 4)))
    summary = write_suspects(tmp_path, samples, ranked, RUN)
    files = SuspectFiles(tmp_path)
    everyone = pd.read_parquet(files.all)
    assert everyone["id"].tolist() == ["s2", "s0", "s1", "s3"]
    first = everyone.iloc[0].to_dict()
    assert first == {
        **{"rank": 1, "id": "s2", "path": "s2.png", "sha256": "a", "given": "owl", "suggested": "cat"},
        **{"p_given": pytest.approx(0.3), "p_suggested": pytest.approx(0.5), "margin": pytest.approx(0.2)},
        **{"suspicion": 0.95, "suspicion_sd": 0.0, "agreement": 1.0, "flagged_by": "confident-learning"},
        **{"precision_low": 0.5, "precision_high": 0.9},
        **{"class_size": 1, "duplicate_of": "s0", "duplicate_conflict": True, "note": "dark"},
        **{"verdict": "", "corrected": "", "reviewer": ""},
    }
    assert everyone["flagged_by"].tolist()[1:3] == ["confident-learning|aum", ""]
    assert (summary.suspects, summary.pairs) == (2, (Pair("owl", "cat", 1), Pair("cat", "dog", 1)))
    assert [(each.name, each.samples, each.suspects) for each in summary.by_class] == [
        ("cat", 2, 1),
        ("dog", 1, 0),
        ("owl", 1, 1),
    ]
    assert pd.read_parquet(files.parquet)["id"].tolist() == ["s2", "s0"]
    csv = pd.read_csv(files.csv, keep_default_na=False)
    assert csv["id"].tolist() == ["s2", "s0"]
    assert list(csv) == list(everyone)
    assert set(summary.files) == set(tmp_path.iterdir())
    report = json.loads(files.report.read_text())
    assert (report["samples"], report["suspects"], report["bracket"]) == (4, 2, [1, 3])
    assert sum(report["histogram"]["suspects"]) == 2
    assert sum(report["histogram"]["others"]) == 2
    assert summary.as_fields()["pairs"][0] == {"given": "owl", "suggested": "cat", "count": 1}


def test_samples_that_were_not_judged_and_no_suspects_at_all(tmp_path: Path) -> None:
    samples = samples_of([0, 1, 2, 0])
    found = rank(samples, [scores([False] * 4, P, [0.1, np.nan, 0.2, 0.3])])
    assert write_suspects(tmp_path, samples, found, RUN).suspects == 0
    report = json.loads(SuspectFiles(tmp_path).report.read_text())
    assert sum(report["histogram"]["others"]) == 3
    assert "No label is suspected." in SuspectFiles(tmp_path).page.read_text(encoding="utf-8")


def test_the_page_shows_the_losses_compared_and_the_limits_of_the_comparison(tmp_path: Path) -> None:
    samples = samples_of([0, 1, 2, 0])
    found = rank(samples, [scores([True] * 4, P, [0.1, 0.2, 0.3, 0.4])])
    losses = [
        Candidate("CE(delay=0)", 0.8123, 1234, uniform=0.7, likely=0.4, auroc=0.912),
        Candidate("PZ(c=0.99)", 0.5, 2, uniform=0.01, likely=0.02, auroc=0.511, failed=True),
    ]
    rules = [Rule("self-confidence(folds=5)", 0.71, 0.41, 0.031, 0.913)]
    for candidates, compared in ((losses, rules), ([Candidate("CE(delay=0)", 0.8123, 1234)] * 2, [])):
        tuning = as_report(candidates, compared)
        write_suspects(tmp_path, samples, found, replace(RUN, tuning=tuning))
        page = SuspectFiles(tmp_path).page.read_text(encoding="utf-8")
        assert tuning["limits"].replace("'", "&#39;") in page
        assert tuning["rule"] in page
        shown = " ".join(re.sub(r"<[^>]*>", " ", page).split())
        assert "CE(delay=0) yes 0.8123 1,234" in shown
        assert ("CE(delay=0) yes 0.8123 1,234 0.912 70% 40%" in shown) == bool(compared)
        assert ("PZ(c=0.99) failed 0.5000 2 0.511 1% 2%" in shown) == bool(compared)
        assert ("self-confidence(folds=5) 0.913 71% 41% 3.1%" in shown) == bool(compared)


def embedded(page: str, name: str) -> object:
    (text,) = re.findall(rf'<script type="application/json" id="{name}">(.*?)</script>', page, re.S)
    return json.loads(text)


def test_hostile_names_reach_the_page_as_data_alone(tmp_path: Path) -> None:
    """The tests in a browser check how the page shows them."""
    labels = [row % len(HOSTILE) for row in range(40)]
    ids = tuple(f"{HOSTILE[row % len(HOSTILE)]}/{row}" for row in range(40))
    samples = samples_of(labels, HOSTILE, ids=ids, paths=ids, sha256=("same",) * 40, notes=ids)
    probabilities = np.random.default_rng(0).dirichlet(np.ones(len(HOSTILE)), 40)
    found = rank(samples, [scores([True] * 40, probabilities.tolist(), [0.5] * 40)])
    run = Run("pets", HOSTILE[0], "0123", {"<b>": HOSTILE[1]}, notes=HOSTILE)
    write_suspects(tmp_path, samples, found, run)
    page = SuspectFiles(tmp_path).page.read_text(encoding="utf-8")
    assert page.count("<script") == page.count("</script>")
    assert page.count("<script>") == 1
    assert "<img src=x" not in page
    assert "<!--" not in page
    assert "49{" not in page
    data = embedded(page, "data")
    assert isinstance(data, dict)
    assert data["classes"][:9] == list(HOSTILE[:9])
    assert data["classes"][9] == "byte \\xff of no text"
    csv = pd.read_csv(SuspectFiles(tmp_path).csv, keep_default_na=False)
    assert set(csv["given"]) <= set(data["classes"])


def test_the_page_asks_for_nothing_from_elsewhere(tmp_path: Path) -> None:
    write_review(tmp_path, np.arange(30) < 10, picture=picture)
    page = SuspectFiles(tmp_path).page.read_text(encoding="utf-8")
    assert "default-src 'none'" in page
    assert "http:" not in page
    assert "https:" not in page
    assert "url(" not in page


def test_cards_are_suspects_conflicts_and_random_ones(tmp_path: Path) -> None:
    wrong = np.arange(400) < 60
    sha256 = tuple("equal" if row in (200, 399) else str(row) for row in range(400))
    write_review(tmp_path, wrong, cards=20, budget=30, sha256=sha256, picture=picture)
    files = SuspectFiles(tmp_path)
    page, table = files.page.read_text(encoding="utf-8"), pd.read_parquet(files.all)
    report = json.loads(files.report.read_text())
    data = embedded(page, "data")
    assert isinstance(data, dict)
    conflict = table[table["duplicate_conflict"]]["id"].tolist()
    by_rank = table["id"].tolist()
    assert report["cards"]["listed"] == 20
    assert [data["ids"][card] for card in data["conflicts"]] == conflict
    assert [data["ids"][card] for card in data["random"]] == [
        by_rank[r - 1] for r in report["cards"]["drawn"]
    ]
    listed = [data["ids"][card] for card in data["listed"]]
    assert set(by_rank[:20]) <= {*listed, *conflict}
    assert (
        len(data["ids"])
        == len(set(data["ids"]))
        == len({*listed, *conflict, *(data["ids"][c] for c in data["random"])})
    )
    images = embedded(page, "images-0")
    assert isinstance(images, list)
    assert len(images) == len(data["ids"])
    assert Image.open(io.BytesIO(base64.b64decode(images[0]))).size == (12, 12)


def opened(text: str | None) -> Image.Image:
    assert text is not None
    return Image.open(io.BytesIO(base64.b64decode(text)))


def test_thumbnails_are_small_upright_and_on_white(tmp_path: Path) -> None:
    wide = Image.new("RGB", (1000, 500), "red")
    wide.paste("blue", (0, 0, 500, 500))
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise by 90 degrees
    wide.save(tmp_path / "turned.jpg", exif=exif)
    turned = opened(thumbnail(tmp_path / "turned.jpg"))
    assert turned.size == (SIDE // 2, SIDE)
    assert turned.getpixel((32, 10))[2] > 200  # blue is on top
    Image.new("RGBA", (40, 40), (255, 0, 0, 0)).save(tmp_path / "clear.png")
    assert min(opened(thumbnail(tmp_path / "clear.png")).getpixel((20, 20))) > 250
    deep = np.linspace(0, 60_000, 64, dtype=np.uint16).reshape(8, 8)
    Image.fromarray(deep).save(tmp_path / "deep.png")
    values = np.asarray(opened(thumbnail(tmp_path / "deep.png")))
    assert values[0, 0] < 10 < 240 < values[-1, -1]
    assert opened(thumbnail(np.zeros((1, 5, 7), dtype=np.uint8))).size == (7, 5)
    (tmp_path / "torn.jpg").write_bytes((tmp_path / "turned.jpg").read_bytes()[:500])
    assert [thumbnail(tmp_path / "torn.jpg"), thumbnail(tmp_path / "none.png"), thumbnail(None)] == [None] * 3


def test_the_review_imports_no_torch() -> None:
    for path in Path(__file__).parents[2].joinpath("noisebench/review").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            names += [each.name for each in node.names] if isinstance(node, ast.Import) else []
            found = [
                name for name in names if re.match(r"torch|noisebench\.(trial|training|data|detectors)", name)
            ]
            assert found == [], path
