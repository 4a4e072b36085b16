"""An attempt is overdue by its own record of when it began."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from noisebench.engine.overdue import overdue_judge
from noisebench.records import attempts
from noisebench.records.folders import ResultsFolder
from noisebench.records.journal import JournalWriter
from tests.trials import trial_of


def test_by_the_time_since_it_began(tmp_path: Path) -> None:
    results = ResultsFolder(tmp_path)
    began = (datetime.now(UTC) - timedelta(minutes=5)).isoformat()
    with JournalWriter(results.sweep("test").journal, "host") as journal:
        line = attempts.started("a" * 32, "test", trial_of(), "worker", "cpu")
        journal.append({**line, "started_at": began})
    assert overdue_judge(results, "test", 4)("a" * 32)
    assert not overdue_judge(results, "test", 6)("a" * 32)
    assert not overdue_judge(results, "test", None)("a" * 32)  # ten minutes at least
    assert not overdue_judge(results, "test", 4)("b" * 32)
