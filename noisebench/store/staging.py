"""Lines gathered into batches for the database."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import duckdb
import pyarrow as pa

from noisebench.records.attempts import Ended
from noisebench.records.lines import has_checksum, json_object, parse
from noisebench.store import database, ends, records
from noisebench.store.configs import Configs
from noisebench.store.lines import IMPORTED, Line
from noisebench.store.records import Row
from noisebench.store.statements import SQL

# Of text; the rows made of it take several times as much memory.
_BATCH_BYTES = 64_000_000
_KEPT_CHARACTERS = 500
IS_END = re.compile(rb'\{\s*"event"\s*:\s*"ended"')
_MERGES = ("trials", "attempts", "results")


@dataclass(frozen=True)
class Skipped:
    """A line that could not be read: its file inside the results folder, its first byte, the reason."""

    file: str
    byte: int
    why: str

    @property
    def location(self) -> str:
        """The file, with the byte of the line unless the whole file could not be read."""
        return f"{self.file}, byte {self.byte}" if self.byte else self.file


Rows = tuple[pa.Table, list[Line]]
Marks = dict[str, bool]


class Staging:
    """Rows on their way into a database; a line that makes none is skipped, never raised."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self.taken = 0
        self.skipped: list[Skipped] = []
        self._connection = connection
        self._configs = Configs()
        self._unreadable: list[tuple[str, int, str, str]] = []
        self._clear()

    def _clear(self) -> None:
        self._starts: list[tuple[Line, Row]] = []
        self._ends: list[tuple[Line, Marks]] = []
        self._sweep_trials: list[tuple[Line, Row]] = []
        self._bytes = 0

    def add_record(self, line: Line) -> None:
        """Stage one line of a journal; an empty one closes off what a failed write left, and is nothing."""
        if line.text == b"\n":
            return
        try:
            checked = has_checksum(line.text)
            record = None if IS_END.match(line.text) else parse(line.text)
            if record is None or isinstance(record, Ended):  # by far the longest lines, read all at once
                marks = {"ended_checked": checked, "is_imported": _is_imported(line.file)}
                self._ends.append((line, marks))
            else:
                config_id = self._configs.id_of(record.config, record.trial_id)
                self._starts.append((line, records.start_row(record, config_id, checked)))
        except records.MALFORMED as error:
            self._skip(line, error)
        else:
            self._count(line)

    def add_sweep_trial(self, line: Line, sweep: str, position: int) -> None:
        """Stage line `position` of a sweep's manifest."""
        try:
            members = json_object(line.text)
            config_id = self._configs.id_of(members["config"], members["trial_id"])
            row = records.sweep_trial_row(members, config_id, sweep, position)
        except records.MALFORMED as error:
            self._skip(line, error)
        else:
            self._sweep_trials.append((line, row))
            self._count(line)

    def flush(self) -> None:
        """Take everything staged into the tables."""
        batch = {
            "new_starts": self._rows(self._starts, records.STARTS),
            "new_ends": self._ended(self._ends),
            "new_sweep_trials": self._rows(self._sweep_trials, records.SWEEP_TRIALS),
        }
        self._clear()
        self._take(batch)
        if self._unreadable:
            self._connection.executemany("INSERT INTO skipped_lines VALUES (?, ?, ?, ?)", self._unreadable)
            self._unreadable = []

    def _count(self, line: Line) -> None:
        self._bytes += len(line.text)
        if self._bytes > _BATCH_BYTES:
            self.flush()

    def _take(self, batch: dict[str, Rows]) -> None:
        """Merge a batch; one that the database refuses is split until the line that it refuses is alone."""
        self._restart_transaction("COMMIT")  # a batch that is refused takes nothing else with it
        try:
            self._merge({name: table for name, (table, _) in batch.items()})
        except duckdb.Error as error:
            if database.is_full(error):
                raise
            self._restart_transaction("ROLLBACK")
            lines = [line for _, lines in batch.values() for line in lines]
            if not lines:  # the fault is the database's
                raise
            if len(lines) == 1:
                self._skip(lines[0], error)
                return
            for half in _halves(batch):
                self._take(half)
        else:
            self.taken += sum(table.num_rows for table, _ in batch.values())

    def _merge(self, tables: dict[str, pa.Table]) -> None:
        used = {
            config_id
            for name in ("new_starts", "new_sweep_trials")
            for config_id in tables[name]["config_id"].unique().to_pylist()
        }
        tables["new_configs"] = records.table(self._configs.rows(used), records.CONFIGS)
        for name, table in tables.items():
            self._connection.register(name, table)
        try:
            for merge in _MERGES:
                self._connection.execute(SQL.text(f"merge/{merge}"))
        finally:
            for name in tables:
                self._connection.unregister(name)

    def _restart_transaction(self, end: str) -> None:
        self._connection.execute(end)
        self._connection.execute("BEGIN")

    def _ended(self, staged: list[tuple[Line, Marks]]) -> Rows:
        """Return the staged ends as a table: at once, or one by one where that finds anything unusual."""
        lines = [line for line, _ in staged]
        try:
            table = ends.table([line.text for line in lines], [marks for _, marks in staged])
        except records.MALFORMED:
            return self._rows(list(self._ended_rows(staged)), records.ENDS)
        return table, lines

    def _ended_rows(self, staged: list[tuple[Line, Marks]]) -> Iterator[tuple[Line, Row]]:
        for ordinal, (line, marks) in enumerate(staged):
            try:
                record = parse(line.text)
                if not isinstance(record, Ended):
                    raise TypeError("the line begins like the record of an end but is not one")
                yield line, records.end_row(record, ordinal, marks)
            except records.MALFORMED as error:
                self._skip(line, error)

    def _rows(self, staged: list[tuple[Line, Row]], schema: pa.Schema) -> Rows:
        """Return the staged rows as a table, without those that do not fit it."""
        try:
            table = records.table([row for _, row in staged], schema)
        except records.MALFORMED:
            staged = [(line, row) for line, row in staged if self._fits(line, row, schema)]
            table = records.table([row for _, row in staged], schema)
        return table, [line for line, _ in staged]

    def _fits(self, line: Line, row: Row, schema: pa.Schema) -> bool:
        try:
            records.table([row], schema)
        except records.MALFORMED as error:
            self._skip(line, error)
            return False
        return True

    def _skip(self, line: Line, error: Exception) -> None:
        why = f"{error.args[0]} is missing" if isinstance(error, KeyError) else str(error)
        # It may quote a lone surrogate, which DuckDB does not take.
        why = why[:_KEPT_CHARACTERS].encode(errors="backslashreplace").decode()
        text = line.text[:_KEPT_CHARACTERS].decode(errors="replace").rstrip("\n")
        self.skipped.append(Skipped(line.file, line.byte, why))
        self._unreadable.append((line.file, line.byte, why, text))


@lru_cache  # a file has many lines
def _is_imported(file: str) -> bool:
    return file.rpartition("/")[2].startswith(IMPORTED)


def _halves(batch: dict[str, Rows]) -> list[dict[str, Rows]]:
    """Return the batch as two or more smaller ones: table by table, or one table's rows in halves."""
    filled = [name for name, (_, lines) in batch.items() if lines]
    if len(filled) > 1:
        return [_only(batch, name, 0, len(batch[name][1])) for name in filled]
    (name,) = filled
    count = len(batch[name][1])
    return [_only(batch, name, 0, count // 2), _only(batch, name, count // 2, count)]


def _only(batch: dict[str, Rows], name: str, start: int, stop: int) -> dict[str, Rows]:
    """Return the batch with rows `start` to `stop` of one table alone."""

    def part(each: str) -> Rows:
        table, lines = batch[each]
        first, last = (start, stop) if each == name else (0, 0)
        return table.slice(first, last - first), lines[first:last]

    return {each: part(each) for each in batch}
