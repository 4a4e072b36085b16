"""What is told of a submission: kept, read back, summed up."""

from pathlib import Path

import pytest

from noisebench.errors import InputError
from noisebench.records.folders import ResultsFolder
from noisebench.slurm.cancel import cancel
from noisebench.slurm.commands import Job
from noisebench.slurm.faults import faults, forget_faults, note_fault
from noisebench.slurm.jobs import _summary, jobs_of
from noisebench.slurm.site import parse_site
from noisebench.slurm.submission import keep_submission, kept_submission, submission_for
from tests.trials import sweep_of

SITE = parse_site("site: x\ndriver: {minutes: 60}\nworker: {minutes: 30, count: 1}", "x.yaml")


def test_a_submission_is_kept(tmp_path: Path) -> None:
    results = ResultsFolder(tmp_path)
    submission = submission_for("test", sweep_of().trials(), SITE, results)
    assert kept_submission(results, "test") is None
    keep_submission(submission, [("driver", "1"), ("workers", "2")])
    kept = kept_submission(results, "test")
    assert kept is not None
    assert kept["jobs"] == [["driver", "1"], ["workers", "2"]]
    assert (kept["site"], kept["code"]) == ("x", submission.code)


def test_the_standby_is_told_from_the_driver() -> None:
    drivers = [Job("1", "d", "RUNNING", "node1", "None"), Job("2", "d", "PENDING", "", "Dependency")]
    workers = [
        Job("3_0", "w", "RUNNING", "node2", "None"),
        Job("3_1", "w", "PENDING", "", "Resources"),
        Job("3_2", "w", "PENDING", "", "Priority"),
        Job("3_3", "w", "PENDING", "", "Priority"),
    ]
    found = _summary(drivers, workers, {}, changed=False)
    assert found.as_dict() == {
        "driver": "1",
        "driver_state": "running",
        "standby": "2",
        "workers_running": 1,
        "workers_waiting": 3,
        "reasons": ["Priority", "Resources"],
        "ended": {},
    }
    assert found.live
    assert not _summary([], [], {"driver": {"FAILED": 1}}, changed=False).live


def test_slurm_is_not_asked_about_what_was_never_submitted(tmp_path: Path) -> None:
    assert jobs_of(ResultsFolder(tmp_path), ["test"]) == {}
    with pytest.raises(InputError, match="was not submitted to Slurm"):
        cancel(ResultsFolder(tmp_path), "test")


def test_faults_belong_to_one_submission(tmp_path: Path) -> None:
    results = ResultsFolder(tmp_path)
    note_fault(results, "test", "driver-1", "no such interface")
    assert faults(results, "test") == {"driver-1": "no such interface"}
    forget_faults(results, "test")
    assert faults(results, "test") == {}
