"""Damaged label tables, and damaged files of suspects and decisions: read, or refused and nothing changed."""

import csv
import io
import json
import string
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet

from noisebench.data.own.label_table import corrected
from noisebench.data.own.read import read_source
from noisebench.data.own.source import Source
from noisebench.errors import DataError, InputError
from noisebench.review.corrections import review, write_labels
from noisebench.review.files import SuspectFiles
from tests.fuzz.inputs import damaged, replaced, text, tree, value
from tests.review.made import write_review

Row = dict[str, Any]
SAMPLES = 12


@contextmanager
def tables(tmp: Path) -> Iterator[Callable[[Random], Counter[str]]]:
    """Yield the check of one label table, or of one table of corrected labels."""
    folder = tmp / "images"
    rows = [_row(folder, number) for number in range(SAMPLES)]
    (tmp / "secret.png").write_bytes(b"private")
    whole = read_source(str(_written(folder / "whole.csv", _as_csv(rows))))
    labels = [
        {"id": row["id"], "label": row["label"], "given": row["label"], "sha256": hash_}
        for row, hash_ in zip(rows, _hashes(whole), strict=True)
    ]

    def check(random: Random) -> Counter[str]:
        kind, chosen = random.choice([("table", rows), ("corrected", labels)])
        file = _mutated(random, folder, chosen)
        before = tree(tmp)
        try:
            source = read_source(str(file)) if kind == "table" else corrected(whole, file)
            _check_source(source, folder)
        except InputError:
            return Counter([f"{kind} refused"])
        finally:
            assert tree(tmp) == before, "reading a table has changed a file"
        return Counter([f"{kind} read"])

    yield check


@contextmanager
def reviews(tmp: Path) -> Iterator[Callable[[Random], Counter[str]]]:
    """Yield the check of one review: of a damaged decisions file, or in a folder of suspects with damage."""
    files = SuspectFiles(tmp / "suspects" / "pets")
    write_review(files.folder, np.arange(40) % 5 == 0, cards=20, budget=10)
    all_samples = pyarrow.parquet.read_table(files.all).to_pylist()
    cards = json.loads(files.report.read_bytes())["cards"]["hash"]
    decisions = [_decision(sample, cards) for sample in all_samples[:15]]
    user = _written(tmp / "decisions.csv", _as_csv(decisions))
    review(files.folder, user)
    whole = {path: path.read_bytes() for path in (*files.folder.iterdir(), user)}

    def check(random: Random) -> Counter[str]:
        for path, data in whole.items():
            path.write_bytes(data)
        path = random.choice([files.report, files.all, files.decisions, user])
        path.write_bytes(_damaged_file(random, path, whole[path]))
        before = tree(tmp)
        outcome = _review(random, files, user)
        if not outcome.endswith("taken in"):
            assert tree(tmp) == before, f"{path.name} was refused, but a file has changed"
        return Counter([f"{path.name if path != user else 'new decisions'} {outcome}"])

    yield check


def _row(folder: Path, number: int) -> Row:
    path = folder / f"{number % 3}" / f"{number}.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(bytes([number]))
    name = path.relative_to(folder).as_posix()
    return {
        "path": name,
        "label": ["cat", "dog", "owl"][number % 3],
        "id": f"s{number}",
        "group": number // 2,
    }


def _hashes(source: Source) -> tuple[str, ...]:
    from noisebench.data.own.cache import hashes_of

    return hashes_of(source)


def _decision(sample: Row, cards: str) -> Row:
    seen = {name: sample[name] for name in ("id", "sha256", "given", "suggested")}
    verdict = "relabel" if sample["rank"] % 3 == 0 else "keep"
    named = {"corrected": sample["suggested"], "reviewer": "Ada", "view": "list", "cards": cards}
    return {**seen, "verdict": verdict, **named}


def _as_csv(rows: list[Row]) -> bytes:
    file = io.StringIO(newline="")
    writer = csv.DictWriter(file, list(dict.fromkeys(name for row in rows for name in row)))
    writer.writeheader()
    writer.writerows(rows)
    return file.getvalue().encode(errors="surrogatepass")


def _as_parquet(rows: list[Row]) -> bytes | None:
    """Return the rows as Parquet, None where Arrow has no type for them."""
    file = io.BytesIO()
    try:
        pyarrow.parquet.write_table(pa.Table.from_pylist(rows), file)
    except (pa.ArrowException, UnicodeError, OverflowError, NotImplementedError):
        return None
    return file.getvalue()


def _written(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def _mutated(random: Random, folder: Path, rows: list[Row]) -> Path:
    """Write a table with changed cells, columns or bytes; return its file."""
    for old in folder.glob("table.*"):
        old.unlink()
    changed = [dict(row) for row in rows]
    if random.random() < 0.5:
        for _ in range(random.randint(1, 3)):
            _change(random, changed)
    data = _as_parquet(changed) if random.random() < 0.4 else None
    name = "table.csv" if data is None else "table.parquet"
    data = _as_csv(changed) if data is None else data
    file = _written(folder / name, data if changed != rows else damaged(random, data))
    file.chmod(0o666)  # so that it may not name files outside its folder
    return file


def _change(random: Random, rows: list[Row]) -> None:
    """Change one cell, or one whole column."""
    name = random.choice([*rows[0], text(random, 6)])
    pick = random.random()
    if pick < 0.3:
        new = value(random)
        for row in rows:
            row[name] = new
    elif pick < 0.4:
        for row in rows:
            row.pop(name, None)
            row[random.choice(string.ascii_letters)] = "x"
    else:
        random.choice(rows)[name] = random.choice(
            [value(random), "../secret.png", "/etc/passwd", rows[0].get(name)]
        )


def _check_source(source: Source, folder: Path) -> None:
    assert len(set(source.ids)) == len(source.ids) == len(source.labels) == len(source.paths or ())
    assert source.labels.min() >= 0
    assert source.labels.max() < len(source.classes)
    for each in (*source.ids, *source.classes):
        each.encode()  # ends up in CSV, Parquet and JSON
    for path in source.paths or ():
        assert path.resolve().is_relative_to(folder), f"{path} is not in the table's folder"


def _damaged_file(random: Random, path: Path, data: bytes) -> bytes:
    if random.random() < 0.4:
        return damaged(random, data)
    if path.suffix == ".json":
        return json.dumps(replaced(random, json.loads(data))[0]).encode()
    rows = (
        pyarrow.parquet.read_table(path).to_pylist()
        if path.suffix == ".parquet"
        else list(csv.DictReader(io.StringIO(data.decode())))
    )
    _change(random, rows)
    changed = _as_csv(rows) if path.suffix == ".csv" else _as_parquet(rows)
    return damaged(random, data) if changed is None else changed


def _review(random: Random, files: SuspectFiles, user: Path) -> str:
    """Review, or write the labels; return the outcome."""
    try:
        if random.random() < 0.2:
            out = files.folder.parent / random.choice(["out.csv", "out.parquet"])
            write_labels(files.folder, out)
            out.unlink()
            return "written as labels"
        result = review(files.folder, user, skip_changed=random.random() < 0.5)
    except InputError:
        return "refused"
    except DataError:
        return "damaged"
    json.dumps(result.as_fields(), allow_nan=False)
    json.loads(files.report.read_bytes())
    with files.labels.open(encoding="utf-8", newline="") as file:
        assert sum(1 for _ in csv.reader(file)) > 0
    return "taken in"
