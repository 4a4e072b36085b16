"""The commands that are run on a failing file system, what each starts from, what must hold afterwards."""

import hashlib
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from noisebench.records.attempts import Ended, Result, Status
from noisebench.records.folders import ResultsFolder
from noisebench.records.journal import records
from noisebench.records.manifest import manifest_trials
from tests.fuzz.inputs import tree
from tests.trials import sweep_text

SWEEP = sweep_text(
    name="demo", dataset="{name: digits, samples: 100}", training="{epochs: 1, batch_size: 128}", seeds="2"
)
Words = tuple[str, ...]
RUN: Words = ("run", "sweep.yaml", "--inline")
EXPORT: Words = ("export", "demo", "--out", "results/demo.tar")
CLEAN: Words = ("clean", "demo", "--only", "checkpoints", "--only", "evidence", "--yes")
NAMES = ("run", "ingest", "import", "export", "clean", "verify")


@dataclass(frozen=True)
class Case:
    """The folder of a command that has ended, the one that it started from, its exit code.

    `over`: whether the file system works again, and the command was repeated.
    """

    folder: Path
    start: Path
    code: int
    over: bool = False


def _nothing_else(_: Case) -> None:
    pass


@dataclass(frozen=True)
class Scene:
    """A command with the folder that it starts from.

    `ends` are the commands that must succeed afterwards. `holds` asserts what else must be true of a case.
    `codes` are the exit codes of a failing file system.
    """

    name: str
    command: Words
    start: Path
    ends: tuple[Words, ...]
    holds: Callable[[Case], None] = _nothing_else
    codes: tuple[int, ...] = (3,)


def scenes(root: Path, prepare: Callable[[Path, Words], None]) -> list[Scene]:
    """Return the scenes; `prepare` runs a command without errors in a folder of theirs."""
    empty, finished, target, kept = (root / name for name in ("empty", "finished", "target", "kept"))
    empty.mkdir()
    (empty / "sweep.yaml").write_text(SWEEP)
    shutil.copytree(empty, finished)
    verify: Words = ("verify",)
    for words in (RUN, ("export", "demo", "--out", "demo.tar"), EXPORT, verify):
        prepare(finished, words)
    target.mkdir()
    shutil.move(finished / "demo.tar", target / "demo.tar")
    shutil.move(finished / "results" / "demo.tar", root / "demo.tar")
    journal = root / "journal"
    shutil.copytree(finished, journal)
    (journal / "results" / "results.duckdb").unlink()
    shutil.copytree(finished, kept)
    _keep_more(ResultsFolder(kept / "results"))
    for folder in (finished, kept):
        prepare(folder, CLEAN[:-1])
    taken_in: Words = ("import", "demo.tar")
    return [
        Scene("run", RUN, empty, (RUN, verify)),
        Scene("ingest", ("ingest",), journal, (("ingest",), verify)),
        Scene("import", taken_in, target, (taken_in, ("ingest",), verify)),
        Scene("export", EXPORT, finished, (EXPORT, verify), _is_whole_archive),
        Scene("clean", CLEAN, kept, (CLEAN, verify), _is_cleaned),
        Scene("verify", verify, finished, (verify,), _is_unchanged, codes=(1, 3)),
    ]


def results_of(folder: Path) -> dict[str, Result]:
    """Return the results of the completed trials; assert that nothing failed and that scores are whole."""
    results = ResultsFolder(folder / "results")
    completed = {}
    for record in records(results.sweep("demo").journal):
        if not isinstance(record, Ended):
            continue
        assert record.status != Status.FAILED, f"recorded as failed: {record.error}"
        if record.status == Status.COMPLETED:
            assert record.result is not None
            assert record.scores is not None
            data = (results.root / record.scores).read_bytes()
            assert hashlib.sha256(data).hexdigest() == record.scores_sha256, "scores without their hash"
            values = {**vars(record.result), "seconds": None}
            completed[record.trial_id] = Result(**values)
    return completed


def _keep_more(results: ResultsFolder) -> None:
    """Add what a killed process leaves: checkpoints and evidence of trials that have completed."""
    for trial in manifest_trials(results.sweep("demo").manifest):
        checkpoint = results.checkpoint(trial.trial_id) / "run-0.pt"
        checkpoint.parent.mkdir(parents=True)
        checkpoint.write_bytes(b"checkpoint")
        results.evidences.mkdir(exist_ok=True)
        results.evidence(trial.evidence_id).write_bytes(b"evidence")


def _is_whole_archive(case: Case) -> None:
    archive = case.folder / "results" / "demo.tar"
    whole = (case.start.parent / "demo.tar").read_bytes()
    assert archive.exists() or case.code, "exit code 0, but there is no archive"
    assert not archive.exists() or archive.read_bytes() == whole, "the archive is not whole"


def _is_cleaned(case: Case) -> None:
    results = ResultsFolder(case.folder / "results")
    left = [*(results.root / "checkpoints").glob("*/*"), *results.evidences.glob("*")]
    assert case.code or not left, f"exit code 0, but {left} are left"
    removed = _files(case.start).keys() - _files(case.folder).keys()
    others = [name for name in removed if not name.startswith(("results/checkpoints", "results/evidence"))]
    assert not others, f"removed: {others}"


def _is_unchanged(case: Case) -> None:
    assert _files(case.folder) == _files(case.start), "verify has changed a file"


def _files(folder: Path) -> dict[str, bytes | str]:
    """Return what is in the results folder, by its path from `folder`."""
    return {name.removeprefix(f"{folder}/"): data for name, data in tree(folder / "results").items()}
