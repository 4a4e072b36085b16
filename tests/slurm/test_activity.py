"""A worker reads its own journal files, whatever they contain."""

import os
from pathlib import Path

from noisebench.records import attempts, provenance
from noisebench.records.attempts import End, ErrorKind, Status
from noisebench.records.folders import ResultsFolder
from noisebench.records.journal import JournalWriter
from noisebench.slurm.activity import Activity
from tests.trials import trial_of


def test_lines_that_are_no_records_are_skipped(tmp_path: Path) -> None:
    folder, trial = ResultsFolder(tmp_path).sweep("test"), trial_of()
    activity = Activity(folder, "worker")
    with JournalWriter(folder.journal, provenance.host()) as journal:
        os.write(os.open(journal.path, os.O_WRONLY | os.O_APPEND), b'{"attempt_id": "x"}\n[]\nnull\n\xff\n')
        journal.append(attempts.started("a" * 32, "test", trial, "worker", "cpu"))
        assert activity.busy()
        end = End(Status.INTERRUPTED, ErrorKind.CANCELLED)
        journal.append(attempts.ended("a" * 32, "test", trial.trial_id, end))
        assert not activity.busy()
