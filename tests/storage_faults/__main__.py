"""The driver: a row of figures for each command, kind of calls and error.

Cases that went wrong are on stderr; exit code 1 then. Each case runs in a fork of this process,
which imports all modules and builds the command line, but never starts a thread.
"""

import argparse
import errno
import importlib
import os
import shutil
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import NamedTuple
from unittest.mock import patch

import typer.main

import noisebench.detectors.cross_validation
import noisebench.engine.run
import noisebench.store.archive
import noisebench.trial.runner
from noisebench.cli.app import app
from noisebench.cli.app import main as noisebench
from noisebench.records import durable
from noisebench.records.attempts import Result
from tests.memory import keep_temporary_files_in_memory
from tests.storage_faults.injection import ERRORS, Injection, remove_library, restart_with_library
from tests.storage_faults.scenes import NAMES, Case, Scene, Words, results_of, scenes

# Both kinds of calls; those that read fail as a disk fails, not as a full one.
READ_ERRORS = (errno.EIO,)


class Fault(NamedTuple):
    """An error, and whether it hits the calls that read instead of those that change."""

    number: int
    reading: bool


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
    # A folder of its own: commands look at what others left in TMPDIR.
    temporary = folder / "tmp"
    temporary.mkdir(exist_ok=True)
    tempfile.tempdir = os.environ["TMPDIR"] = str(temporary)
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


def prepare(folder: Path, words: Words) -> None:
    """Run a command without errors; import what it imports."""
    errors = folder.parent / "errors"
    code = in_fork(lambda: command(folder, words), errors)
    assert code == 0, errors.read_text()
    import_all((folder / "modules").read_text().split())
    for name in ("calls", "modules"):
        (folder / name).unlink()


def check(scene: Scene, injection: Injection, folder: Path, expected: dict[str, Result]) -> None:
    """Run one case; AssertionError says what went wrong."""
    shutil.copytree(scene.start, folder)
    errors = folder / "errors"
    code = in_fork(lambda: command(folder, scene.command, injection), errors)
    text = errors.read_text()
    assert "Traceback" not in text, text[-1500:]
    assert code in (scene.codes if injection.lasting else (0, *scene.codes)), (
        f"exit code {code}: {text[-500:]}"
    )
    # Of an error of one read DuckDB may tell only that a table is not there.
    reasons = (os.strerror(injection.number), "the database could not be read")
    assert code == 0 or any(reason in text for reason in reasons), f"does not say why: {text[-500:]}"
    before = results_of(folder)
    assert before.items() <= expected.items(), "a result differs"
    assert code or before == expected, "exit code 0, but a result is missing"
    scene.holds(Case(folder, scene.start, code))
    for words in scene.ends:
        again = in_fork(lambda words=words: command(folder, words), errors)  # type: ignore[misc]
        assert again == 0, f"{words} afterwards: exit code {again}: {errors.read_text()[-500:]}"
    assert results_of(folder) == expected, "a result is lost"
    scene.holds(Case(folder, scene.start, 0, over=True))


def cases(scene: Scene, fault: Fault, part: slice, folder: Path) -> Iterator[Injection]:
    """Yield the cases of a scene with one error: a part of its calls, counted from 1, lasting and once."""
    for at in range(calls_of(scene, fault, folder) + 1)[part]:
        for lasting in (True, False):
            yield Injection(folder / "results", at, fault.number, lasting, fault.reading)


def calls_of(scene: Scene, fault: Fault, folder: Path) -> int:
    """Return how many calls of a scene an error can hit."""
    shutil.copytree(scene.start, folder)
    injection = Injection(folder / "results", 0, fault.number, False, fault.reading)
    assert in_fork(lambda: command(folder, scene.command, injection), folder / "errors") == 0
    calls = int((folder / "calls").read_text())
    shutil.rmtree(folder)
    return calls


def run(scene: Scene, fault: Fault, part: slice, expected: dict[str, Result], folder: Path) -> int:
    """Run the cases of a scene with one error, print a row of figures; return how many went wrong."""
    done = faults = 0
    begun, name = time.monotonic(), errno.errorcode[fault.number]
    kind_of_calls = "read" if fault.reading else "change"
    for injection in cases(scene, fault, part, folder):
        done += 1
        try:
            check(scene, injection, folder, expected)
        except (AssertionError, OSError) as error:
            faults += 1
            kind = f"{name}{' lasting' if injection.lasting else ''} at {kind_of_calls} {injection.at}"
            print(f"FAULT {scene.name}: {kind}: {error}", file=sys.stderr, flush=True)
        shutil.rmtree(folder, ignore_errors=True)
    print(
        f"| {scene.name} | {kind_of_calls} | {name} | {done} | {time.monotonic() - begun:.0f} | {faults} |",
        flush=True,
    )
    return faults


def main() -> int:
    """Run all cases of all scenes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--first", type=int, default=1, help="the first call that fails")
    parser.add_argument("--every", type=int, default=1, help="leave out calls: 2 is every second one")
    parser.add_argument("--only", choices=NAMES, action="append")
    parser.add_argument("--calls", choices=("read", "change"))
    parser.add_argument("--error", choices=[errno.errorcode[number] for number in ERRORS])
    options = parser.parse_args()
    part = slice(options.first, None, options.every)
    keep_temporary_files_in_memory()
    restart_with_library(["-m", "tests.storage_faults", *sys.argv[1:]])
    remove_library()
    # Half of the time of a short command: the command line is always the same.
    typer.main.get_command = cache(typer.main.get_command)
    typer.main.get_command(app)
    with tempfile.TemporaryDirectory() as tmp:
        root = Path(tmp)
        played = [scene for scene in scenes(root, prepare) if not options.only or scene.name in options.only]
        expected = results_of(root / "finished")
        kinds = [Fault(number, False) for number in ERRORS] + [Fault(number, True) for number in READ_ERRORS]
        chosen = [
            fault
            for fault in kinds
            if options.error in (None, errno.errorcode[fault.number])
            and options.calls in (None, "read" if fault.reading else "change")
        ]
        faults = sum(run(scene, fault, part, expected, root / "case") for scene in played for fault in chosen)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
