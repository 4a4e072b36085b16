"""A trial that kills its worker's whole job each time: it fails after a stated number, the others complete.

Ray's health checks keep their defaults.
"""

import shutil
from collections.abc import Callable

import pytest

from noisebench.engine.recovery import MAX_NODE_LOSSES
from tests import faulty_losses
from tests.slurm.devcluster import Devcluster
from tests.slurm.raw_journal import Line, check_journal, lines_of
from tests.slurm.submitted import Submitted
from tests.trials import sweep_text

pytestmark = [pytest.mark.slurm, pytest.mark.slow]

# As many workers as the trial may kill: it waits for none to be replaced. Each has one place for trials.
SITE = f"""\
site: small
signal_seconds: 30
driver: {{cpus: 1, memory_gb: 3, minutes: 30}}
workers: {{cpus: 1, memory_gb: 3, minutes: 30, count: {MAX_NODE_LOSSES}}}
"""
OTHERS = 6
SWEEP = sweep_text(
    f"['faulty_losses:kills_its_job', {', '.join(f'{{name: FL, gamma: {1 + n}}}' for n in range(OTHERS))}]",
    name="killer",
)
REASON = f"{MAX_NODE_LOSSES} nodes were lost while they ran this trial"


def test_it_fails_after_the_stated_number_of_losses(
    cluster: Devcluster, submitted: Callable[[str], Submitted]
) -> None:
    sweep = submitted("killer")
    shutil.copy(faulty_losses.__file__, sweep.folder)
    sweep.send(SWEEP, SITE)
    sweep.await_end(600)
    journal = sweep.results.sweep("killer").journal
    started, ended = (
        [line for line in lines_of(journal)[0] if line["event"] == event] for event in ("started", "ended")
    )
    (killer,) = {line["trial_id"] for line in started if "kills_its_job" in str(line["config"])}
    assert ends(ended, killer) == [("interrupted", "node-lost")] * (MAX_NODE_LOSSES - 1) + [
        ("failed", "node-lost")
    ]
    jobs = {line["slurm_job_id"] for line in started if line["trial_id"] == killer}
    assert len(jobs) == MAX_NODE_LOSSES
    for trial in {line["trial_id"] for line in started} - {killer}:
        assert ends(ended, trial) == [("completed", None)]
    assert {job for job in jobs if cluster.job(job)["JobState"] != "FAILED"} == set()
    failed, missing = check_journal(journal, OTHERS + 1).problems
    assert REASON in failed
    assert missing == f"trial {killer} has not completed"
    status = sweep.must("status", "killer")
    assert f"{OTHERS}/{OTHERS + 1} completed, 0 running, 1 failed, 0 pending" in status
    assert "    node-lost: 1" in status
    assert REASON in sweep.must("failures", "killer")


def ends(lines: list[Line], trial: str) -> list[tuple[str, str | None]]:
    """Return how the attempts of a trial ended, in that order."""
    own = sorted((line for line in lines if line["trial_id"] == trial), key=lambda line: line["ended_at"])
    return [(line["status"], line["error_kind"]) for line in own]
