"""`python -m analysis.reproduction`: measured numbers for the documents, from archives in analysis/measured.

An archive is what `noisebench export SWEEP --without-scores --out analysis/measured/SWEEP.tar` writes. The
command imports all of them into one results folder and writes analysis/measured.csv, one row a trial, and the
parts of docs/reproduction.md and README.md between the HTML comments `measured: begin` and `measured: end`.
"""

import argparse
import csv
import io
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from textwrap import fill

from analysis import subsets
from analysis.compare import number
from analysis.comparison import SILENT, VERDICTS, ComparedNumber, one_setting_each, settings_compared
from analysis.feeding import Feed, feed
from analysis.items import PUBLISHED
from analysis.listing import Listing
from analysis.options import run
from noisebench.errors import InputError
from noisebench.records.folders import ResultsFolder
from noisebench.store.archive import import_archive
from noisebench.store.blocks import MeasuredTrial, block_trials, measured_trials

BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"
DOCUMENT, README, TRIALS = "docs/reproduction.md", "README.md", "analysis/measured.csv"
COMMAND = "python -m analysis.reproduction"
# The recipe of the small CNN was chosen by these numbers, on seed 0: see analysis/calibration.md.
_CHOSE_RECIPE = (
    ("table1", "MNIST", 0.2, "CE"),
    ("table1", "MNIST", 0.2, "BL"),
    ("table2", "MNIST", 0.2, "CE"),
)


def main(arguments: list[str]) -> int:
    """Write the files, or with --check compare them; return the exit code, 1 where one differs."""
    options = argparse.ArgumentParser(prog=COMMAND, description=__doc__)
    options.add_argument(
        "--root", type=Path, default=Path(__file__).parents[1], help="checkout; default: this one"
    )
    options.add_argument("--check", action="store_true", help="write nothing; exit 1 where a file differs")
    chosen = options.parse_args(arguments)
    texts = generated(chosen.root)
    stale = [name for name, text in texts.items() if _read(chosen.root / name) != text]
    for name in stale:
        if chosen.check:
            print(f"{name} differs from analysis/measured: run {COMMAND}", file=sys.stderr)
        else:
            (chosen.root / name).write_text(texts[name], encoding="utf-8")
            print(f"{name}: written", file=sys.stderr)
    return 1 if chosen.check and stale else 0


def generated(root: Path) -> dict[str, str]:
    """Return the text of each generated file of a checkout by its path in it.

    Raises InputError where an archive can't be read, or a document has not one pair of markers.
    """
    with tempfile.TemporaryDirectory(prefix="noisebench-") as folder:
        results = ResultsFolder(Path(folder))
        for archive in sorted((root / "analysis" / "measured").glob("*.tar")):
            import_archive(results, archive)
        source = feed(results)
        trials = measured_trials(source.store)
        rows = settings_compared(source)
        parts = {
            DOCUMENT: _document_part(source, root, rows),
            README: fill(sentence(one_setting_each(rows)), 120),
        }
    texts = {name: _between_markers(root / name, part) for name, part in parts.items()}
    return {**texts, TRIALS: _csv(trials)} if trials or (root / TRIALS).is_file() else texts


def sentence(rows: Sequence[ComparedNumber]) -> str:
    """Return how many published numbers were compared, under which conditions, and with which verdicts."""
    counts = Counter(row.verdict for row in rows if row.verdict not in SILENT)
    start = f"{counts.total()} of {len(rows)} published numbers compared with ours"
    if not counts:
        return f"{start}: no full-scale records are in `analysis/measured/` yet."
    words = {"too few seeds": "with too few seeds for a verdict"}
    verdicts = ", ".join(f"{counts[name]} {words.get(name, name)}" for name in VERDICTS if counts[name])
    return " ".join([f"{start}: {verdicts}.", _conditions(rows), *_reservations(rows)])


def _conditions(rows: Sequence[ComparedNumber]) -> str:
    """Return on which data, with how many seeds and at which precision the numbers were measured."""
    compared = [row for row in rows if row.verdict not in SILENT]
    data = dict.fromkeys(
        row.dataset if row.eta is None else f"{row.dataset} at rate {row.eta:g}" for row in compared
    )
    ours = sorted({row.n for row in compared if row.n is not None})
    seeds = " to ".join(dict.fromkeys((str(ours[0]), str(ours[-1])))) if ours else "unknown"
    papers = ", ".join(str(n) for n in sorted({row.published_n for row in compared if row.published_n}))
    precision = " and ".join(sorted({row.precision for row in compared if row.precision}))
    beside = f" (the papers: {papers})" if papers else ""
    return f"Measured: {', '.join(data)}; seeds: {seeds}{beside}; precision: {precision or 'unknown'}."


def _reservations(rows: Sequence[ComparedNumber]) -> list[str]:
    """Return what a verdict "reproduced" does not show."""
    reproduced = [row for row in rows if row.verdict == "reproduced"]
    uncertain = sum(bool(row.also_accepts) for row in reproduced)
    chosen = sum(_chose_recipe(row) for row in reproduced)
    sentences = []
    if reproduced:
        sentences.append(
            "Reproduced: the means differ by at most two pooled standard deviations and .001; "
            f"for {uncertain} of {len(reproduced)} this would also accept another loss's published number."
        )
    if chosen:
        sentences.append(f"The training recipe was chosen by {chosen} of them, on one seed.")
    return sentences


def _chose_recipe(row: ComparedNumber) -> bool:
    return not row.recipe and (row.source, row.dataset, row.eta, row.loss) in _CHOSE_RECIPE


def _document_part(source: Feed, root: Path, rows: Sequence[ComparedNumber]) -> str:
    measured = _distinct([row for row in rows if row.mean is not None])
    parts = [f"{sentence(one_setting_each(rows))} This part is written by `{COMMAND}`."]
    if measured:
        parts += [_numbers(measured).markdown(), _origins(source, root).markdown()]
    parts += [
        "## Parts of data sets",
        "Means over one or two seeds on 3,000 or 12,000 images, where 10 epochs are a twentieth or a fifth "
        "of the papers' steps. They reproduce no cell. The records of these trials were not kept: this part "
        "is written from `analysis/subset-means.csv`, and only a new run can check it. Our parameters are "
        "not swept; in brackets the published best one, where it is another.",
        subsets.render(subsets.read(subsets.SUBSET_MEANS), subsets.read(PUBLISHED)),
    ]
    return "\n\n".join(part.rstrip("\n") for part in parts)


def _numbers(rows: Sequence[ComparedNumber]) -> Listing:
    heads = ["table", "data", "rate", "loss", "metric", "published (n)", "ours (n)", "difference"]
    heads += ["margin", "verdict", "equivalence", "also accepts", "arithmetic", "recipe", "sweep"]
    notes = [
        "Verdict: reproduced where |difference| <= 2 s + .001, s pooled. Margin: half of the published gap "
        "between CE and the better of BL and PZ in that row. Equivalent: the 90% interval of the difference "
        "lies inside the margin. Also accepts: losses whose published mean the bound would accept, too. "
        "Recipe: what differs from the data set's recipe in `docs/sweeps.md`; `chosen by it`: one of the "
        "numbers by which that recipe was chosen, on seed 0 (`analysis/calibration.md`). See "
        "`analysis/README.md`.",
    ]
    lines = [_number_line(row) for row in rows]
    return Listing("numbers", "Published numbers beside ours", heads, lines, notes)


def _number_line(row: ComparedNumber) -> list[str]:
    assert row.mean is not None
    assert row.difference is not None
    digits = row.decimals
    value = "" if row.value is None else f" {row.value:g}"
    published = number(row.published_mean, row.published_std, digits)
    seeds = "" if row.published_n is None else f" ({row.published_n})"
    return [
        row.source,
        row.dataset,
        "" if row.eta is None else f"{row.eta:g}",
        f"{row.loss}{value}",
        row.metric.replace("_", " "),
        published + seeds,
        f"{number(row.mean, row.std, digits + 1)} ({row.n})",
        f"{round(row.difference, digits + 1) + 0.0:+.{digits + 1}f}",
        "" if row.margin is None else f"{row.margin:.{digits + 1}f}",
        row.verdict,
        row.equivalence or "",
        ", ".join(row.also_accepts),
        row.precision or "",
        "chosen by it" if _chose_recipe(row) else row.recipe or "",
        row.sweep or "",
    ]


def _origins(source: Feed, root: Path) -> Listing:
    heads = ["sweep", "block", "trials", "seeds", "commit", "hardware", "command"]
    lines = []
    for sweep, block in sorted(source.blocks):
        trials = block_trials(source.store, sweep, block)
        if trials:
            seeds = sorted({trial.seed for trial in trials})
            origin = [_joined(trial.commit for trial in trials), _joined(trial.hardware for trial in trials)]
            command = _command(source, root, sweep)
            lines.append([sweep, block, str(len(trials)), _joined(map(str, seeds)), *origin, command])
    return Listing("origins", "Where they come from", heads, lines)


def _command(source: Feed, root: Path, sweep: str) -> str:
    """Return how to run a sweep again: its file where the checkout has it, else the one in the archive."""
    shipped = root / "sweeps" / f"{sweep}.yaml"
    if shipped.is_file() and shipped.read_bytes() == source.results.sweep(sweep).spec.read_bytes():
        return f"`noisebench run sweeps/{sweep}.yaml --data DIR`"
    spec = f"sweep/{sweep}/spec.yaml"
    return f"`tar -xf analysis/measured/{sweep}.tar {spec}; noisebench run {spec} --data DIR`"


def _distinct(rows: Sequence[ComparedNumber]) -> list[ComparedNumber]:
    """Return the rows without the same configuration read again through another block."""
    fullest: dict[tuple[int, str | None], ComparedNumber] = {}
    for row in rows:
        key = row.place, row.config_id
        if key not in fullest or (row.n or 0) > (fullest[key].n or 0):
            fullest[key] = row
    return list(fullest.values())


def _csv(trials: Sequence[MeasuredTrial]) -> str:
    if not trials:
        return ""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(asdict(trials[0])), lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(trial) for trial in trials)
    return text.getvalue()


def _between_markers(path: Path, part: str) -> str:
    text = _read(path)
    if text.count(BEGIN) != 1 or text.count(END) != 1 or text.index(BEGIN) > text.index(END):
        raise InputError(f"{path}: needs {BEGIN} and, after it, {END}, each once; write them where it goes")
    return f"{text.partition(BEGIN)[0]}{BEGIN}\n{part}\n{END}{text.partition(END)[2]}"


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.is_file() else ""


def _joined(values: Iterable[str | None]) -> str:
    return ", ".join(dict.fromkeys(value or "unknown" for value in values))


if __name__ == "__main__":
    run(main)
