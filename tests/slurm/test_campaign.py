"""A short random campaign of faults on a real Slurm, and that its checks see what they are to see."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.slurm.campaign import run_round
from tests.slurm.devcluster import Devcluster
from tests.slurm.raw_journal import JournalCheck, check_journal

# A round that needs no more than four minutes, with faults of all kinds of targets.
SEED, MINUTES = 5, 1.5


@pytest.mark.slurm
@pytest.mark.slow
def test_a_sweep_survives_random_faults(cluster: Devcluster, tmp_path: Path) -> None:
    if not cluster.has_networks:
        pytest.skip("the nodes have no networks of their own: only root can make them")
    cluster.await_whole()
    cluster.await_quiet()
    assert run_round(cluster, tmp_path, SEED, MINUTES, print).problems == []
    cluster.await_whole()
    cluster.await_quiet()


@pytest.mark.slurm
def test_tasks_and_ports_of_a_node_are_seen_whatever_they_call_themselves(cluster: Devcluster) -> None:
    if not cluster.has_networks:
        pytest.skip("the nodes have no networks of their own: only root can make them")
    server = "import socket, time; s = socket.create_server(('', 45678)); time.sleep(600)"
    assert ("node2", 45678) not in cluster.ports()
    job = cluster.submit(f'env -i setsid {sys.executable} -c "{server}" & sleep 600', "--nodelist=node2")
    cluster.await_that(lambda: ("node2", 45678) in cluster.ports(), "the port is open")
    assert any("45678" in command for command in cluster.tasks().values())
    assert any("45678" in " ".join(each.cmdline()) for each in cluster.processes_of_job(job))
    cluster.run("scancel", job)
    cluster.await_job(job, JobState="CANCELLED")
    cluster.must("kill-node", "2")
    cluster.must("start-node", "2")
    cluster.await_that(
        lambda: not cluster.tasks() and ("node2", 45678) not in cluster.ports(), "nothing is left"
    )


class Journal:
    """A journal in raw lines."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def attempt(self, name: str, trial: str, *statuses: str, f1: float = 0.5) -> None:
        """Add an attempt with its ends, one second after another."""
        lines: list[dict[str, Any]] = [{"event": "started", "attempt_id": name, "trial_id": trial}]
        for second, status in enumerate(statuses):
            end = {"event": "ended", "attempt_id": name, "trial_id": trial, "status": status}
            result = {"f1": f1, "seconds": second} if status == "completed" else None
            moment = f"2030-01-01T00:00:{second:02}+00:00"
            lines.append({**end, "ended_at": moment, "error_kind": "x", "error": "y", "result": result})
        (self.folder / f"{name}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))

    def check(self, trials: int = 1) -> JournalCheck:
        """Check it as that of so many trials."""
        return check_journal(self.folder, trials)


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path)


def test_a_journal_in_order(journal: Journal) -> None:
    journal.attempt("a", "1", "interrupted")
    journal.attempt("b", "1", "completed")
    journal.attempt("c", "2", "completed")
    with (journal.folder / "c.jsonl").open("a") as file:
        file.write('{"event": "star')
    assert journal.check(2) == JournalCheck(completed=2, attempts=3, late=0, torn=1)


def test_an_attempt_that_was_given_up_may_complete_beside_another(journal: Journal) -> None:
    journal.attempt("a", "1", "interrupted", "completed")
    journal.attempt("b", "1", "completed")
    assert journal.check() == JournalCheck(completed=1, attempts=2, late=1, torn=0)
    journal.attempt("b", "1", "completed", f1=0.6)
    assert ["differ" in problem for problem in journal.check().problems] == [True]


@pytest.mark.parametrize(
    ("attempts", "problem"),
    [
        ({"a": ["completed"], "b": ["completed"]}, "trial 1 has completed 2 times: attempts a, b"),
        ({"a": ["completed", "completed"]}, "attempt a has completed 2 times"),
        ({"a": ["failed"], "b": ["completed"]}, "attempt a failed: x: y"),
        ({"a": [], "b": ["completed"]}, "attempt a has no end"),
        ({"a": ["interrupted"]}, "trial 1 has not completed"),
        ({}, "0 trials were started, not 1"),
    ],
)
def test_what_contradicts(journal: Journal, attempts: dict[str, list[str]], problem: str) -> None:
    for name, statuses in attempts.items():
        journal.attempt(name, "1", *statuses)
    assert journal.check().problems == [problem]
