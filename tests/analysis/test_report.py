"""The report, opened in a real browser."""

import html
import json
import re
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import matplotlib.image
import numpy as np
import pytest
from numpy.typing import NDArray

from analysis.feeding import Feed, feed
from analysis.report import main, page
from noisebench.records.folders import ResultsFolder
from noisebench.store.query import query
from tests.analysis.test_building import complete
from tests.store.results_folder import Folder, started, trial, unsuccessful

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)

# Operates the page as a reader does, then writes what it saw into an element.
VISIT = """
<script>
setTimeout(() => {
  const table = document.getElementById(TABLE);
  const column = (index) => [...table.tBodies[0].rows].map((row) => row.cells[index].dataset.value ?? null);
  const seen = { orders: [column(COLUMN)] };
  for (let click = 0; click < 3; click++) {
    table.tHead.rows[0].cells[COLUMN].querySelector("button").click();
    seen.orders.push(column(COLUMN));
  }
  const link = table.tBodies[0].rows[0].cells[COLUMN].querySelector("a");
  seen.href = link.getAttribute("href");
  link.click();
  setTimeout(() => {
    const dialog = document.getElementById("cell");
    const texts = (selector) => [...dialog.querySelectorAll(selector)].map((each) => each.textContent);
    seen.open = dialog.open;
    seen.title = texts("h3")[0];
    seen.measured = texts(".measured")[0];
    seen.heads = texts("table:first-of-type th button");
    seen.trials = dialog.querySelector("table").tBodies[0].rows.length;
    seen.first = [...dialog.querySelector("table").tBodies[0].rows[0].cells].map((cell) => cell.textContent);
    seen.fields = texts(".fields dd");
    seen.sql = texts(".sql pre");
    seen.tried = texts("tr.chosen td");
    dialog.querySelector("button.close").click();
    seen.after = [dialog.open, location.hash];
    const left = document.createElement("pre");
    left.id = "seen";
    left.textContent = JSON.stringify(seen);
    document.body.append(left);
  }, 100);
}, 0);
</script>
"""

Open = Callable[..., str]


@pytest.fixture(scope="session")
def chromium(tool: Callable[[str, str], str]) -> Open:
    """Open a page in a real browser with some options; return what it printed."""
    program = tool("chromium", "chromium")

    def run(address: str, *options: str) -> str:
        command = [program, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
        command += ["--enable-logging=stderr", "--virtual-time-budget=10000", *options, address]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True)
        assert ":CONSOLE" not in done.stderr, done.stderr  # a script failed or the page's policy was broken
        return done.stdout

    return run


def visited(chromium: Open, path: Path, table: str, column: int) -> dict[str, Any]:
    """Sort a column of a table of the page three times, follow its first cell; return what was seen."""
    name = json.dumps(table).replace("<", "\\u003c")
    script = VISIT.replace("TABLE", name).replace("COLUMN", str(column))
    copy = path.with_name("visited.html")
    copy.write_text(path.read_text(encoding="utf-8").replace("</body>", script + "</body>"), encoding="utf-8")
    dom = chromium(copy.as_uri(), "--dump-dom")
    (seen,) = re.findall(r'<pre id="seen">(.*?)</pre>', dom, re.S)
    seen: dict[str, Any] = json.loads(html.unescape(seen))
    return seen


def screenshot(chromium: Open, path: Path, *options: str) -> NDArray[np.float32]:
    """Return the pixels of the top of the page, each colour in [0, 1]."""
    picture = path.with_suffix(".png")
    chromium(path.as_uri(), f"--screenshot={picture}", "--window-size=1400,1600", *options)
    return np.asarray(matplotlib.image.imread(picture)[..., :3])


def written(source: Feed, out: Path) -> Path:
    """Write the page of the results; return it."""
    path = out / "report.html"
    path.write_text(page(source, NOW), encoding="utf-8")
    return path


@pytest.fixture
def small(folder: Folder) -> Folder:
    """Two rows, three losses, two seeds; BL at two gammas; what FL has is missing at .4."""
    f1 = {("CE", 0.2): 0.9, ("CE", 0.4): 0.8, ("FL", 0.2): 0.7}
    trials = {
        trial(loss, seed, eta=eta): value + seed / 100 for (loss, eta), value in f1.items() for seed in (0, 1)
    }
    bl = {
        trial("BL", seed, gamma=gamma, eta=eta): gamma + seed / 100
        for eta in (0.2, 0.4)
        for gamma in (0.3, 0.5)
        for seed in (0, 1)
    }
    folder.manifest({"grid": [*trials, *bl, trial("FL", eta=0.4)]})
    complete(
        folder,
        *((each, {"f1": value, "recall": 0.5}) for each, value in (trials | bl).items()),
        host="</script><b>node",
    )
    return folder


@pytest.mark.slow
def test_a_reader_sorts_a_table_and_follows_a_cell(small: Folder, chromium: Open, tmp_path: Path) -> None:
    seen = visited(chromium, written(feed(small.results), tmp_path), "paper-grid", 4)
    assert (seen["open"], seen["title"]) == (True, "digits, η = 0.2, BL")
    assert seen["measured"] == "0.505 ± 0.007 F1; 2 seeds, gamma=0.5"
    assert (seen["trials"], seen["first"][:4]) == (2, ["0", "0.5000", "10", "cpu"])
    assert seen["heads"][:5] == ["seed", "F1", "seconds", "hardware", "commit"]
    assert "</script><b>node" in seen["first"]
    assert any(text.startswith("delay 0, gamma 0.5, name BL") for text in seen["fields"])
    assert seen["tried"][0] == "gamma 0.5"
    assert seen["after"] == [False, ""]
    cell, trials = (query(small.results, sql) for sql in seen["sql"])
    ((mean, std, n),) = cell.rows()
    assert seen["measured"] == f"{mean:.3f} ± {std:.3f} F1; {n} seeds, gamma=0.5"
    assert [row["f1"] for row in trials.table.to_pylist()] == [0.5, 0.51]


@pytest.mark.slow
@pytest.mark.parametrize(
    "text",
    [
        "</script><script>document.title = 'PWNED'</script>",
        "<!--<script>",
        "<img src=x onerror=\"document.title='PWNED'\">",
        "a/b%zz?x#y",
    ],
)
def test_texts_of_results_run_nothing_and_break_nothing(
    folder: Folder, chromium: Open, tmp_path: Path, text: str
) -> None:
    """As block name, host and error message: the page still sorts and opens cells."""
    trials = [trial(seed=seed) for seed in (0, 1)]
    folder.manifest({text: [*trials, trial(seed=2)]}, seeds_asked=3)
    complete(folder, *((each, {"f1": 0.5}) for each in trials), host=text)
    folder.journal(started(trial(seed=2), "x"), unsuccessful(trial(seed=2), "x", error=text, traceback=text))
    path = written(feed(folder.results), tmp_path)
    seen = visited(chromium, path, f"paper-{text}", 2)
    assert (seen["open"], seen["title"], seen["trials"]) == (True, "digits, η = 0.2, CE", 2)
    assert text in seen["first"]
    dom = chromium(path.as_uri(), "--dump-dom")
    assert "<title>noisebench report</title>" in dom
    assert "<img src=x" not in dom


@pytest.mark.slow
def test_missing_cells_stay_last_however_a_table_is_sorted(
    small: Folder, chromium: Open, tmp_path: Path
) -> None:
    seen = visited(chromium, written(feed(small.results), tmp_path), "paper-grid", 3)
    assert [[value is None for value in order] for order in seen["orders"]] == [[False, True]] * 4


@pytest.mark.slow
def test_a_link_to_a_cell_opens_it(small: Folder, chromium: Open, tmp_path: Path) -> None:
    """Of a gamma that is not the best too."""
    sql = "SELECT config_id FROM cells WHERE loss = 'BL' AND value = 0.3 AND eta = 0.4 AND metric = 'f1'"
    ((config,),) = query(small.results, sql).rows()
    path = written(feed(small.results), tmp_path)
    dom = chromium(f"{path.as_uri()}#cell/paper-grid/{config}", "--dump-dom")
    (dialog,) = re.findall(r"<dialog id=\"cell\".*?</dialog>", dom, re.S)
    assert " open=" in dialog.partition(">")[0]
    assert "digits, η = 0.4, BL" in dialog
    assert "gamma 0.3, not the best of its column" in dialog


@pytest.mark.slow
def test_failures_are_grouped_with_one_traceback_and_doubts_are_listed(folder: Folder) -> None:
    folder.manifest({"grid": [trial(seed=seed) for seed in range(3)]})
    for seed in (0, 1):
        each = trial(seed=seed)
        broken = unsuccessful(each, f"a{seed}", error="ValueError: <x>", traceback="line 1\n<y>")
        folder.journal(started(each, f"a{seed}"), broken)
    doubtful = trial(seed=2)
    complete(folder, (doubtful, {"f1": 0.0, "guard": "flags-nothing"}))
    folder.journal(b"torn {\n")
    text = page(feed(folder.results), NOW)
    assert "<b>2</b> in paper: exception: ValueError: &lt;x&gt;" in text
    assert "<pre>line 1\n&lt;y&gt;</pre>" in text
    assert "useless flags: flags-nothing" in text
    assert "unreadable line" in text


@pytest.mark.slow
def test_without_results_the_page_says_what_makes_them(folder: Folder, tmp_path: Path) -> None:
    folder.root.mkdir()
    assert main(["--results", str(folder.root), "--out", str(tmp_path / "out")]) == 0
    text = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "Table 1: F1 by confident learning: noisebench run sweeps/paper-table1.yaml" in text
    assert "No published cell has results yet." in text


@pytest.mark.slow
def test_the_whole_grid_fits_one_page(
    paper: ResultsFolder, source: Feed, chromium: Open, tmp_path: Path
) -> None:
    path = written(source, tmp_path)
    text = path.read_text(encoding="utf-8")
    assert len(text.encode()) < 15e6
    assert set(re.findall(r'(?:src|href)="([^"#]{5})', text)) == {"data:"}  # nothing comes from elsewhere
    seen = visited(chromium, path, "table1", 7)
    orders = [[float(value) for value in order] for order in seen["orders"]]
    assert orders[1:] == [sorted(orders[0], reverse=True), sorted(orders[0]), orders[0]]
    assert (seen["title"], seen["trials"]) == ("MNIST, η = 0.1, BL", 20)
    assert "reproduced" in text
    ((mean, _, n),) = query(paper, seen["sql"][0]).rows()
    assert (round(mean, 9), n) == (0.979, 20)


@pytest.mark.slow
def test_the_page_is_readable_in_light_and_dark(small: Folder, chromium: Open, tmp_path: Path) -> None:
    path = written(feed(small.results), tmp_path)
    light = screenshot(chromium, path)
    dark = screenshot(chromium, path, "--blink-settings=preferredColorScheme=0")
    for pixels, ground in ((light, 1.0), (dark, 0.0)):
        assert abs(np.median(pixels) - ground) < 0.15
        ink = (abs(pixels - np.median(pixels)) > 0.4).any(-1)
        assert 0.01 < ink.mean() < 0.5
        assert ink.any(1).mean() > 0.3  # down the whole page, not a heading alone
