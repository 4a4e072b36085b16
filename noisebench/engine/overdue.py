"""Whether an attempt had taken longer than it may when its process died."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from noisebench.engine.deaths import started_line
from noisebench.records.folders import ResultsFolder
from noisebench.sweep.trial import Trial
from noisebench.trial.duration import allowance_seconds


def overdue_judge(
    results: ResultsFolder, sweep: str, allowance_minutes: float | None
) -> Callable[[str], bool]:
    """Return a judge of attempts, by their ids, whose process ended itself without a record.

    So it does where a library keeps Python from running at all: then nobody inside can write a record.
    """

    def judge(attempt_id: str) -> bool:
        line = started_line(results, sweep, attempt_id)
        if line is None:
            return False
        taken = datetime.now(UTC) - datetime.fromisoformat(line["started_at"])
        trial, gpu = Trial.from_fields(line["config"]), line["device"] != "cpu"
        return taken.total_seconds() > allowance_seconds(trial, gpu=gpu, minutes=allowance_minutes)

    return judge
