"""The commands as a user types them: output, exit codes, one clear message for a mistake."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest

from noisebench.records.folders import ResultsFolder
from noisebench.store.states import trial_states
from noisebench.store.store import DamagedDatabaseError, open_store
from tests.command import noisebench, noisebench_here
from tests.trials import sweep_text

# A file of DuckDB: three headers of 4 kB, then blocks of 256 kB, each with a checksum.
HEADERS, BLOCK = 3 * 4096, 256 * 1024
LAZY = """
import sys
from noisebench.cli.app import app
try:
    app({arguments})
except SystemExit:
    pass
print(sorted({{"torch", "ray", "duckdb", "pandas", "pyarrow"}} & set(sys.modules)), file=sys.stderr)
"""


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with sweep.yaml and the results of having run it inline, one trial failed."""
    folder = tmp_path_factory.mktemp("finished")
    (folder / "broken_losses.py").write_text(
        "def broken(logits, targets):\n    raise ValueError('this is broken')\n"
    )
    text = sweep_text('[CE, {name: BL, gamma: [0.2, 0.8]}, "broken_losses:broken"]', seeds="2", name="demo")
    (folder / "sweep.yaml").write_text(text)
    done = noisebench_here("run", "sweep.yaml", "--inline", cwd=folder)
    assert done.returncode == 1, done.stderr
    assert (
        "6 of 8 trials completed, 8 of them now; 2 failed: `noisebench failures demo` says why" in done.stderr
    )
    assert "demo: 6/8 done, 2 failed, 0 running, 0 pending" in done.stderr
    assert "Traceback" not in done.stderr
    (folder / "table.txt").write_text(done.stdout)
    return folder


@pytest.mark.slow
def test_the_table_has_a_cell_for_every_loss_and_marks_the_best(finished: Path) -> None:
    table = (finished / "table.txt").read_text()
    header = next(line for line in table.splitlines() if "noise" in line)
    assert [name for name in ("CE", "BL", "broken_losses:broken") if name not in header] == []
    assert table.count("¹") >= 2  # the legend, and at least one best cell
    assert "–" in table  # the failed loss has no number


@pytest.mark.slow
def test_run_again_starts_nothing_and_leaves_the_failed(finished: Path) -> None:
    again = noisebench_here("run", "sweep.yaml", cwd=finished)
    assert again.returncode == 1
    assert "6 of 8 trials completed, nothing was pending; 2 failed" in again.stderr
    assert "`noisebench resume demo` runs them again" in again.stderr


def test_status(finished: Path) -> None:
    text = noisebench("status", cwd=finished)
    assert text.stdout.splitlines() == [
        "demo: 6/8 completed, 0 running, 2 failed, 0 pending",
        "    exception: 2",
    ]
    state = json.loads(noisebench_here("status", "demo", "--json", cwd=finished).stdout)
    expected = "sweep total completed running failed pending rate_per_hour eta_seconds gpu_hours failures"
    assert set(expected.split()) <= set(state)
    assert (state["total"], state["completed"], state["failed"], state["failures"]) == (
        8,
        6,
        2,
        {"exception": 2},
    )


@pytest.mark.slow
def test_status_makes_a_damaged_database_anew(finished: Path, tmp_path: Path) -> None:
    """DuckDB notices a damaged block only when a query reads it: here one byte after the other changes."""
    shutil.copytree(finished / "results", tmp_path / "results")
    results, noticed = ResultsFolder(tmp_path / "results"), 0
    whole = results.database.read_bytes()
    expected = status_of(finished)
    for byte in range(HEADERS + 100, len(whole), BLOCK):
        damaged = bytearray(whole)
        damaged[byte] ^= 1
        results.database.write_bytes(damaged)
        try:
            with open_store(results) as store:
                trial_states(store, "demo")
        except DamagedDatabaseError:
            noticed += 1
        assert status_of(tmp_path) == expected
    assert noticed


def status_of(folder: Path) -> dict[str, Any]:
    """Return the counts of the sweep."""
    done = noisebench_here("status", "demo", "--json", cwd=folder)
    assert (done.returncode, done.stderr) == (0, "")
    counts: dict[str, Any] = json.loads(done.stdout)
    del counts["rate_per_hour"]  # up to now
    return counts


def test_failures_and_show(finished: Path) -> None:
    grouped = noisebench_here("failures", "demo", cwd=finished).stdout.splitlines()
    assert grouped[0] == "2 trials: exception: ValueError: this is broken"
    (group,) = json.loads(noisebench_here("failures", "demo", "--json", cwd=finished).stdout)
    shown = json.loads(noisebench_here("show", group["example"][:12], "--json", cwd=finished).stdout)
    assert shown["state"] == "failed"
    assert "this is broken" in shown["attempts"][0]["traceback"]
    assert shown["by_hand"] == [f"noisebench resume demo --trial {group['example']} --inline"]
    readable = noisebench_here("show", group["example"], cwd=finished).stdout
    assert "trial_id: " + group["example"] in readable


@pytest.mark.slow
def test_resume_runs_the_failed_again_unless_told_otherwise(finished: Path) -> None:
    left = noisebench_here("resume", "demo", "--inline", "--pending-only", cwd=finished)
    assert "nothing was pending" in left.stderr
    tried = noisebench_here("resume", "demo", "--inline", cwd=finished)
    assert (tried.returncode, "2 of them now" in tried.stderr) == (1, True)


@pytest.mark.parametrize("style", ["table", "csv", "json", "parquet"])
def test_query_formats(finished: Path, style: str, tmp_path: Path) -> None:
    sql = "SELECT loss, count(*) AS n, round(avg(value), 1) AS value FROM runs GROUP BY loss ORDER BY loss"
    out = tmp_path / "rows"
    done = noisebench_here("query", sql, "--format", style, "--out", out, cwd=finished)
    assert (done.returncode, done.stdout) == (0, "")
    expected = [{"loss": "BL", "n": 4, "value": 0.5}, {"loss": "CE", "n": 2, "value": None}]
    if style == "parquet":
        assert pyarrow.parquet.read_table(out).to_pylist() == expected
    elif style == "json":
        assert json.loads(out.read_text()) == expected
    elif style == "csv":
        assert out.read_text() == "loss,n,value\nBL,4,0.5\nCE,2,\n"
    else:
        assert out.read_text() == "loss  n  value\n----  -  -----\nBL    4    0.5\nCE    2\n"


def test_wrong_sql_is_duckdbs_message_with_its_place(finished: Path) -> None:
    done = noisebench_here("query", "SELECT lss FROM runs", cwd=finished)
    assert done.returncode == 2
    assert "LINE 1" in done.stderr
    assert "Traceback" not in done.stderr


def test_query_by_name(finished: Path) -> None:
    listed = noisebench_here("query", "--named", "list", cwd=finished).stdout
    assert "best_cells" in listed
    assert "BL" in noisebench_here("query", "--named", "best_cells", cwd=finished).stdout
    assert noisebench_here("query", cwd=finished).returncode == 2


def test_schema_describes_every_view(finished: Path) -> None:
    text = noisebench_here("schema", cwd=finished).stdout
    for name in ("runs (view)", "cells (view)", "best_cells (view)", "trials", "attempts (table)", "epochs"):
        assert name in text


@pytest.mark.slow
def test_ingest_rebuild(finished: Path) -> None:
    before = noisebench_here(
        "query", "SELECT * FROM runs ORDER BY ALL", "--format", "csv", cwd=finished
    ).stdout
    assert noisebench_here("ingest", "--rebuild", cwd=finished).returncode == 0
    assert (
        noisebench_here("query", "SELECT * FROM runs ORDER BY ALL", "--format", "csv", cwd=finished).stdout
        == before
    )


def test_plan(finished: Path, tmp_path: Path) -> None:
    plan = json.loads(noisebench_here("plan", "sweep.yaml", "--json", cwd=finished).stdout)
    (grid, total) = plan["blocks"]
    assert (grid["trials"], grid["completed"], grid["pending"]) == (8, 6, 2)
    assert total["cpu_thread_hours"] > 0
    assert noisebench_here("plan", "sweep.yaml", "--results", tmp_path / "none", cwd=finished).returncode == 0
    assert not (tmp_path / "none").exists()


def test_a_sweep_is_planned_by_its_name_too_and_with_other_values(finished: Path, tmp_path: Path) -> None:
    def trials(*arguments: str) -> int:
        plan = noisebench_here("plan", *arguments, "--json", cwd=finished)
        assert plan.returncode == 0, plan.stderr
        return int(json.loads(plan.stdout)["blocks"][-1]["trials"])

    assert trials("demo") == 8
    assert trials("demo", "--set", "seeds=3") == trials("sweep.yaml", "--set", "seeds=3") == 12
    unknown = noisebench_here("plan", "dmeo", cwd=finished)
    assert (unknown.returncode, "known: demo" in unknown.stderr) == (2, True)
    (tmp_path / "mnist.yaml").write_text(sweep_text(dataset="MNIST"))
    missing = noisebench_here("plan", tmp_path / "mnist.yaml", "--data", tmp_path, cwd=finished)
    assert (missing.returncode, missing.stdout.count(": missing (expected ")) == (0, 4)


@pytest.mark.slow
def test_values_from_the_command_line_are_kept_with_the_sweep(tmp_path: Path) -> None:
    (tmp_path / "sweep.yaml").write_text(sweep_text("CE", seeds="3", name="demo"))
    options = ("--set", "seeds=1", "--set", "training.epochs=1", "--inline")
    done = noisebench_here("run", "sweep.yaml", *options, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "1 of 1 trials completed, 1 of them now" in done.stderr
    resumed = noisebench_here("resume", "demo", "--inline", cwd=tmp_path)
    assert "1 of 1 trials completed, nothing was pending" in resumed.stderr
    refused = noisebench_here("run", "sweep.yaml", "--inline", cwd=tmp_path)
    assert (refused.returncode, "--replace" in refused.stderr) == (2, True)
    wrong = noisebench_here("plan", "sweep.yaml", "--set", "seeds=0", cwd=tmp_path)
    assert (wrong.returncode, "--set seeds=0" in wrong.stderr) == (2, True)


@pytest.mark.slow
def test_errors_from_records_cannot_control_the_terminal(tmp_path: Path) -> None:
    (tmp_path / "escaping_losses.py").write_text(
        "def broken(logits, targets):\n    raise ValueError('\\x1b[2J\\x1b]0;owned\\x07')\n"
    )
    (tmp_path / "sweep.yaml").write_text(sweep_text('["escaping_losses:broken"]', name="demo"))
    assert noisebench_here("run", "sweep.yaml", "--inline", cwd=tmp_path).returncode == 1
    failed = noisebench_here("failures", "demo", cwd=tmp_path).stdout
    assert "\\x1b[2J" in failed
    example = json.loads(noisebench_here("failures", "demo", "--json", cwd=tmp_path).stdout)[0]["example"]
    printed = [noisebench_here(command, example, cwd=tmp_path).stdout for command in ("logs", "show")]
    assert "\x1b" not in failed + "".join(printed)


def test_plan_for_a_cluster(finished: Path) -> None:
    site = Path(__file__).parents[2] / "slurm/sites/example-v100.yaml"
    plan = json.loads(noisebench_here("plan", "sweep.yaml", "--site", site, "--json", cwd=finished).stdout)
    there = plan["site"]
    assert (there["workers"], there["devices"], there["device"]) == (8, 32, "GPUs")
    assert there["wall_hours"] == pytest.approx(plan["blocks"][-1]["v100_hours"] / 32)


@pytest.mark.slow
def test_plan_shows_the_gpu_hours_of_both_precisions_as_not_measured(tmp_path: Path) -> None:
    (tmp_path / "sweep.yaml").write_text(sweep_text(dataset="CIFAR-100", training="{}"))
    planned = json.loads(noisebench("plan", "sweep.yaml", "--json", cwd=tmp_path).stdout)
    assert planned["precision"] == ["reference"]
    hours = planned["blocks"][-1]["unmeasured_gpu_hours"]["A100"]
    lines = noisebench("plan", "sweep.yaml", cwd=tmp_path).stdout.splitlines()
    (heading,) = [number for number, line in enumerate(lines) if "not measured" in line]
    table = [line.split() for line in lines[heading + 1 : heading + 5]]
    assert table[0] == ["GPU", "reference", "fast"]
    assert table[2] == ["A100", f"{hours['reference']:.2f}", f"{hours['fast']:.2f}"]
    assert "this sweep trains in precision reference" in lines[heading + 5]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["run", "missing.yaml"], 2, "missing.yaml: cannot be read: No such file or directory"),
        (["resume", "nothing"], 2, "no sweep 'nothing' here; known: demo"),
        (["status", "nothing"], 2, "no sweep 'nothing' here; known: demo"),
        (["show", "zz"], 2, "no trial in "),
        (["status", "--results", "elsewhere"], 2, "elsewhere: there is no results folder here"),
        (["run", "sweep.yaml", "--block", "other"], 2, "has no block 'other'; known: grid"),
        (["run", "sweep.yaml", "--results", "/proc/noisebench"], 3, "cannot be written"),
    ],
)
def test_a_users_mistake_is_one_clear_message(
    finished: Path, arguments: list[str], code: int, message: str
) -> None:
    done = noisebench_here(*arguments, cwd=finished)
    assert (done.returncode, done.stdout) == (code, "")
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_broken_sweep_starts_nothing(tmp_path: Path) -> None:
    (tmp_path / "sweep.yaml").write_text(sweep_text("[BLL, PZ]", rate="1.5"))
    done = noisebench_here("run", "sweep.yaml", cwd=tmp_path)
    assert done.returncode == 2
    assert [line.split(":")[0] for line in done.stderr.splitlines()] == ["sweep.yaml"] * 3
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize("arguments", [["--help"], ["plan", "sweep.yaml", "--results", "none"]])
def test_light_commands_import_nothing_heavy(finished: Path, arguments: list[str]) -> None:
    import subprocess
    import sys

    code = LAZY.format(arguments=arguments)
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=finished, check=True
    )
    assert done.stderr.splitlines()[-1] == "[]"


@pytest.mark.data
def test_prepare_verifies_and_says_what_is_missing(tmp_path: Path, real_data: Path) -> None:
    (tmp_path / "sweep.yaml").write_text(sweep_text(dataset="MNIST"))
    whole = noisebench_here("prepare", "sweep.yaml", "--data", real_data, cwd=tmp_path)
    assert (whole.returncode, whole.stdout.count(": ok\n")) == (0, 4)
    missing = noisebench_here("prepare", "sweep.yaml", "--data", "nowhere", "--offline", cwd=tmp_path)
    assert (missing.returncode, missing.stdout.count("would be fetched from https://")) == (3, 4)
    assert not (tmp_path / "nowhere").exists()
    refused = noisebench_here("run", "sweep.yaml", "--data", "nowhere", cwd=tmp_path)
    assert refused.returncode == 3
    assert "`noisebench prepare SPEC --data" in refused.stderr
    assert noisebench_here("prepare", "sweep.yaml", cwd=tmp_path).returncode == 2


def test_prepare_names_the_file_and_the_address_of_torchvisions_weights(tmp_path: Path) -> None:
    training = "{model: 'torchvision:mobilenet_v3_small', pretrained: true, epochs: 1}"
    (tmp_path / "sweep.yaml").write_text(sweep_text(training=training))
    missing = noisebench_here("prepare", "sweep.yaml", "--data", "folder", "--offline", cwd=tmp_path)
    assert missing.returncode == 3
    assert re.fullmatch(
        r"folder/weights/(\S+)-(\w{8})\.pth: missing \(expected sha256:\2\); "
        r"would be fetched from https://download\.pytorch\.org/models/\1-\2\.pth\n",
        missing.stdout,
    )


def test_export_without_scores_has_every_record_and_no_scores(finished: Path, tmp_path: Path) -> None:
    whole = noisebench_here("export", "demo", "--out", tmp_path / "whole.tar", cwd=finished)
    small = noisebench_here(
        "export", "demo", "--without-scores", "--out", tmp_path / "small.tar", cwd=finished
    )
    records = whole.stderr.partition(": ")[2].partition(",")[0]
    assert (whole.returncode, small.returncode) == (0, 0)
    assert small.stderr == f"{tmp_path / 'small.tar'}: {records}, 0 files of scores\n"
    assert (tmp_path / "small.tar").stat().st_size < (tmp_path / "whole.tar").stat().st_size
