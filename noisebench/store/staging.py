"""Lines gathered into batches for the database."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import duckdb
import pyarrow as pa

from noisebench.store import ends, records, statements
from noisebench.store.configs import described
from noisebench.store.lines import Line
from noisebench.store.records import Row

# Of text; the rows made of it take several times as much memory.
_BATCH_BYTES = 32_000_000
_KEPT_CHARACTERS = 500
_ENDED = re.compile(rb'\{\s*"event"\s*:\s*"ended"')


@dataclass(frozen=True)
class Skipped:
    """A line that could not be read: its file inside the results folder, its first byte, the reason."""

    file: str
    byte: int
    why: str


class Staging:
    """Rows on their way into a database; a line that makes none is skipped, never raised."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self.taken = 0
        self.skipped: list[Skipped] = []
        self._connection = connection
        self._config_ids: dict[str, str] = {}
        self._clear()

    def add_record(self, line: Line) -> None:
        """Stage one line of a journal; an empty one closes off what a failed write left, and is nothing."""
        if line.text == b"\n":
            return
        if _ENDED.match(line.text):  # by far the longest lines; they are read all at once
            self._ends.append(line)
            self._count(line)
            return
        try:
            record = records.parsed(line.text)
            if record["event"] != "started":
                raise ValueError(f"no line begins with event {record['event']!r}")
            row = records.start_row(record, self._config_id(record["config"]))
        except records.MALFORMED as error:
            self._skip(line, error)
        else:
            self._starts.append((line, row))
            self._count(line)

    def add_sweep_trial(self, line: Line, sweep: str, position: int) -> None:
        """Stage line `position` of a sweep's manifest."""
        try:
            record = records.parsed(line.text)
            row = records.sweep_trial_row(record, self._config_id(record["config"]), sweep, position)
        except records.MALFORMED as error:
            self._skip(line, error)
        else:
            self._sweep_trials.append((line, row))
            self._count(line)

    def flush(self) -> None:
        """Take everything staged into the tables."""
        tables = {
            "new_configs": records.table(self._configs, records.CONFIGS),
            "new_starts": self._table(self._starts, records.STARTS),
            "new_ends": self._ended(),
            "new_sweep_trials": self._table(self._sweep_trials, records.SWEEP_TRIALS),
        }
        for name, table in tables.items():
            self._connection.register(name, table)
        for merge in ("trials", "attempts", "results"):
            self._connection.execute(statements.statement(f"merge/{merge}"))
        for name in tables:
            self._connection.unregister(name)
        if self._unreadable:
            self._connection.executemany("INSERT INTO skipped_lines VALUES (?, ?, ?, ?)", self._unreadable)
        self._clear()

    def _clear(self) -> None:
        self._configs: list[Row] = []
        self._starts: list[tuple[Line, Row]] = []
        self._ends: list[Line] = []
        self._sweep_trials: list[tuple[Line, Row]] = []
        self._unreadable: list[tuple[str, int, str, str]] = []
        self._bytes = 0

    def _config_id(self, fields: Mapping[str, Any]) -> str:
        """Return the id of a trial's configuration, which is staged when it is first met."""
        # The text is cheaper than the id, and there are as many trials of a configuration as seeds.
        text = repr({name: value for name, value in fields.items() if name != "seed"})
        if text not in self._config_ids:
            row = described(fields)
            records.table([row], records.CONFIGS)  # raises here rather than when all are taken in
            self._configs.append(row)
            self._config_ids[text] = row["config_id"]
        return self._config_ids[text]

    def _count(self, line: Line) -> None:
        self._bytes += len(line.text)
        if self._bytes > _BATCH_BYTES:
            self.flush()

    def _ended(self) -> pa.Table:
        """Return the staged ends as a table: at once, or one by one where that finds anything unusual."""
        try:
            table = ends.table([line.text for line in self._ends])
        except records.MALFORMED:
            return self._table(list(self._ended_rows()), records.ENDS)
        self.taken += table.num_rows
        return table

    def _ended_rows(self) -> Iterator[tuple[Line, Row]]:
        for ordinal, line in enumerate(self._ends):
            try:
                yield line, records.end_row(records.parsed(line.text), ordinal)
            except records.MALFORMED as error:
                self._skip(line, error)

    def _table(self, staged: list[tuple[Line, Row]], schema: pa.Schema) -> pa.Table:
        """Return the staged rows as a table, without those that do not fit it."""
        try:
            table = records.table([row for _, row in staged], schema)
        except records.MALFORMED:
            fitting = [row for line, row in staged if self._fits(line, row, schema)]
            table = records.table(fitting, schema)
        self.taken += table.num_rows
        return table

    def _fits(self, line: Line, row: Row, schema: pa.Schema) -> bool:
        try:
            records.table([row], schema)
        except records.MALFORMED as error:
            self._skip(line, error)
            return False
        return True

    def _skip(self, line: Line, error: Exception) -> None:
        why = f"{error.args[0]} is missing" if isinstance(error, KeyError) else str(error)
        text = line.text[:_KEPT_CHARACTERS].decode(errors="replace").rstrip("\n")
        self.skipped.append(Skipped(line.file, line.byte, why))
        self._unreadable.append((line.file, line.byte, why, text))
