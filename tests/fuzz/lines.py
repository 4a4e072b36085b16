"""Journal lines with a changed field or changed bytes: only these are skipped, in any order of reading."""

import itertools
import json
import os
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any

from noisebench.records.attempts import Ended
from noisebench.records.lines import LineError, decode, parse, with_checksum
from noisebench.store import database, ends
from noisebench.store.ingest import ingest
from noisebench.store.records import END_MARKS, ENDS, MALFORMED, end_row, table
from noisebench.store.staging import IS_END
from tests.fuzz.inputs import damaged, replaced
from tests.store.results_folder import Folder, ended, line_of, started, trial, unsuccessful

LINES_IN_A_FOLDER = 200
# What tells the files apart rather than what they hold.
_NOT_COMPARED = ("ingested_files", "store")

_numbers = itertools.count()


def mutated(random: Random, seed: int) -> bytes:
    """Return a changed line of a trial that no other line is about."""
    name = f"{seed:032x}"
    kind = random.choice([started, ended, ended, unsuccessful])
    members = kind(trial(seed=seed), name)
    if random.random() < 0.25:
        return damaged(random, line_of(members).rstrip(b"\n")).replace(b"\n", b" ") + b"\n"
    changed, _ = replaced(random, members)
    text = json.dumps(changed, separators=(",", ":")).encode()
    if random.random() < 0.1:
        return text + b"\n"  # as the first versions wrote them
    return with_checksum(text)


def is_unreadable(line: bytes) -> bool:
    """Whether the line holds no record at all."""
    try:
        decode(line)
    except LineError:
        return True
    return False


@contextmanager
def lines(tmp: Path) -> Iterator[Callable[[Random], Counter[str]]]:
    """Yield the check of one folder of changed lines among whole ones."""

    def check(random: Random) -> Counter[str]:
        folder = Folder(tmp / f"lines-{next(_numbers)}")
        whole = [trial(seed=seed) for seed in range(4)]
        folder.manifest({"grid": whole})
        for number, each in enumerate(whole):
            folder.journal(
                started(each, f"w{number}"), ended(each, f"w{number}", f1=number / 10), file="whole"
            )
        changed = [mutated(random, 100 + number) for number in range(LINES_IN_A_FOLDER)]
        for line in changed:
            _check_readers_agree(line)
        cut = random.randint(0, len(changed))
        for part in (changed[:cut], changed[cut:]):
            for line in part:
                path = folder.journal(line, file=random.choice(["one", "two", "whole"]))
                # In files just written, lines with zeros are left for later.
                os.utime(path, (time.time() - 600, time.time() - 600))
            ingest(folder.results)
        incremental = contents(folder)
        ingest(folder.results, rebuild=True)
        assert contents(folder) == incremental, f"a rebuild differs from two ingestions of {changed}"
        skipped = {row[-1] for row in incremental["skipped_lines"]}
        _check_skipped(folder, changed, skipped)
        results = {row["trial_id"]: row["f1"] for row in rows(folder, "results")}
        for number, each in enumerate(whole):
            assert results[each.trial_id] == number / 10, f"the result of a whole line changed: {changed}"
        shutil.rmtree(folder.root)
        return Counter({"skipped": len(skipped), "taken in": LINES_IN_A_FOLDER - len(skipped)})

    yield check


def _check_readers_agree(line: bytes) -> None:
    """Assert that a line that the reader of whole batches takes makes the same row when it is read alone."""
    marks = dict.fromkeys(END_MARKS, True)
    try:
        if not IS_END.match(line):
            return
        (row,) = ends.table([line], [marks]).to_pylist()
    except MALFORMED:
        return
    record = parse(line)
    assert isinstance(record, Ended), f"taken in as an end: {line!r}"
    (alone,) = table([end_row(record, 0, marks)], ENDS).to_pylist()
    row["epochs"] = row["epochs"] or []  # a list that is missing is empty
    assert row == alone, f"read in a batch: {row}; alone: {alone}"


def _check_skipped(folder: Folder, changed: list[bytes], skipped: set[Any]) -> None:
    texts = {line[:500].decode(errors="replace").rstrip("\n") for line in changed}
    assert skipped <= texts, f"whole lines were skipped: {skipped - texts}"
    for line in changed:
        if line != b"\n" and is_unreadable(line):  # an empty line closes off a failed write, and is nothing
            text = line[:500].decode(errors="replace").rstrip("\n")
            assert text in skipped, f"taken in, although it holds no record: {line!r}"
    assert folder.results.database.exists()


def contents(folder: Folder) -> dict[str, list[Any]]:
    """Return the rows of every table, sorted, as values that can be compared."""
    with database.reader(folder.results.database) as connection:
        names = [name for (name,) in connection.execute("SHOW TABLES").fetchall()]
        return {
            name: sorted(connection.execute(f"FROM {name}").fetchall(), key=repr)
            for name in names
            if name not in (*_NOT_COMPARED, *database.VIEWS)
        }


def rows(folder: Folder, table: str) -> list[dict[str, Any]]:
    """Return the rows of a table by column."""
    with database.reader(folder.results.database) as connection:
        cursor = connection.execute(f"FROM {table}")
        columns = [name for name, *_ in cursor.description or ()]
        return [dict(zip(columns, row, strict=True)) for row in cursor.fetchall()]
