"""What a sweep's raw journal files say, read without noisebench: a check that shares no code with it.

A file has one JSON object a line, either `started` or `ended`. A line that is no JSON object is torn.
"""

import json
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Line = dict[str, Any]


@dataclass(frozen=True)
class JournalCheck:
    """Counts of a journal, and all that contradicts "each trial completed exactly once, none failed".

    `late` attempts completed after their driver had recorded them as interrupted, as on a node whose network
    was cut: the trial may then complete a second time, with the same result.
    """

    completed: int
    attempts: int
    late: int
    torn: int
    problems: list[str] = field(default_factory=list)


def lines_of(folder: Path) -> tuple[list[Line], int]:
    """Return the objects of all files, and how many lines are torn."""
    found, torn = [], 0
    for path in sorted(folder.glob("*.jsonl")):
        for text in path.read_bytes().splitlines():
            try:
                line = json.loads(text)
            except ValueError:
                torn += 1
                continue
            found.append(line)
    return found, torn


def check_journal(folder: Path, trials: int) -> JournalCheck:
    """Check the journal of a sweep of so many trials that has ended."""
    lines, torn = lines_of(folder)
    started = {line["attempt_id"]: line["trial_id"] for line in lines if line["event"] == "started"}
    ends: defaultdict[str, list[Line]] = defaultdict(list)
    for line in lines:
        if line["event"] == "ended":
            ends[line["attempt_id"]].append(line)
    completed: defaultdict[str, list[Line]] = defaultdict(list)
    late = 0
    problems = [f"attempt {attempt} has no end" for attempt in started if attempt not in ends]
    for attempt, own in ends.items():
        own.sort(key=lambda line: line["ended_at"])
        statuses = [line["status"] for line in own]
        if "failed" in statuses:
            failed = own[statuses.index("failed")]
            problems.append(f"attempt {attempt} failed: {failed['error_kind']}: {failed['error']}")
        if statuses.count("completed") > 1:
            problems.append(f"attempt {attempt} has completed {statuses.count('completed')} times")
        if "completed" not in statuses:
            continue
        done = own[statuses.index("completed")]
        given_up = statuses[0] == "interrupted"
        late += given_up
        completed[done["trial_id"]].append({**done, "late": given_up})
    problems += _problems_of_trials(completed, set(started.values()), trials)
    return JournalCheck(len(completed), len(started), late, torn, problems)


def _problems_of_trials(completed: dict[str, list[Line]], started: set[str], trials: int) -> list[str]:
    problems = []
    if len(started) != trials:
        problems.append(f"{len(started)} trials were started, not {trials}")
    problems += [f"trial {trial} has not completed" for trial in started - completed.keys()]
    for trial, ends in completed.items():
        timely = sum(not end["late"] for end in ends)
        if timely > 1:
            attempts = ", ".join(end["attempt_id"] for end in ends)
            problems.append(f"trial {trial} has completed {timely} times: attempts {attempts}")
        results = {json.dumps({**end["result"], "seconds": None}, sort_keys=True) for end in ends}
        if len(results) > 1:
            problems.append(f"the results of trial {trial} differ: {results}")
    return problems
