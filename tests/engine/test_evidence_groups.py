"""Of trials that share evidence one trains first, and the evidence is kept as long as it is needed."""

from pathlib import Path

import pytest

from noisebench.engine.evidence_groups import (
    AwaitedElsewhere,
    EvidenceGroups,
    note_awaited,
    remove_unneeded,
)
from noisebench.engine.progress import Progress
from noisebench.engine.queue import TrialQueue
from noisebench.engine.recovery import Cause, Loss, RecoveryPolicy
from noisebench.engine.stops import Stops
from noisebench.records.attempts import End, ErrorKind, Status
from noisebench.records.folders import ResultsFolder, SweepFolder
from noisebench.sweep.trial import Trial
from tests.trials import sweep_of

COMPLETED = End(Status.COMPLETED)
FAILED = End(Status.FAILED, ErrorKind.EXCEPTION, "broken")
NODE_LOST = Loss(Cause.NODE_LOST, ErrorKind.NODE_LOST, "the worker w was lost")
THREE = "[ctrl, small-loss, none]"


@pytest.fixture
def folder(tmp_path: Path) -> SweepFolder:
    return ResultsFolder(tmp_path).sweep("test")


def trials_of(loss: str = "CE", seeds: str = "1", detector: str = THREE) -> list[Trial]:
    return list(sweep_of(loss, seeds=seeds, detector=detector).trials())


def queue_of(folder: SweepFolder, trials: list[Trial], **parts: object) -> TrialQueue:
    count = len(trials)
    return TrialQueue(trials, folder, Progress(count, 0, 0, count), **parts)  # type: ignore[arg-type]


def names(queue: TrialQueue, count: int) -> list[tuple[str, str, str]]:
    taken = [queue.take() for _ in range(count)]
    return [(attempt, trial.loss.name, trial.detector.name) for attempt, trial in taken]


def keep(folder: SweepFolder, trial: Trial) -> Path:
    path = folder.results.evidence(trial.evidence_id)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    return path


def test_one_trial_of_a_group_goes_first_and_the_others_follow_it(folder: SweepFolder) -> None:
    queue = queue_of(folder, trials_of("[CE, ANL-FL]"))
    (first, *ce), (_, *bl) = names(queue, 2)
    assert (ce, bl) == (["CE", "ctrl"], ["ANL-FL", "ctrl"])
    assert (queue.next_trial, queue.waiting, queue.live) == (None, 4, 2)
    queue.settle(first, COMPLETED)
    assert [name[1:] for name in names(queue, 2)] == [("CE", "small-loss"), ("CE", "none")]
    assert queue.next_trial is None


def test_after_a_failure_the_next_of_the_group_trains(folder: SweepFolder) -> None:
    queue = queue_of(folder, trials_of())
    ((first, *_),) = names(queue, 1)
    assert queue.next_trial is None
    queue.settle(first, FAILED)
    ((_, *second),) = names(queue, 1)
    assert second == ["CE", "small-loss"]
    assert (queue.next_trial, queue.waiting) == (None, 1)


def test_a_trial_that_is_put_back_is_handed_out_first(folder: SweepFolder) -> None:
    queue = queue_of(folder, trials_of())
    ((first, *leader),) = names(queue, 1)
    assert queue.next_trial is None
    queue.put_back(first)
    assert queue.waiting == 3
    ((_, *again),) = names(queue, 1)
    assert again == leader
    assert queue.next_trial is None


def test_a_lost_leader_stays_before_its_followers(folder: SweepFolder) -> None:
    policy = RecoveryPolicy(find_cause=lambda _, __: NODE_LOST)
    queue = queue_of(folder, trials_of("[CE, ANL-FL]"), policy=policy)
    ((first, *_), (_, *bl)) = names(queue, 2)
    queue.lose(first)
    assert bl[0] == "ANL-FL"
    ((_, *again),) = names(queue, 1)
    assert again == ["CE", "ctrl"]


def test_all_of_a_group_get_a_larger_share_with_their_leader(folder: SweepFolder) -> None:
    policy = RecoveryPolicy(has_larger_share=lambda _, __: True)
    queue = queue_of(folder, trials_of(), policy=policy)
    ((first, *_),) = names(queue, 1)
    assert queue.next_trial is None
    queue.settle(first, End(Status.FAILED, ErrorKind.HOST_MEMORY, "too large"))
    assert queue.waiting == 0
    assert queue.larger_round()
    assert queue.waiting == 3


def test_followers_of_a_stopped_block_are_held_back(folder: SweepFolder) -> None:
    sweep = sweep_of(seeds="9", detector="[ctrl, none]")
    queue = queue_of(folder, list(sweep.trials()), stops=Stops(sweep.blocks, folder))
    for _ in range(8):
        queue.settle(queue.take()[0], FAILED)
    assert (queue.waiting, queue.live, queue.progress.held) == (0, 0, 10)


def test_evidence_is_removed_with_the_last_trial_that_needs_it(folder: SweepFolder) -> None:
    trials = trials_of()
    queue = queue_of(folder, trials)
    for number in range(3):
        attempt, trial = queue.take()
        assert queue.sharing(trial).keep
        path = keep(folder, trial)
        queue.settle(attempt, COMPLETED if number else FAILED)
        assert path.exists() == (number < 2)


def test_evidence_of_one_trial_is_kept_only_if_the_sweep_or_another_one_needs_it(folder: SweepFolder) -> None:
    (trial,) = trials_of(detector="ctrl")
    assert not EvidenceGroups([trial], folder).sharing(trial).keep
    assert EvidenceGroups([trial], folder, keep_all=True).sharing(trial).keep
    assert EvidenceGroups([trial], folder, [trial.evidence_id]).sharing(trial).keep
    other = folder.results.sweep("other")
    note_awaited(other, {trial.evidence_id})
    groups = EvidenceGroups([trial], folder)
    assert groups.sharing(trial).keep
    path = keep(folder, trial)
    groups.settle(trial)
    assert path.exists()
    note_awaited(other, ())
    assert trial.evidence_id not in AwaitedElsewhere(folder)


def test_a_group_gathers_what_any_of_its_detectors_reads(folder: SweepFolder) -> None:
    trials = trials_of(detector="[none, {name: ctrl, traces: in-passing}, small-loss]")
    assert len({trial.evidence_id for trial in trials}) == 1
    sharing = EvidenceGroups(trials, folder).sharing(trials[0])
    assert sharing.needs == {"in-passing.losses": 1, "after-epoch.losses": 1}


def test_what_a_killed_run_has_left_is_removed(folder: SweepFolder) -> None:
    done, pending = trials_of("[CE, ANL-FL]", detector="ctrl")
    (foreign,) = trials_of("{name: PZ, c: 0.04}", detector="ctrl")
    left, needed, other = (keep(folder, trial) for trial in (done, pending, foreign))
    remove_unneeded(folder, [done, pending], [pending.evidence_id])
    assert (left.exists(), needed.exists(), other.exists()) == (False, True, True)


def test_under_the_next_driver_the_followers_of_a_trial_that_lacked_memory_wait_for_its_larger_share(
    folder: SweepFolder,
) -> None:
    trials = trials_of("[CE, ANL-FL]")
    leader = trials[0]
    policy = RecoveryPolicy(
        has_larger_share=lambda _, kind: kind == "host-memory",
        lacked_memory={leader.trial_id: ErrorKind.HOST_MEMORY},
    )
    queue = queue_of(folder, trials, policy=policy)
    while queue.waiting:
        attempt, trial = queue.take()
        assert trial.evidence_id != leader.evidence_id
        queue.settle(attempt, COMPLETED)
    assert queue.larger_round()
    (first, *name), waiting = names(queue, 1)[0], queue.next_trial
    assert (name, waiting) == (["CE", "ctrl"], None), "one trains, the others wait for it"
    queue.settle(first, COMPLETED)
    assert [each[2] for each in names(queue, 2)] == ["small-loss", "none"]
