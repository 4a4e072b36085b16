"""A sweep with its records as one file that another site can take in."""

import hashlib
import io
import os
import re
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from noisebench.errors import EnvironmentFault, InputError
from noisebench.records.durable import (
    is_storage_error,
    read_inside,
    read_of_sweep,
    replacing,
    write_inside,
    write_of_sweep,
)
from noisebench.records.folders import ResultsFolder, SweepFolder
from noisebench.records.journal import complete_lines
from noisebench.records.lines import LineError, json_object
from noisebench.records.manifest import manifest_lines
from noisebench.records.scores import score_files
from noisebench.store.lines import IMPORTED

# Nothing else is taken out of an archive, so that no name in it leads out of the results folder.
_SWEEP_FILE = re.compile(r"sweep/([A-Za-z0-9][A-Za-z0-9._-]*)/(spec\.yaml|manifest\.jsonl|records\.jsonl)")
_SCORE_FILE = re.compile(r"scores/(([0-9a-f]{16})(?:-[0-9a-f]{16})?\.parquet)")

# What tarfile raises for damaged headers: also for sizes beyond the range of files, and for long chains.
_UNREADABLE = (tarfile.TarError, OSError, ValueError, OverflowError, RecursionError)


class _Bounded(io.BufferedReader):
    """A file that is never asked for more than it holds: Python reserves memory for what a header says."""

    def read(self, size: int | None = -1, /) -> bytes:
        left = max(0, os.fstat(self.fileno()).st_size - self.tell())
        return super().read(left if size is None or not 0 <= size <= left else size)


@contextmanager
def _opened(file: Path) -> Iterator[tarfile.TarFile]:
    """Open an archive that is not compressed: a megabyte of a compressed one can hold a gigabyte."""
    with _Bounded(io.FileIO(file)) as stream, tarfile.open(fileobj=stream, mode="r:") as archive:
        yield archive


@dataclass(frozen=True)
class Transfer:
    """How many journal lines and score files were written; `sweep_kept`: the target's own manifest stayed.

    `skipped` names the journal files that could not be read, with the reason.
    """

    sweep: str
    records: int
    scores: int
    sweep_kept: bool = False
    skipped: tuple[str, ...] = ()


def export_sweep(folder: SweepFolder, out: Path, with_scores: bool = True) -> Transfer:
    """Write spec, manifest, all journal lines and scores of a sweep's trials to `out`, a tar file.

    Without scores the archive holds every metric, but no per-sample values: figures of margins need those.
    Lines that another sweep left for these trials are among them; equal contents give equal bytes. Raises
    InputError where there is no such sweep, or one with a damaged manifest, EnvironmentFault where `out`
    can't be written; then a former archive stays.
    """
    results, sweep, manifest = folder.results, folder.name, folder.manifest
    if not manifest.is_file():
        raise InputError(f"{results.root}: no sweep '{sweep}' here to export")
    entries, problems = manifest_lines(_content(results, manifest))
    if problems:
        raise InputError(f"{manifest}: {problems[0]}; `noisebench resume {sweep}` writes it again")
    trials = {entry.trial_id for entry in entries}
    records, skipped = _records(results)
    lines = [line for line, trial_id in records if trial_id in trials]
    scores = [path for trial in sorted(trials) if with_scores for path in score_files(results, trial)]
    try:
        with replacing(out) as file, tarfile.open(fileobj=file, mode="w") as archive:
            _add(archive, f"sweep/{sweep}/spec.yaml", _content(results, folder.spec))
            _add(archive, f"sweep/{sweep}/manifest.jsonl", _content(results, manifest))
            _add(archive, f"sweep/{sweep}/records.jsonl", _joined(lines))
            for path in scores:
                _add(archive, f"scores/{path.name}", _content(results, path))
    except OSError as error:
        where = "" if error.filename is None else f"{error.filename}: "
        raise EnvironmentFault(f"{out}: cannot be written: {where}{error.strerror or error}") from None
    return Transfer(sweep, len(lines), len(scores), skipped=tuple(skipped))


def import_archive(results: ResultsFolder, file: Path) -> Transfer:
    """Take what `export_sweep` wrote into a results folder, which is made where needed.

    Lines and scores that are there already are left alone: a second import changes nothing, and archives of
    two sites merge in any order. A sweep that asks for other trials here keeps its manifest. Raises
    InputError, before anything is written, where the file is no such archive, or a compressed one;
    EnvironmentFault where the results folder can't be written or the archive breaks off: importing again
    then goes on.
    """
    try:
        with _opened(file) as archive:
            sweep, texts, scores = _contents(file, archive)
    except _UNREADABLE as error:
        what = "is no readable archive of `noisebench export`, a tar file without compression"
        raise InputError(f"{file}: {what} ({error})") from None
    missing = [name for name, path in scores.items() if not (results.root / path).is_file()]
    try:
        # Scores come first: the record of a completed trial refers to them.
        with _opened(file) as archive:
            for name in missing:
                write_inside(results.root, scores[name], _read(archive, name))
        records, skipped = _take_in_records(results.sweep(sweep), texts["records.jsonl"])
        kept = _take_in_sweep(results.sweep(sweep), texts)
    except _UNREADABLE as error:
        raise EnvironmentFault(f"{file} can't be taken into {results.root}: {error}") from None
    return Transfer(sweep, records, len(missing), kept, tuple(skipped))


def _take_in_records(folder: SweepFolder, text: bytes) -> tuple[int, list[str]]:
    """Write the lines that no journal file has yet as one journal file; return how many.

    With them, the journal files that could not be read: a line that stands there too does no harm.
    """
    records, skipped = _records(folder.results)
    known = {line for line, _ in records}
    new = [line for line in text.splitlines() if line not in known]
    if new:
        name = f"{IMPORTED}{hashlib.sha256(_joined(new)).hexdigest()[:32]}.jsonl"
        write_of_sweep(folder.journal / name, _joined(new))
    return len(new), skipped


def _take_in_sweep(folder: SweepFolder, texts: dict[str, bytes]) -> bool:
    """Write spec and manifest where there are none; return whether others stood there and were kept."""
    try:
        return read_of_sweep(folder.manifest) != texts["manifest.jsonl"]
    except FileNotFoundError:
        write_of_sweep(folder.spec, texts["spec.yaml"])
        write_of_sweep(folder.manifest, texts["manifest.jsonl"])
        return False


def _contents(file: Path, archive: tarfile.TarFile) -> tuple[str, dict[str, bytes], dict[str, str]]:
    """Return the sweep's name, its three texts, and the path of each score file by its name there."""
    texts: dict[tuple[str, str], bytes] = {}
    scores: dict[str, str] = {}
    for member in archive.getmembers():
        if member.issparse():  # a few bytes would unpack to any size
            raise InputError(f"{file}: {member.name!r} is sparse, which no `noisebench export` writes")
        sweep_file = _SWEEP_FILE.fullmatch(member.name)
        score_file = _SCORE_FILE.fullmatch(member.name)
        if member.isfile() and sweep_file:
            texts[sweep_file[1], sweep_file[2]] = _read(archive, member.name)
        elif member.isfile() and score_file:
            scores[member.name] = f"scores/{score_file[2][:2]}/{score_file[1]}"
        else:
            raise InputError(f"{file}: holds {member.name!r}, which no `noisebench export` writes")
    names = {sweep for sweep, _ in texts}
    if len(names) != 1 or len(texts) != 3:
        raise InputError(f"{file}: must hold spec, manifest and records of one sweep; export it again")
    by_part = {part: text for (_, part), text in texts.items()}
    _check_texts(file, by_part)
    return names.pop(), by_part, scores


def _check_texts(file: Path, texts: dict[str, bytes]) -> None:
    """Raise InputError where the spec is no text or a line of the manifest names no trial."""
    _, problems = manifest_lines(texts["manifest.jsonl"])
    if problems:
        raise InputError(f"{file}: manifest.jsonl: {problems[0]}; export the sweep again")
    try:
        texts["spec.yaml"].decode()
    except UnicodeDecodeError as error:
        raise InputError(f"{file}: spec.yaml is not UTF-8 text ({error}); export the sweep again") from None


def _records(results: ResultsFolder) -> tuple[list[tuple[bytes, str]], list[str]]:
    """Return each journal line that has a trial, with it, and the files that cannot be read."""
    records, skipped = [], []
    for path in sorted(results.journal.glob("*/*.jsonl")):
        try:
            lines = complete_lines(path)[0]
        except OSError as error:
            if is_storage_error(error):
                raise
            file = path.relative_to(results.root).as_posix()
            skipped.append(f"{file}: cannot be read: {error.strerror or error}")
            continue
        for line in lines:
            with suppress(LineError):
                trial_id = json_object(line).get("trial_id")
                if isinstance(trial_id, str):
                    records.append((line, trial_id))
    return records, skipped


def _content(results: ResultsFolder, path: Path) -> bytes:
    """Return the content of a file of the results folder; refuse links, which may lead to private files."""
    return read_inside(results.root, path.relative_to(results.root).as_posix())


def _joined(lines: list[bytes]) -> bytes:
    return b"".join(line + b"\n" for line in lines)


def _add(archive: tarfile.TarFile, name: str, data: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(data)
    archive.addfile(member, io.BytesIO(data))


def _read(archive: tarfile.TarFile, name: str) -> bytes:
    stream = archive.extractfile(name)
    return b"" if stream is None else stream.read()
