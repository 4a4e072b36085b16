"""Rows 7 and 8: what the database costs, in CPU seconds over all threads.

Ingestion beside `read_parquet` over one file a trial, with epoch rows and without; then cells over many
trials beside the same aggregates over one flat table. `python -m benchmarks.store [--records N] [--trials N]`
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.row import Row, at_least, at_most, print_rows
from noisebench.catalogue.component import Component
from noisebench.records.attempts import Ended, Epoch, Result, Started, Status
from noisebench.records.folders import ResultsFolder
from noisebench.records.lines import encode
from noisebench.store import database
from noisebench.store.configs import described
from noisebench.store.ingest import ingest
from noisebench.store.query import query
from noisebench.sweep.sweep import parse_sweep

SEEDS = 20
WORKERS = 64
STARTED_AT = datetime(2026, 11, 20, 9, 44, 0, 123_456, UTC)
EPOCH_ROWS = 50  # five folds of ten epochs
METRICS = ("precision", "recall", "f1", "specificity", "balanced_accuracy", "realised_rate", "clean_accuracy")
SWEEP = """\
sweep: store
blocks:
  grid: {dataset: MNIST, corruption: {kind: uniform, rate: 0.1}, loss: CE, seeds: 1}
"""
BASE = next(parse_sweep(SWEEP, "store.yaml").trials())


def cpu_seconds(work: Callable[[], Any], repeats: int = 1) -> float:
    """Return the CPU seconds, of all threads, of the cheapest of some runs of `work`."""

    def once() -> float:
        start = time.process_time()
        work()
        return time.process_time() - start

    return min(once() for _ in range(repeats))


def record_pair(number: int, epoch_rows: int = EPOCH_ROWS) -> tuple[Started, Ended]:
    """Return the started and the ended record of a trial, as long as real ones."""
    gamma = number // SEEDS / 1000
    trial = replace(BASE, loss=Component.of("BL", gamma=gamma, form="detached", delay=0), seed=number % SEEDS)
    started = Started(
        attempt_id=f"{number:032x}",
        trial_id=trial.trial_id,
        sweep="paper",
        config=trial.as_fields(),
        started_at=STARTED_AT,
        worker=f"node1-{number % WORKERS}",
        host="node1",
        pid=4711,
        device="cuda:0 NVIDIA V100",
        slurm_job_id="1234_5",
        commit="0" * 40,
        versions={"python": "3.11.2", "torch": "2.13.0"},
    )
    result = dict.fromkeys(METRICS, 0.9 + number % 97 / 1000)
    counts = {"flagged": 6000, "correct": 5500, "wrong_labels": 6100, "samples": 60000}
    ended = Ended(
        attempt_id=started.attempt_id,
        trial_id=trial.trial_id,
        sweep="paper",
        status=Status.COMPLETED,
        ended_at=STARTED_AT + timedelta(minutes=1),
        seconds=60.0,
        peak_memory_mb=512.0,
        result=Result.of({**result, **counts, "noise_hash": "0123456789abcdef", "seconds": 60.0}),
        epochs=tuple(
            Epoch(row // 10, row % 10, loss=1 / (row + 1.7), accuracy=0.97, held_out_loss=0.1)
            for row in range(epoch_rows)
        ),
    )
    return started, ended


def write_inputs(results: ResultsFolder, parquet: Path, records: int, epoch_rows: int) -> None:
    """Write the same attempts as a journal of some workers, and as one Parquet file each."""
    folder = results.journal / "paper"
    folder.mkdir(parents=True)
    parquet.mkdir()
    journals = [(folder / f"node1-{worker}.jsonl").open("wb") for worker in range(WORKERS)]
    for number in range(records):
        started, ended = record_pair(number, epoch_rows)
        journals[number % WORKERS].write(encode(started) + encode(ended))
        row = {**json.loads(encode(started)), **json.loads(encode(ended))}
        row["config"] = json.dumps(row["config"])
        del row["versions"]
        pq.write_table(pa.Table.from_pylist([row]), parquet / f"{number}.parquet")
    for journal in journals:
        journal.close()


def ingestion(folder: Path, records: int, epoch_rows: int) -> tuple[float, float]:
    """Return the CPU seconds of our ingestion of `records` attempts, of read_parquet over as many files."""
    results, parquet = ResultsFolder(folder / "results"), folder / "parquet"
    write_inputs(results, parquet, records, epoch_rows)
    ours = cpu_seconds(lambda: ingest(results, rebuild=True), repeats=3)
    assert query(results, "SELECT count(*) FROM runs").rows() == [(records,)]

    def peer() -> None:
        with duckdb.connect(folder / "peer.duckdb") as connection:
            connection.execute(f"CREATE OR REPLACE TABLE runs AS FROM read_parquet('{parquet}/*.parquet')")

    return ours, cpu_seconds(peer, repeats=3)


def million(folder: Path, trials: int) -> ResultsFolder:
    """Make a results folder whose database holds this many completed trials, in five blocks."""
    results = ResultsFolder(folder / "million")
    results.root.mkdir()
    configs = [record_pair(number * SEEDS)[0].config for number in range(trials // SEEDS)]
    ingest(results)
    with database.writer(results.database) as connection:
        connection.register("described", pa.Table.from_pylist([described(config) for config in configs]))
        values = ", ".join(f"random() AS {name}" for name in METRICS)
        connection.execute(
            f"""
            INSERT INTO configs BY NAME FROM described;
            CREATE TEMP TABLE numbered AS
                SELECT *, row_number() OVER (ORDER BY value) - 1 AS config_number FROM configs;
            INSERT INTO trial_seeds
                SELECT md5(config_id || seed)[:16], config_id, seed, true
                FROM configs, range({SEEDS}) AS seeds(seed);
            INSERT INTO results BY NAME
                SELECT
                    trial_id, md5_number_lower(trial_id) AS trial_key, md5(trial_id) AS attempt_id, config_id,
                    TIMESTAMP '2026-11-20' AS ended_at, {values}, 6000 AS flagged, 5500 AS correct,
                    6100 AS wrong_labels, 60000 AS samples, 60 * random() AS seconds
                FROM trial_seeds;
            INSERT INTO sweep_trials
                SELECT 'paper', 'block' || config_number % 5, trial_id, md5_number_lower(trial_id), {SEEDS},
                    config_number * {SEEDS} + seed
                FROM trial_seeds JOIN numbered USING (config_id);
            """
        )
    return results


# The cells over one table that has every key beside every number: nothing to join.
FLAT = """
CREATE TABLE flat AS
SELECT
    sweep, block, seeds_asked, position, family_id, value,
    results.* EXCLUDE (trial_key, attempt_id, ended_at, is_imported)
FROM results JOIN sweep_trials USING (trial_id) JOIN configs ON configs.config_id = results.config_id
"""
FLAT_CELLS = """
WITH wide AS (SELECT config_id, {aggregates} FROM flat GROUP BY config_id), long AS (
    UNPIVOT wide ON COLUMNS(* EXCLUDE config_id) INTO NAME metric VALUE cell
)
SELECT config_id, metric, cell.mean, cell.std, cell.n FROM long WHERE cell.n > 0
"""
FLAT_BEST_CELLS = """
WITH wide AS (
    SELECT sweep, block, family_id, config_id, value, {aggregates}
    FROM flat GROUP BY sweep, block, family_id, config_id, value
), long AS (
    UNPIVOT wide ON COLUMNS(* EXCLUDE (sweep, block, family_id, config_id, value)) INTO NAME metric VALUE cell
)
SELECT sweep, block, family_id, metric, config_id, cell.mean, cell.std, cell.n
FROM long JOIN metrics ON metrics.name = metric
WHERE cell.n > 0 AND higher_is_better IS NOT NULL
QUALIFY row_number() OVER (
    PARTITION BY sweep, block, family_id, metric
    ORDER BY CASE WHEN higher_is_better THEN -cell.mean ELSE cell.mean END, value
) = 1
"""
CELLS = "SELECT config_id, metric, mean, std, n FROM cells"
BEST_CELLS = "SELECT sweep, block, family_id, metric, config_id, mean, std, n FROM best_cells"


def selection(results: ResultsFolder) -> dict[str, tuple[float, float]]:
    """Return the CPU seconds of each view, and of the same aggregates over the flat table."""
    metrics = [name for (name,) in query(results, "SELECT name FROM metrics").rows()]
    cells = ", ".join(
        f"{{'mean': avg({name}), 'std': stddev_samp({name}), 'n': count({name})}} AS {name}"
        for name in metrics
    )
    peers = {"cells": (CELLS, FLAT_CELLS), "best_cells": (BEST_CELLS, FLAT_BEST_CELLS)}
    with duckdb.connect(results.database) as connection:
        connection.execute(FLAT)

        def cost(sql: str) -> float:
            return cpu_seconds(lambda: connection.sql(sql).to_arrow_table(), repeats=3)

        figures = {}
        for name, (ours, flat) in peers.items():
            theirs = flat.format(aggregates=cells)
            assert same(connection, ours, theirs), f"{name}: other rows than the flat table's"
            figures[name] = cost(ours), cost(theirs)
        return figures


def same(connection: duckdb.DuckDBPyConnection, ours: str, theirs: str) -> bool:
    """Whether two queries choose the same cells; their means may differ in the order of summation."""
    counts = connection.execute(f"SELECT (SELECT count(*) FROM ({ours})), (SELECT count(*) FROM ({theirs}))")
    ((number, expected),) = counts.fetchall()
    both = f"SELECT count(*) FROM ({ours}) SEMI JOIN ({theirs}) USING (config_id, metric)"
    return bool(number == expected and connection.execute(both).fetchall() == [(number,)])


def query_start(results: ResultsFolder) -> float:
    """Return the CPU seconds of a new process that asks for best_cells."""
    code = (
        "import sys; from pathlib import Path; from noisebench.store.query import query;"
        "from noisebench.records.folders import ResultsFolder;"
        "query(ResultsFolder(Path(sys.argv[1])), \"FROM best_cells WHERE metric = 'f1'\")"
    )
    before = os.times()
    subprocess.run([sys.executable, "-c", code, str(results.root)], check=True)
    after = os.times()
    return after.children_user + after.children_system - before.children_user - before.children_system


def rows(records: int, trials: int) -> Iterator[Row]:
    """Measure every row."""
    for number, epoch_rows in (("7", 0), ("7", EPOCH_ROWS)):
        with tempfile.TemporaryDirectory() as name:
            ours, peer = ingestion(Path(name), records, epoch_rows)
        what = f"ingest of {records:,} records" + (f", {epoch_rows} epoch rows each" if epoch_rows else "")
        yield at_least(number, what, f"{ours:.2f} s, read_parquet {peer:.2f} s", peer / ours, 10)
    with tempfile.TemporaryDirectory() as name:
        results = million(Path(name), trials)
        start = query_start(results)
        yield at_most("8", f"query over {trials:,} trials, start included", "", start, 1.5, " s")
        for view, (ours, flat) in selection(results).items():
            figures = f"{ours:.2f} s, flat table {flat:.2f} s"
            yield at_most("8", f"{view} over {trials:,} trials", figures, ours / flat, 1.5)


def main() -> None:
    """Print every row."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=11_000)
    parser.add_argument("--trials", type=int, default=1_000_000)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    print_rows(rows(asked.records, asked.trials), as_json=asked.json)


if __name__ == "__main__":
    main()
