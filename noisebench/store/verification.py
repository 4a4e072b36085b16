"""Whether a results folder is whole, checked from its raw files; nothing in it is changed."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

from noisebench.errors import InputError
from noisebench.records.attempts import Ended, Result, Started, Status
from noisebench.records.durable import open_inside
from noisebench.records.folders import ResultsFolder
from noisebench.records.lines import LineError, has_checksum, json_object, parse
from noisebench.records.manifest import FORMER_DEFAULTS, trials_of_former_defaults
from noisebench.store.damage import Kind, Location, Verification
from noisebench.store.lines import IMPORTED
from noisebench.store.score_check import scores_problem
from noisebench.sweep import identity
from noisebench.sweep.sweep import parse_sweep


def verify_files(results: ResultsFolder, sweeps: Sequence[str], *, with_scores: bool = True) -> Verification:
    """Check journal, manifests and scores of `sweeps` from their raw files."""
    verification = Verification()
    records = _Records()
    for sweep in sweeps:
        for path in sorted(results.sweep(sweep).journal.glob("*.jsonl")):
            _check_journal(results, path, records, verification)
        if results.sweep(sweep).manifest.exists():
            _check_manifest(results, sweep, verification)
    _check_attempts(records, verification)
    _check_repeated_results(records, verification)
    if with_scores:
        _check_scores(results, records, verification)
    return verification


class _Records:
    """The readable records: one start of each attempt, all ends of each attempt, with their locations."""

    def __init__(self) -> None:
        self.starts: dict[str, tuple[Location, Started]] = {}
        self.ends: dict[str, list[tuple[Location, Ended]]] = defaultdict(list)
        self.foreign: set[str] = set()  # attempts of which a start was refused

    def completed(self) -> Iterator[tuple[Location, Ended]]:
        """Yield every completed end."""
        for ends in self.ends.values():
            yield from ((location, end) for location, end in ends if end.status == Status.COMPLETED)


def raw_lines(results: ResultsFolder, path: Path) -> tuple[list[bytes], bytes]:
    """Return the whole lines of a file of the results folder and what stands behind the last newline.

    Raises OSError where it is a link or no regular file.
    """
    with open_inside(results.root, path.relative_to(results.root).as_posix()) as file:
        *lines, rest = file.read().split(b"\n")
    return lines, rest


def _check_journal(results: ResultsFolder, path: Path, records: _Records, verification: Verification) -> None:
    file = path.relative_to(results.root).as_posix()
    verification.files += 1
    try:
        lines, rest = raw_lines(results, path)
    except OSError as error:
        verification.add(Kind.FILE, Location(file), f"cannot be read: {error.strerror or error}")
        return
    if rest:
        verification.notes.append(
            f"{file}: ends in an incomplete line: its process is writing it, or died while it did; no other "
            "process was told of that record"
        )
    for number, line in enumerate(lines, start=1):
        if line == b"":  # closes off what a failed write left
            continue
        verification.lines += 1
        following = lines[number] if number < len(lines) else b""
        _check_line(Location(file, number), line, following, records, verification)


def _check_line(
    location: Location, line: bytes, following: bytes, records: _Records, verification: Verification
) -> None:
    try:
        checked = has_checksum(line)
        record = parse(line)
    except LineError as error:
        if _is_rewritten(line, following):
            verification.notes.append(f"{location}: a failed write, repeated on the next line")
        elif not line.endswith(b"}"):
            verification.notes.append(f"{location}: a failed write; its process got the error")
        else:
            verification.add(Kind.LINE, location, str(error))
        return
    verification.unchecked += not checked
    if isinstance(record, Ended):
        records.ends[record.attempt_id].append((location, record))
        return
    expected = _id_of(record)
    if expected == record.trial_id:
        records.starts.setdefault(record.attempt_id, (location, record))
    else:
        records.foreign.add(record.attempt_id)
        verification.add(Kind.TRIAL_ID, location, _wrong_id(record.trial_id, expected))


def _is_rewritten(line: bytes, following: bytes) -> bool:
    """Whether a line is what a failed write left of the next: cut short, with zeros for lost pages."""
    return len(line) <= len(following) and all(
        left in (0, right) for left, right in zip(line, following, strict=False)
    )


def _id_of(record: Started) -> str | None:
    try:
        return identity.trial_id(record.config)
    except (ValueError, TypeError, RecursionError):
        return None


def _wrong_id(trial_id: str, expected: str | None) -> str:
    if expected is None:
        return f"the configuration of trial {trial_id} has no hash"
    return f"the trial is called {trial_id}, but its configuration makes it {expected}"


def _check_attempts(records: _Records, verification: Verification) -> None:
    """Compare each end with the start of its attempt."""
    without_start = 0
    for attempt_id, ends in records.ends.items():
        start = records.starts.get(attempt_id)
        for location, end in ends:
            if attempt_id in records.foreign:
                continue  # its start is named already
            if start is None and end.status == Status.COMPLETED:
                verification.add(Kind.ATTEMPT, location, f"attempt {attempt_id} completed, but has no start")
            elif start is None:
                without_start += 1
            elif start[1].trial_id != end.trial_id:
                problem = f"trial {end.trial_id} ended, but its attempt began trial {start[1].trial_id}"
                verification.add(Kind.ATTEMPT, location, f"{problem} ({start[0]})")
    if without_start:
        verification.notes.append(f"{without_start} attempts that did not complete have an end but no start")
    unended = sum(attempt not in records.ends for attempt in records.starts)
    if unended:
        verification.notes.append(f"{unended} attempts have no end: they run, or their process died")


def _check_repeated_results(records: _Records, verification: Verification) -> None:
    """Compare all completed results of each trial: on a CPU with equal versions they are equal."""
    first: dict[tuple[str, str], tuple[Location, Result]] = {}
    differing = 0
    for location, end in records.completed():
        if end.result is None:
            continue
        start = records.starts.get(end.attempt_id)
        versions = None if start is None else json.dumps(start[1].versions, sort_keys=True)
        device = "unknown" if start is None else start[1].device
        known = first.setdefault((end.trial_id, f"{device} {versions}"), (location, end.result))
        names = different_fields(known[1], end.result)
        if names and device == "cpu":
            problem = f"trial {end.trial_id} has another result in {known[0]}: {', '.join(names)} differ"
            verification.add(Kind.RESULT, location, problem)
        differing += bool(names) and device != "cpu"
    if differing:
        verification.notes.append(
            f"{differing} results differ from another one of their trial on the same kind of GPU"
        )


def different_fields(one: Result, other: Result) -> list[str]:
    """Return the names of the fields in which two results differ, the time that they took aside."""
    return [name for name, value in vars(one).items() if name != "seconds" and getattr(other, name) != value]


def _check_manifest(results: ResultsFolder, sweep: str, verification: Verification) -> None:
    folder = results.sweep(sweep)
    file = folder.manifest.relative_to(results.root).as_posix()
    verification.manifests += 1
    try:
        lines, rest = raw_lines(results, folder.manifest)
    except OSError as error:
        verification.add(Kind.MANIFEST, Location(file), f"cannot be read: {error.strerror or error}")
        return
    listed = set()
    for number, line in enumerate([*lines, rest] if rest else lines, start=1):
        try:
            members = json_object(line)
            block, trial_id, expected = (
                members["block"],
                members["trial_id"],
                identity.trial_id(members["config"]),
            )
        except (LineError, LookupError, TypeError, ValueError) as error:
            verification.add(Kind.MANIFEST, Location(file, number), f"names no trial: {error}")
            continue
        if trial_id != expected:
            verification.add(Kind.MANIFEST, Location(file, number), _wrong_id(trial_id, expected))
        listed.add((block, trial_id))
    if all(damage.file != file for damage in verification.damages):
        _compare_with_spec(results, sweep, listed, verification)


def _compare_with_spec(
    results: ResultsFolder, sweep: str, listed: set[tuple[str, str]], verification: Verification
) -> None:
    folder = results.sweep(sweep)
    manifest, spec = (path.relative_to(results.root).as_posix() for path in (folder.manifest, folder.spec))
    try:
        with open_inside(results.root, spec) as file:
            parsed = parse_sweep(file.read().decode(), str(folder.spec))
    except (OSError, UnicodeDecodeError, InputError) as error:
        reason = str(error).splitlines()[0]
        verification.notes.append(f"{manifest}: not compared with {spec}, which cannot be read: {reason}")
        return
    asked = {(block.name, trial.trial_id) for block in parsed.blocks for trial in block.trials}
    missing, surplus = asked - listed, listed - asked
    if (missing or surplus) and listed == trials_of_former_defaults(parsed):
        verification.notes.append(f"{spec} {FORMER_DEFAULTS}")
    elif missing or surplus:
        block, trial_id = min(missing or surplus)
        verification.add(
            Kind.MANIFEST,
            Location(manifest),
            f"lacks {len(missing)} trials of {spec} and has {len(surplus)} others; for example trial "
            f"{trial_id} of block {block}",
        )


def _check_scores(results: ResultsFolder, records: _Records, verification: Verification) -> None:
    missing = 0
    for location, end in records.completed():
        if end.scores is None:
            continue
        try:
            with open_inside(results.root, end.scores) as file:
                data = file.read()
        except FileNotFoundError:
            if location.file.rpartition("/")[2].startswith(IMPORTED):
                missing += 1
            else:
                problem = f"trial {end.trial_id}: {end.scores} is missing; `noisebench clean` may remove it"
                verification.add(Kind.SCORES, location, problem)
            continue
        except (OSError, ValueError) as error:
            verification.add(Kind.SCORES, Location(end.scores[:200]), f"cannot be read: {error}")
            continue
        verification.scores += 1
        seen = hashlib.sha256(data).hexdigest()
        if end.scores_sha256 is not None and seen != end.scores_sha256:
            problem = f"its hash is {seen[:16]}..., the record {location} has {end.scores_sha256[:16]}..."
            verification.add(Kind.SCORES, Location(end.scores), problem)
        elif end.result is not None and (contradiction := scores_problem(data, end.result)):
            verification.add(Kind.SCORES, location, f"trial {end.trial_id}: {contradiction}")
    if missing:
        verification.notes.append(f"{missing} imported results came without scores")
