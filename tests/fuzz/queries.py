"""SQL from a small grammar: a query answers or is refused, and changes no file."""

import re
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import chdir, contextmanager
from pathlib import Path
from random import Random

from noisebench.errors import InputError
from noisebench.store.ingest import ingest
from noisebench.store.store import Store, open_store
from tests.fuzz.inputs import stamps, tree
from tests.store.results_folder import Folder, ended, started, trial

QUERIES_IN_A_SNAPSHOT = 25
TABLES = ["runs", "results", "attempts", "trials", "cells", "metrics", "store", "skipped_lines", "published"]
COLUMNS = ["f1", "trial_id", "1", "NULL", "count(*)", "'x'", "seed", "getenv('HOME')", "version()"]
FORMATS = ["csv", "parquet", "json", "csv, USE_TMP_FILE false", "csv, OVERWRITE_OR_IGNORE", "csv, APPEND"]
SETTINGS = ["enable_external_access", "temp_directory", "allowed_paths", "disabled_filesystems"]
PRAGMAS = ["database_list", "enable_profiling", "version", "force_checkpoint", "storage_info('results')"]
FUNCTIONS = [
    "read_csv",
    "read_text",
    "read_blob",
    "read_parquet",
    "read_json",
    "glob",
    "sniff_csv",
    "parquet_metadata",
]


class Grammar:
    """Builds one statement; `paths` are files and names that it may try to reach."""

    def __init__(self, random: Random, paths: list[str]) -> None:
        self._random = random
        self._paths = paths

    def statement(self) -> str:
        """Return a statement, often wrapped in EXPLAIN or behind common table expressions."""
        text = self._random.choice([self.select, self.select, self.with_, self.dml, self.other, self.table])()
        wrapper = self._random.choice(
            ["{}"] * 6
            + ["EXPLAIN {}", "EXPLAIN ANALYZE {}", "EXPLAIN (FORMAT json, ANALYZE) {}", "({})", "{};"]
            + ["DESCRIBE {}", "SUMMARIZE {}", "FROM ({})", "SELECT 1; {}", "PREPARE p AS {}", "{} -- {}"]
        )
        return wrapper.replace("{}", text)

    def select(self) -> str:
        columns = ", ".join(self._random.choices(COLUMNS, k=self._random.randint(1, 3)))
        where = self._random.choice(["", "", " WHERE f1 > 0.5", " LIMIT 3", " ORDER BY ALL", " GROUP BY ALL"])
        return f"SELECT {columns} FROM {self.source()}{where}"

    def source(self) -> str:
        pick = self._random.random()
        if pick < 0.5:
            return self._random.choice(TABLES)
        if pick < 0.7:
            return f"{self._random.choice(FUNCTIONS)}({self.path()})"
        if pick < 0.8:
            return self.path()
        return f"({self.select()})" if pick < 0.95 else f"({self.dml()} RETURNING *)"

    def path(self) -> str:
        return f"'{self._random.choice(self._paths)}'"

    def with_(self) -> str:
        inner = self._random.choice([self.select, self.dml, self.dml, self.copy])()
        returning = self._random.choice(["", " RETURNING *", " RETURNING f1"])
        recursive = self._random.choice(["", "RECURSIVE "])
        return f"WITH {recursive}a AS ({inner}{returning}) {self._random.choice([self.select, self.dml])()}"

    def dml(self) -> str:
        table = self._random.choice([*TABLES, "snapshot.results", "mine", "memory.mine"])
        return self._random.choice(
            [
                f"INSERT INTO {table} {self.select()}",
                f"INSERT INTO {table} VALUES (1)",
                f"UPDATE {table} SET f1 = 1",
                f"DELETE FROM {table}",
                f"TRUNCATE {table}",
                f"MERGE INTO {table} USING metrics ON true WHEN MATCHED THEN DELETE",
                self.copy(),
            ]
        )

    def copy(self) -> str:
        return self._random.choice(
            [
                f"COPY ({self.select()}) TO {self.path()} (FORMAT {self._random.choice(FORMATS)})",
                f"COPY {self._random.choice(TABLES)} TO {self.path()}",
                f"COPY {self._random.choice(TABLES)} FROM {self.path()}",
                f"COPY FROM DATABASE snapshot TO {self.path()}",
                f"EXPORT DATABASE {self.path()}",
                f"IMPORT DATABASE {self.path()}",
            ]
        )

    def other(self) -> str:
        return self._random.choice(
            [
                f"ATTACH {self.path()} AS other",
                f"ATTACH {self.path()} AS other (READ_WRITE)",
                "DETACH snapshot",
                "USE memory",
                f"SET {self._random.choice(SETTINGS)} = {self.path()}",
                f"RESET {self._random.choice(SETTINGS)}",
                f"PRAGMA {self._random.choice(PRAGMAS)}",
                f"CALL {self._random.choice(PRAGMAS)}",
                f"CREATE TABLE mine AS {self.select()}",
                f"CREATE OR REPLACE VIEW runs AS {self.select()}",
                f"CREATE MACRO m() AS TABLE {self.select()}",
                f"CREATE PERSISTENT SECRET s (TYPE s3, KEY_ID {self.path()})",
                "INSTALL httpfs",
                f"LOAD {self.path()}",
                "CHECKPOINT",
                "FORCE CHECKPOINT snapshot",
                "VACUUM",
                "BEGIN",
                "ROLLBACK",
                "SELECT * FROM pragma_database_list()",
                "SELECT pragma_version(), current_setting('temp_directory')",
            ]
        )

    def table(self) -> str:
        return f"{self._random.choice(['FROM', 'TABLE', 'DESCRIBE', 'SUMMARIZE', 'SHOW'])} {self.source()}"


def _kind(message: str) -> str:
    """Return what a query was refused for: DuckDB's word for its error, or ours."""
    kind = re.match(r"(\w+) Error:", message)
    return kind[1].lower() if kind else message.partition(",")[0].partition(":")[0]


@contextmanager
def queries(tmp: Path) -> Iterator[Callable[[Random], Counter[str]]]:
    """Yield the check of some statements against one opened results folder in `tmp`."""
    folder = Folder(tmp / "results")
    folder.manifest({"grid": [trial(seed=seed) for seed in range(3)]})
    folder.journal(started(trial(), "a"), ended(trial(), "a"), b"broken\n")
    ingest(folder.results)
    (tmp / "work").mkdir()
    (tmp / "secret.csv").write_text("secret\n1\n")
    before = tree(tmp)
    database = folder.results.database
    paths = [str(database), f"{database}.wal", "results.duckdb.wal", str(tmp / "outside"), "outside.csv"]
    paths += [str(tmp / "secret.csv"), "/etc/passwd", f"{tmp}/**", ":memory:", "http://localhost:9/x"]

    def check_one(random: Random, store: Store) -> str:
        sql = Grammar(random, paths).statement()
        try:
            answer = store.query(sql)
        except InputError as error:
            outcome = f"refused ({_kind(str(error))})"
        else:
            outcome = "answered"
            assert b"root:" not in repr(answer.rows()).encode(), f"{sql} read /etc/passwd"
        after = stamps(tmp)
        changed = sorted(name for name in known | after if known.get(name) != after.get(name))
        assert not changed, f"{sql} changed {changed}"
        return outcome

    def check(random: Random) -> Counter[str]:
        with open_store(folder.results) as store:
            outcomes = Counter(check_one(random, store) for _ in range(QUERIES_IN_A_SNAPSHOT))
        assert tree(tmp) == before
        return outcomes

    known = stamps(tmp)
    with chdir(tmp / "work"):
        yield check
