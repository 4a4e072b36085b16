"""The driver: a row of figures for each command and error, cases that went wrong on stderr; exit code 1 then.

Each case runs in a fork of this process, which imports all modules and builds the command line, but never
starts a thread.
"""

import argparse
import errno
import hashlib
import importlib
import os
import shutil
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from unittest.mock import patch

import typer.main

import noisebench.detectors.cross_validation
import noisebench.engine.run
import noisebench.store.archive
import noisebench.trial.runner
from noisebench.cli.app import app
from noisebench.cli.app import main as noisebench
from noisebench.records import durable
from noisebench.records.attempts import Ended, Result, Status
from noisebench.records.folders import ResultsFolder
from noisebench.records.journal import records
from tests.memory import keep_temporary_files_in_memory
from tests.storage_faults.injection import ERRORS, Injection, remove_library, restart_with_library
from tests.trials import sweep_text

SWEEP = sweep_text(
    name="demo", dataset="{name: digits, samples: 100}", training="{epochs: 1, batch_size: 128}", seeds="2"
)
RUN = ("run", "sweep.yaml", "--inline")


@dataclass(frozen=True)
class Scene:
    """A command with the folder that it starts from; `ends` are the commands that must succeed afterwards."""

    name: str
    command: tuple[str, ...]
    start: Path
    ends: tuple[tuple[str, ...], ...]


def in_fork(work: Callable[[], int], errors: Path) -> int:
    """Call `work` in a child of this process, its output in files; return its exit code."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    code = 70
    try:
        output = os.open(errors, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600)
        os.dup2(output, 1)
        os.dup2(output, 2)
        code = work()
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def command(folder: Path, words: tuple[str, ...], injection: Injection | None = None) -> int:
    """Run one command in `folder` as the child's only work; write how many calls it made to `calls`."""
    os.chdir(folder)
    injection = injection or Injection(folder / "results", 0, 0, False)
    code = 0
    with patch.object(sys, "argv", ["noisebench", *words]), patch.object(durable, "RETRY_SECONDS", (0.0,)):
        try:
            with injection.active():
                noisebench()
        except SystemExit as end:
            code = int(end.code or 0)
    (folder / "calls").write_text(str(injection.calls))
    (folder / "modules").write_text("\n".join(sorted(sys.modules)))
    return code


def import_all(names: list[str]) -> None:
    """Import what a command has imported, so that its next forks need not; importing starts no thread."""
    for name in names:
        with suppress(Exception):
            importlib.import_module(name)


def scenes(root: Path) -> list[Scene]:
    """Return a run of two trials, an ingestion, and an import, each with the folder that it starts from."""
    empty, finished, target = root / "empty", root / "finished", root / "target"
    empty.mkdir()
    (empty / "sweep.yaml").write_text(SWEEP)
    shutil.copytree(empty, finished)
    whole = (("verify",),)
    for words in (RUN, ("export", "demo", "--out", "demo.tar"), *whole):
        code = in_fork(lambda words=words: command(finished, words), root / "errors")  # type: ignore[misc]
        assert code == 0, (root / "errors").read_text()
        import_all((finished / "modules").read_text().split())
    target.mkdir()
    shutil.move(finished / "demo.tar", target / "demo.tar")
    journal = root / "journal"
    shutil.copytree(finished, journal)
    (journal / "results" / "results.duckdb").unlink()
    return [
        Scene("run", RUN, empty, (RUN, *whole)),
        Scene("ingest", ("ingest",), journal, (("ingest",), *whole)),
        Scene("import", ("import", "demo.tar"), target, (("import", "demo.tar"), ("ingest",), *whole)),
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


def check(scene: Scene, injection: Injection, folder: Path, expected: dict[str, Result]) -> None:
    """Run one case; AssertionError says what went wrong."""
    shutil.copytree(scene.start, folder)
    errors = folder / "errors"
    code = in_fork(lambda: command(folder, scene.command, injection), errors)
    assert "Traceback" not in errors.read_text(), errors.read_text()[-1500:]
    assert code in ((3,) if injection.lasting else (0, 3)), f"exit code {code}: {errors.read_text()[-500:]}"
    before = results_of(folder)
    assert before.items() <= expected.items(), "a result differs"
    assert code == 3 or before == expected, "exit code 0, but a result is missing"
    for words in scene.ends:
        again = in_fork(lambda words=words: command(folder, words), errors)  # type: ignore[misc]
        assert again == 0, f"{words} afterwards: exit code {again}: {errors.read_text()[-500:]}"
    assert results_of(folder) == expected, "a result is lost"


def cases(scene: Scene, number: int, every: int, folder: Path) -> Iterator[Injection]:
    """Yield the cases of a scene with one error: every `every`-th call, lasting and once."""
    for at in range(1, calls_of(scene, number, folder) + 1, every):
        for lasting in (True, False):
            yield Injection(folder / "results", at, number, lasting)


def calls_of(scene: Scene, number: int, folder: Path) -> int:
    """Return how many calls of a scene an error can hit."""
    shutil.copytree(scene.start, folder)
    injection = Injection(folder / "results", 0, number, False)
    assert in_fork(lambda: command(folder, scene.command, injection), folder / "errors") == 0
    calls = int((folder / "calls").read_text())
    shutil.rmtree(folder)
    return calls


def run(scene: Scene, number: int, every: int, expected: dict[str, Result], folder: Path) -> int:
    """Run the cases of a scene with one error, print a row of figures; return how many went wrong."""
    done = faults = 0
    begun, name = time.monotonic(), errno.errorcode[number]
    for injection in cases(scene, number, every, folder):
        done += 1
        try:
            check(scene, injection, folder, expected)
        except (AssertionError, OSError) as error:
            faults += 1
            kind = f"{name}{' lasting' if injection.lasting else ''} at call {injection.at}"
            print(f"FAULT {scene.name}: {kind}: {error}", file=sys.stderr, flush=True)
        shutil.rmtree(folder, ignore_errors=True)
    print(f"| {scene.name} | {name} | {done} | {time.monotonic() - begun:.0f} | {faults} |", flush=True)
    return faults


def main() -> int:
    """Run all cases of all scenes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--only", choices=("run", "ingest", "import"))
    parser.add_argument("--error", choices=[errno.errorcode[number] for number in ERRORS])
    options = parser.parse_args()
    keep_temporary_files_in_memory()
    restart_with_library(["-m", "tests.storage_faults", *sys.argv[1:]])
    remove_library()
    # Half of the time of a short command: the command line is always the same.
    typer.main.get_command = cache(typer.main.get_command)
    typer.main.get_command(app)
    with tempfile.TemporaryDirectory() as tmp:
        root = Path(tmp)
        played = [scene for scene in scenes(root) if options.only in (None, scene.name)]
        expected = results_of(root / "finished")
        numbers = [number for number in ERRORS if options.error in (None, errno.errorcode[number])]
        faults = sum(
            run(scene, number, options.every, expected, root / "case")
            for scene in played
            for number in numbers
        )
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
