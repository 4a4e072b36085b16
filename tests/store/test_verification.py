"""Each kind of damage, made in a real results folder, is reported with its place, and nothing else is."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest

from noisebench.data.own.cache import keep
from noisebench.data.own.read import read_source
from noisebench.records.folders import ResultsFolder
from noisebench.records.lines import with_checksum
from noisebench.records.manifest import keep_sweep
from tests.command import noisebench_here
from tests.trials import sweep_of, sweep_text

Members = dict[str, Any]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> ResultsFolder:
    """The results of a sweep of three real trials, run and taken into the database."""
    folder = tmp_path_factory.mktemp("finished")
    text = sweep_text("[CE, {name: BL, gamma: 0.4}, {name: GCE, q: 0.7}]", name="demo")
    (folder / "sweep.yaml").write_text(text)
    done = noisebench_here("run", "sweep.yaml", "--inline", cwd=folder)
    assert done.returncode == 0, done.stderr
    return ResultsFolder(folder / "results")


@pytest.fixture
def results(finished: ResultsFolder, tmp_path: Path) -> ResultsFolder:
    """A copy of those results to damage; files keep their times, as in a folder that is in use."""
    shutil.copytree(finished.root, tmp_path / "results", copy_function=shutil.copy2)
    return ResultsFolder(tmp_path / "results")


def journal_of(results: ResultsFolder) -> Path:
    (path,) = results.sweep("demo").journal.glob("*.jsonl")
    return path


def verified(results: ResultsFolder, *arguments: str) -> tuple[int, dict[str, Any]]:
    """Return the exit code and what `verify --json` prints; assert that no file was changed."""
    before = {path: path.stat() for path in sorted(results.root.rglob("*"))}
    done = noisebench_here("verify", "--json", *arguments, cwd=results.root.parent)
    after = {path: path.stat() for path in sorted(results.root.rglob("*"))}
    assert {path: (stat.st_mtime_ns, stat.st_size) for path, stat in before.items()} == {
        path: (stat.st_mtime_ns, stat.st_size) for path, stat in after.items()
    }
    assert done.stdout, done.stderr
    content: dict[str, Any] = json.loads(done.stdout)
    assert content["whole"] == (done.returncode == 0)
    return done.returncode, content


def damages(results: ResultsFolder, *arguments: str) -> list[tuple[str, str, int | None]]:
    """Return kind, file (without its folders) and line of each damage; the exit code is 1 if there is one."""
    code, content = verified(results, *arguments)
    assert code == (1 if content["damages"] else 0)
    assert all(damage["consequence"] and damage["problem"] for damage in content["damages"])
    return [
        (damage["kind"], damage["file"].rpartition("/")[2], damage["line"]) for damage in content["damages"]
    ]


def change_lines(path: Path, change: Callable[[list[Members]], None]) -> None:
    """Change the members of the lines of a journal, and give each line the checksum that fits."""
    lines = [json.loads(line) for line in path.read_bytes().splitlines()]
    for line in lines:
        line.pop("crc32", None)
    change(lines)
    path.write_bytes(b"".join(with_checksum(json.dumps(line).encode()) for line in lines))


@pytest.mark.slow
def test_a_whole_folder_has_no_damage(results: ResultsFolder) -> None:
    code, content = verified(results)
    assert (code, content["damages"], content["notes"]) == (0, [], [])
    counts = {name: content[name] for name in ("files", "lines", "manifests", "scores")}
    assert counts == {"files": 1, "lines": 6, "manifests": 1, "scores": 3}
    assert damages(results, "demo") == []


@pytest.mark.slow
def test_a_flipped_digit_of_an_f1_is_reported(results: ResultsFolder) -> None:
    path = journal_of(results)
    lines = path.read_bytes().splitlines(keepends=True)
    at = lines[3].index(b'"f1":0.') + len(b'"f1":0.')
    digit = b"1" if lines[3][at : at + 1] != b"1" else b"2"
    lines[3] = lines[3][:at] + digit + lines[3][at + 1 :]
    path.write_bytes(b"".join(lines))
    assert damages(results) == [("line", path.name, 4)]


@pytest.mark.slow
def test_an_f1_with_a_checksum_that_fits_contradicts_the_scores(results: ResultsFolder) -> None:
    def change(lines: list[Members]) -> None:
        lines[1]["result"]["f1"] += 0.01

    change_lines(journal_of(results), change)
    assert damages(results) == [("scores", journal_of(results).name, 2)]


@pytest.mark.slow
def test_results_swapped_between_two_trials_are_reported(results: ResultsFolder) -> None:
    def swap(lines: list[Members]) -> None:
        assert lines[1]["result"]["f1"] != lines[3]["result"]["f1"]
        lines[1]["result"], lines[3]["result"] = lines[3]["result"], lines[1]["result"]

    change_lines(journal_of(results), swap)
    name = journal_of(results).name
    assert damages(results) == [("scores", name, 2), ("scores", name, 4)]


@pytest.mark.slow
def test_ends_swapped_between_two_trials_are_reported(results: ResultsFolder) -> None:
    def swap(lines: list[Members]) -> None:
        lines[1]["trial_id"], lines[3]["trial_id"] = lines[3]["trial_id"], lines[1]["trial_id"]

    change_lines(journal_of(results), swap)
    name = journal_of(results).name
    assert damages(results) == [("attempt", name, 2), ("attempt", name, 4)]


@pytest.mark.slow
def test_starts_with_swapped_configurations_are_reported(results: ResultsFolder) -> None:
    def swap(lines: list[Members]) -> None:
        lines[0]["config"], lines[2]["config"] = lines[2]["config"], lines[0]["config"]

    change_lines(journal_of(results), swap)
    name = journal_of(results).name
    assert damages(results) == [("trial-id", name, 1), ("trial-id", name, 3)]


def test_an_end_whose_start_was_removed_is_reported(results: ResultsFolder) -> None:
    path = journal_of(results)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[1:]))
    results.database.unlink()
    assert damages(results) == [("attempt", path.name, 1)]


@pytest.mark.slow
def test_two_different_results_of_one_trial_are_reported(results: ResultsFolder) -> None:
    def repeat(lines: list[Members]) -> None:
        again = [{**line, "attempt_id": "f" * 32} for line in lines[:2]]
        again[1]["result"] = {**again[1]["result"], "clean_accuracy": 0.125}
        lines += again

    change_lines(journal_of(results), repeat)
    assert damages(results) == [("result", journal_of(results).name, 8)]


def test_a_repeated_trial_with_an_equal_result_is_whole(results: ResultsFolder) -> None:
    def repeat(lines: list[Members]) -> None:
        again = [{**line, "attempt_id": "f" * 32} for line in lines[:2]]
        again[1]["result"] = {**again[1]["result"], "seconds": 999.0}
        lines += again

    change_lines(journal_of(results), repeat)
    results.database.unlink()
    assert damages(results) == []


@pytest.mark.slow
def test_a_flipped_byte_in_the_scores_is_reported(results: ResultsFolder) -> None:
    path = sorted(results.root.glob("scores/*/*.parquet"))[0]
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    assert damages(results) == [("scores", path.name, None)]
    assert damages(results, "--without-scores") == []


@pytest.mark.slow
def test_missing_scores_are_reported(results: ResultsFolder) -> None:
    path = sorted(results.root.glob("scores/*/*.parquet"))[0]
    path.unlink()
    ((kind, file, line),) = damages(results)
    assert (kind, file) == ("scores", journal_of(results).name)
    assert path.stem in journal_of(results).read_text().splitlines()[line - 1]


def test_a_truncated_journal_is_reported(results: ResultsFolder) -> None:
    path = journal_of(results)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:4]))
    assert damages(results) == [("journal-lost", path.name, None)]
    path.write_bytes(b"".join(lines[:4]) + lines[4][:20])
    assert damages(results) == [("journal-lost", path.name, None)]


def test_a_removed_journal_is_reported(results: ResultsFolder) -> None:
    name = journal_of(results).name
    journal_of(results).unlink()
    assert damages(results) == [("journal-lost", name, None)]


@pytest.mark.slow
def test_a_removed_journal_stays_reported_after_the_next_command(results: ResultsFolder) -> None:
    path = journal_of(results)
    aside = path.rename(results.root / "aside")
    status = noisebench_here("status", "demo", cwd=results.root.parent)
    assert status.stdout.startswith("demo: 0/3 completed")
    assert f"warning: journal/demo/{path.name} is gone or shorter than it was" in status.stderr
    noisebench_here("ingest", "--rebuild", cwd=results.root.parent)
    assert damages(results) == damages(results, "demo") == [("records-lost", path.name, None)]
    aside.rename(path)
    assert noisebench_here("status", "demo", cwd=results.root.parent).stderr == ""
    assert damages(results) == []
    path.unlink()
    noisebench_here("status", "demo", cwd=results.root.parent)
    (results.root / "lost-journals.json").unlink()  # it was removed on purpose
    assert damages(results) == []


@pytest.mark.slow
@pytest.mark.parametrize(
    "text", ["[" * 100_000, "[1]", '{"../x": 5, "journal/../../x": 5, "journal/a": "b"}', "{"]
)
def test_a_damaged_list_of_lost_journals_reports_nothing(results: ResultsFolder, text: str) -> None:
    (results.root / "lost-journals.json").write_text(text)
    assert damages(results) == []


@pytest.mark.slow
def test_a_difference_of_the_database_is_named_beside_other_damage(results: ResultsFolder) -> None:
    with duckdb.connect(results.database) as connection:
        connection.execute(
            "UPDATE results SET f1 = 0.999 WHERE trial_id = (SELECT min(trial_id) FROM results)"
        )
    sorted(results.root.glob("scores/*/*.parquet"))[0].unlink()
    _, content = verified(results)
    assert [damage["kind"] for damage in content["damages"]] == ["scores"]
    (note,) = (note for note in content["notes"] if note.startswith("results.duckdb"))
    assert "table results: 1 rows are not in the records" in note


@pytest.mark.slow
def test_changed_own_data_are_reported(results: ResultsFolder) -> None:
    rng = np.random.default_rng(0)
    np.savez(results.root.parent / "f.npz", X=rng.normal(size=(40, 3)), y=np.arange(40) % 2)
    own = keep(read_source(str(results.root.parent / "f.npz")), results.own_data, say=lambda _: None)
    assert damages(results) == []
    np.save(own.folder / "labels.npy", 1 - np.load(own.folder / "labels.npy"))
    assert damages(results) == [("own-data", own.content, None)]


@pytest.mark.slow
def test_an_edited_database_is_reported(results: ResultsFolder) -> None:
    with duckdb.connect(results.database) as connection:
        connection.execute(
            "UPDATE results SET f1 = 0.999 WHERE trial_id = (SELECT min(trial_id) FROM results)"
        )
    assert damages(results) == damages(results, "demo") == [("database", "results.duckdb", None)]
    _, content = verified(results)
    assert "table results: 1 rows are not in the records" in content["damages"][0]["problem"]


@pytest.mark.slow
def test_a_database_that_lacks_the_newest_records_is_whole(results: ResultsFolder) -> None:
    def add(lines: list[Members]) -> None:
        lines += [{**line, "attempt_id": "f" * 32} for line in lines[:2]]

    path = journal_of(results)
    before = path.read_bytes()
    change_lines(path, add)
    path.write_bytes(before + b"".join(path.read_bytes().splitlines(keepends=True)[-2:]))
    assert damages(results) == []


def test_a_damaged_database_is_reported(results: ResultsFolder) -> None:
    results.database.write_bytes(b"no database" * 1000)
    assert damages(results) == [("database", "results.duckdb", None)]


@pytest.mark.slow
@pytest.mark.parametrize("edit", ["line removed", "block renamed", "configuration", "no JSON"])
def test_an_edited_manifest_is_reported(results: ResultsFolder, edit: str) -> None:
    path = results.sweep("demo").manifest
    lines = path.read_text().splitlines(keepends=True)
    number = None if edit in ("line removed", "block renamed") else 2
    if edit == "line removed":
        del lines[1]
    elif edit == "block renamed":
        lines[1] = lines[1].replace('"block":"grid"', '"block":"other"')
    elif edit == "configuration":
        lines[1] = lines[1].replace('"epochs":2', '"epochs":3')
    else:
        lines[1] = lines[1][:50] + "\n"
    path.write_text("".join(lines))
    assert damages(results) == [("manifest", "manifest.jsonl", number)]


def test_a_sweep_kept_before_a_default_changed_is_no_damage(tmp_path: Path) -> None:
    results = ResultsFolder(tmp_path / "results")
    folder = results.sweep("test")
    keep_sweep(folder, sweep_of(detector="{name: ctrl, traces: in-passing}"))
    folder.spec.write_text(sweep_text(detector="ctrl"))
    code, content = verified(results)
    assert (code, content["damages"]) == (0, [])
    assert any("traces: in-passing" in note for note in content["notes"])


def test_a_journal_that_is_a_link_is_reported(results: ResultsFolder, tmp_path: Path) -> None:
    path = journal_of(results)
    (tmp_path / "elsewhere.jsonl").write_bytes(path.read_bytes())
    path.unlink()
    path.symlink_to(tmp_path / "elsewhere.jsonl")
    assert damages(results) == [("file", path.name, None)]


def test_leftovers_of_crashes_are_not_reported_as_damage(results: ResultsFolder) -> None:
    """Writes that failed and were repeated or given up, one cut short by a process's death, a lost end."""
    path = journal_of(results)
    lines = path.read_bytes().splitlines(keepends=True)
    torn, given_up = lines[1][:30] + b"\0" * 10 + b"\n", lines[5][:80] + b"\n"
    path.write_bytes(lines[0] + given_up + torn + b"".join(lines[1:5]) + b"\n" + lines[5][:60])
    results.database.unlink()
    code, content = verified(results)
    assert (code, content["damages"]) == (0, [])
    file = path.relative_to(results.root)
    assert content["notes"] == [
        f"{file}: ends in an incomplete line: its process is writing it, or died while it did; no other "
        "process was told of that record",
        f"{file}:2: a failed write; its process got the error",
        f"{file}:3: a failed write, repeated on the next line",
        "1 attempts have no end: they run, or their process died",
        "there is no database yet; the next command makes it",
    ]


def test_lines_of_an_older_version_are_counted(results: ResultsFolder) -> None:
    path = journal_of(results)
    lines = [json.loads(line) for line in path.read_bytes().splitlines()]
    for line in lines:
        del line["crc32"]
    path.write_text("".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines))
    results.database.unlink()
    code, content = verified(results)
    assert (code, content["lines"], content["lines_without_checksum"]) == (0, 6, 6)


@pytest.mark.slow
def test_place_and_meaning_of_each_damage_are_printed(results: ResultsFolder) -> None:
    path = results.sweep("demo").manifest
    path.write_text(path.read_text().replace('"epochs":2', '"epochs":3'))
    done = noisebench_here("verify", "demo", cwd=results.root.parent)
    assert done.returncode == 1
    first, second, *_ = done.stdout.splitlines()
    assert first.startswith("sweeps/demo/manifest.jsonl:1: the trial is called ")
    assert second == "    `status` and the tables count other trials than the sweep has; run its YAML again"
    assert done.stderr.endswith("3 files of scores, 1 sweeps: 3 places are damaged\n")


def test_an_unknown_folder_or_sweep_is_an_input_error(results: ResultsFolder) -> None:
    unknown = noisebench_here("verify", "other", cwd=results.root.parent)
    nowhere = noisebench_here("verify", "--results", "nowhere", cwd=results.root.parent)
    assert (unknown.returncode, nowhere.returncode) == (2, 2)
    assert "no sweep 'other' here; known: demo" in unknown.stderr
