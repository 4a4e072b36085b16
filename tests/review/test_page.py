"""The page of suspects in a real browser."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import matplotlib.image
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from noisebench.review.corrections import review
from noisebench.review.decisions import View, read_decisions
from noisebench.review.files import SuspectFiles
from noisebench.review.outputs import write_suspects
from noisebench.review.samples import Picture
from noisebench.review.summary import Run
from noisebench.review.suspects import rank
from tests.packages import need
from tests.review.browser import Browser, browser
from tests.review.made import picture, samples_of, scores, write_review
from tests.review.test_outputs import HOSTILE

pytestmark = pytest.mark.slow

LEFT, RIGHT, DOWN, HOME, END = "\ue012", "\ue014", "\ue015", "\ue011", "\ue010"
CARDS = 5000


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """One browser for all tests; each opens its own page."""
    need(["chromium", "chromedriver"], ["chromium", "chromium-driver"])
    programs = [str(shutil.which(name)) for name in ("chromium", "chromedriver")]
    with browser(programs[0], programs[1], tmp_path_factory.mktemp("chromium")) as opened:
        yield opened


def photo(row: int) -> Picture:
    """Return 128 x 128 pixels, of as many bytes in a thumbnail as those of a photo, about 4 kB."""
    coarse = np.random.default_rng(row).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    fine = Image.fromarray(coarse).resize((128, 128), Image.Resampling.BICUBIC)
    return np.asarray(fine).transpose(2, 0, 1)


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results with 5,000 suspects among 9,000 samples."""
    folder = tmp_path_factory.mktemp("large")
    wrong = np.random.default_rng(3).random(9000) < 0.75
    assert write_review(folder, wrong, cards=CARDS, picture=photo).suspects > CARDS
    return folder


@pytest.fixture
def page(chromium: Browser, large: Path) -> Browser:
    """The large page, without decisions."""
    chromium.open(SuspectFiles(large).page)
    chromium.run("localStorage.clear()")
    chromium.open(SuspectFiles(large).page)
    for file in chromium.downloads.iterdir():
        file.unlink()
    chromium.complaints()
    return chromium


def reviewed(page: Browser) -> int:
    return int(page.text("#counts").split(" ")[0].replace(",", ""))


def test_5000_suspects_are_reviewed_with_keys_and_decisions_survive_a_reload(
    page: Browser, large: Path, tmp_path: Path
) -> None:
    listed = page.run("return shown.map((card) => data.ids[card])")
    assert len(listed) > CARDS
    assert page.count(".card") < 100  # only those in view
    page.press("k", "r", "s", "n", "u", "R")
    assert reviewed(page) == 6
    page.press("z", "k")
    page.press(RIGHT, LEFT, "c")
    page.press("cat" if page.run("return data.classes[data.given[shown[current]]]") == "dog" else "dog")
    page.press("\ue007")
    assert reviewed(page) == 7
    page.press(END)
    assert page.run("return current") == len(listed) - 1
    page.wait(lambda: page.count(f"#card-{len(listed) - 1} img"))
    assert page.count(".card") < 100
    page.press("r")
    page.press(HOME)
    assert page.run("return grid.scrollTop") == 0
    assert page.text("#card-1 .mark") == "relabelled"

    page.run("document.getElementById('reviewer').value = 'Ada, \"the\" first'")
    page.click("#export")
    saved = page.download()
    assert saved.name == "decisions-pets.csv"
    decisions = read_decisions(saved)
    verdicts = {each.id: str(each.verdict) for each in decisions}
    expected = ["keep", "relabel", "several", "none", "unsure", "keep", "relabel", "relabel"]
    assert [verdicts[each] for each in (*listed[:7], listed[-1])] == expected
    assert {each.reviewer for each in decisions} == {'Ada, "the" first'}
    assert {each.view for each in decisions} == {View.LIST}
    copy = shutil.copytree(large, tmp_path / "copy")
    result = review(copy, saved)
    assert (result.estimates.reviewed, result.relabelled, result.left_out) == (8, 3, 1)

    page.open(SuspectFiles(large).page)
    assert reviewed(page) == 8
    assert page.text("#card-2 .mark") == "several fit"
    assert page.complaints() == []


def test_saved_decisions_are_loaded_by_another_browser(page: Browser, large: Path, tmp_path: Path) -> None:
    page.press("k", "r", "s")
    page.run("document.getElementById('reviewer').value = 'Ada, \"x\"'")
    page.click("#export")
    saved = page.download()
    page.run("localStorage.clear()")
    page.open(SuspectFiles(large).page)
    assert reviewed(page) == 0
    page.load("#load-file", saved)
    page.wait(lambda: reviewed(page) == 3)
    assert page.text("#card-1 .mark") == "relabelled"
    assert not page.run("return document.getElementById('warning').textContent")
    page.open(SuspectFiles(large).page)
    assert reviewed(page) == 3

    changed = tmp_path / "changed.csv"
    lines = saved.read_text(encoding="utf-8").splitlines(keepends=True)
    id_, _, *rest = lines[1].split(",")
    changed.write_text("".join([lines[0], ",".join([id_, "0" * 64, *rest]), *lines[2:]]), encoding="utf-8")
    page.load("#load-file", changed)
    page.wait(lambda: "2 decisions loaded; 1 do not fit" in page.text("#warning"))
    other = tmp_path / "other.csv"
    other.write_text("a,b\n1,2\n")
    page.load("#load-file", other)
    page.wait(lambda: "other.csv is no file of decisions" in page.text("#warning"))
    assert reviewed(page) == 3
    assert page.complaints() == []


def test_random_cards_are_not_marked_and_become_an_estimate(
    page: Browser, large: Path, tmp_path: Path
) -> None:
    page.click("label:has(input[value=random]) span")
    asked = page.run("return data.random.length")
    assert page.text("#shown") == f"{asked} cards"
    page.run("grid.focus()")
    page.press(*("kr" * 60))
    assert page.run("return current") == 120
    page.click("#export")
    decisions = read_decisions(page.download())
    assert {each.view for each in decisions} == {View.RANDOM}
    result = review(shutil.copytree(large, tmp_path / "copy"), tmp_path.joinpath(page.download()))
    assert result.estimates.total is not None
    assert result.estimates.total.low < 4500 < result.estimates.total.high
    # Before a decision, a random card looks like any other: no score, no rank.
    assert "suspicion" not in page.text("#detail")
    page.press(LEFT)
    assert "suspicion" in page.text("#detail")


def test_decisions_name_the_cards_among_which_they_were_made(page: Browser, large: Path) -> None:
    """Random cards of an earlier ranking are no random cards of this one."""
    page.click("label:has(input[value=random]) span")
    page.run("grid.focus()")
    page.press("k", "k", "k")
    page.open(SuspectFiles(large).page)
    page.run("data.cards = 'of the next ranking'")
    page.press(HOME, "k")
    page.click("label:has(input[value=random]) span")
    page.run("grid.focus()")
    page.press(HOME, "k")
    page.click("#export")
    saved = read_decisions(page.download())
    own = json.loads(SuspectFiles(large).report.read_text())["cards"]["hash"]
    assert sorted((each.cards, str(each.view)) for each in saved) == sorted(
        [(own, "random")] * 2 + [("of the next ranking", "random"), ("of the next ranking", "list")]
    )


def test_filters_by_label_pair_state_and_name(page: Browser, large: Path) -> None:
    table = pd.read_parquet(SuspectFiles(large).all).head(CARDS)
    page.press("r", "k")
    page.click("#tab-overview")
    page.click(".matrix button[data-given='0'][data-suggested='1']")
    given = page.run("return shown.map((card) => data.classes[data.given[card]])")
    assert set(given) == {"cat"}
    assert len(given) >= (table["given"] == "cat").sum()
    page.press("k")
    assert page.run("return [...decisions.values()].at(-1).view") == "filter"
    page.click("#reset")
    page.run("filters.status.value = 'done'; update()")
    assert page.text("#shown") == "3 cards"
    page.run("filters.status.value = 'relabel'; update()")
    assert page.text("#shown") == "1 card"
    page.click("#reset")
    page.click("#search")
    page.press("no such name")
    assert page.text("#empty").startswith("No card matches.")
    assert reviewed(page) == 3  # letters in the field are no shortcuts
    page.click("#empty-reset")
    assert page.run("return shown.length") > CARDS


def test_hostile_names_are_shown_as_text(chromium: Browser, tmp_path: Path) -> None:
    labels = [row % len(HOSTILE) for row in range(40)]
    ids = tuple(f"{HOSTILE[row % len(HOSTILE)]}/{row}" for row in range(40))
    same = tuple("same" if row < 12 else str(row) for row in range(40))
    samples = samples_of(labels, HOSTILE, ids=ids, paths=ids, sha256=same, notes=ids, picture=picture)
    probabilities = np.random.default_rng(0).dirichlet(np.ones(len(HOSTILE)), 40)
    found = rank(samples, [scores([True] * 40, probabilities.tolist(), [0.5] * 40)])
    run = Run("pets", HOSTILE[0], "hostile", {"<b>": HOSTILE[1]}, notes=HOSTILE)
    write_suspects(tmp_path, samples, found, run)
    files = SuspectFiles(tmp_path)
    chromium.open(files.page)
    for file in chromium.downloads.iterdir():
        file.unlink()
    for _ in range(40):
        name = chromium.run("return data.classes[data.given[shown[current]]]")
        assert chromium.run("return document.querySelector('#detail .name').textContent") == name
        chromium.press("r")
    chromium.click("#tab-overview")
    chromium.click("#tab-cards")
    assert chromium.driver.title == "pets: suspected labels"
    assert chromium.count("img:not([src^='data:'])") == 0
    assert chromium.run("return document.documentElement.scrollWidth <= innerWidth")
    chromium.click("#export")
    decisions = read_decisions(chromium.download())
    assert {each.id for each in decisions} == set(pd.read_parquet(files.all)["id"])
    assert review(tmp_path, chromium.download()).relabelled == 40
    assert chromium.complaints() == []


def test_every_control_has_a_name_and_the_list_keeps_its_position(page: Browser) -> None:
    unnamed = page.run(
        "return [...document.querySelectorAll('button, select, input, [role=tab], [role=option]')]"
        ".filter((each) => !(each.textContent.trim() || each.ariaLabel || each.labels?.length)).length"
    )
    assert unnamed == 0
    page.press(DOWN)
    active = page.run("return document.activeElement.getAttribute('aria-activedescendant')")
    option = "[aria-selected=true]#" + active
    assert page.count(option) == 1
    attributes = page.run(
        "const each = document.querySelector(arguments[0]);"
        "return [each.ariaPosInSet, each.ariaSetSize, each.ariaLabel]",
        option,
    )
    assert attributes[0] == str(page.run("return current + 1"))
    assert attributes[1] == str(page.run("return shown.length"))
    assert attributes[2].startswith("given ")


def contrast(first: list[float], second: list[float]) -> float:
    """Return the contrast of two colours (0 to 255), as WCAG 2 defines it."""

    def luminance(colour: list[float]) -> float:
        parts = [
            c / 255 / 12.92 if c / 255 <= 0.04045 else ((c / 255 + 0.055) / 1.055) ** 2.4 for c in colour
        ]
        return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]

    light, dark = sorted((luminance(first), luminance(second)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_texts_have_enough_contrast_in_light_and_dark(page: Browser, tmp_path: Path, scheme: str) -> None:
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    page.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    page.press("r", "k", "s", "n", "u")
    pairs = page.run(
        "const rgb = (text) => text.match(/[\\d.]+/g).slice(0, 3).map(Number);"
        "const back = (each) => { for (; each; each = each.parentElement) {"
        "  const colour = getComputedStyle(each).backgroundColor;"
        "  if (!/, 0\\)$/.test(colour)) return rgb(colour); } };"
        "return ['.from', '.to', '.mark', '.answers button', '#counts', '#shown', '#detail dt', 'h1']"
        ".flatMap((selector) => [...document.querySelectorAll(selector)].slice(0, 6))"
        ".map((each) => [each.textContent, rgb(getComputedStyle(each).color), back(each)])"
    )
    assert len(pairs) > 20
    assert [text for text, ink, paper in pairs if contrast(ink, paper) < 4.5] == []
    picture = tmp_path / "page.png"
    page.driver.save_screenshot(str(picture))
    pixels = np.asarray(matplotlib.image.imread(picture)[..., :3])
    corner = pixels[-200:, 5:15].mean()
    assert corner > 0.8 if scheme == "light" else corner < 0.25
    page.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


def test_a_narrow_window_shows_cards_and_answers(page: Browser) -> None:
    page.driver.set_window_size(500, 900)
    try:
        page.wait(lambda: page.run("return columns") <= 3)
        assert page.run("return document.documentElement.scrollWidth <= innerWidth")
        assert page.run("return document.querySelector('.answers').getBoundingClientRect().top < innerHeight")
        assert page.count(".card") > 2
    finally:
        page.driver.set_window_size(1440, 900)
