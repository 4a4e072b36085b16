"""A random campaign of faults against submitted sweeps on a real Slurm, and what must hold afterwards.

`python -m tests.slurm.campaign --minutes 30 --seed 1` raises a devcluster as root. One sweep after another
runs there while faults come at random. Each sweep must end without help: each trial completed exactly once,
none failed, no process and no port left. The journal is checked by a reader of its own.
"""

import argparse
import os
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random, randrange

from tests.slurm.devcluster import Devcluster, raised
from tests.slurm.faults import ASKING, SILENT, NotNow, Repair, Scene
from tests.slurm.raw_journal import JournalCheck, check_journal, lines_of
from tests.slurm.submitted import Submitted

NODES = 4
ROUND_MINUTES = 8.0
TRIAL_SECONDS = 8
# Without faults, the six places of this site finish about 35 trials a minute: the sweep outlasts the faults.
TRIALS_IN_A_MINUTE = 30
PAUSE_SECONDS = (3.0, 20.0)
START_SECONDS = 300.0
END_SECONDS = 1200.0
# After their jobs, processes end within their own times.
REST_SECONDS = 240.0
SITE = """\
site: campaign
signal_seconds: 30
idle_minutes: 3
driver: {cpus: 1, memory_gb: 3, minutes: 9}
workers: {cpus: 1, memory_gb: 4, minutes: 5, count: 3, gpu_request: "--gres=gpu:v100:2"}
"""
Say = Callable[[str], None]


@dataclass(frozen=True)
class Round:
    """One sweep under faults: how often each was made, what its journal says, what is wrong."""

    faults: Counter[str]
    check: JournalCheck
    problems: list[str]


def run_round(cluster: Devcluster, folder: Path, seed: int, minutes: float, say: Say) -> Round:
    """Run one sweep under faults for so many minutes at most."""
    sweep = Submitted(cluster, folder, f"campaign{seed}")
    trials = max(12, round(minutes * TRIALS_IN_A_MINUTE))
    ports = cluster.ports()
    sweep.send_slow(SITE, trials, TRIAL_SECONDS)
    journal = sweep.results.sweep(sweep.name).journal
    cluster.await_that(lambda: bool(_completed(journal)), "a trial has completed", START_SECONDS)
    say(f"seed {seed}: {trials} trials of {sweep.name} in {folder}")
    faults = _break_things(Scene(cluster, sweep, Random(seed)), minutes, say)
    sweep.hasten()
    problems = _await_end(sweep)
    check = check_journal(journal, trials)
    problems += check.problems + _leftovers(cluster, ports)
    say(f"seed {seed}: {_summary(faults, [check])}; problems: {len(problems)}")
    return Round(faults, check, [f"seed {seed}: {problem}" for problem in problems])


def _summary(faults: Counter[str], checks: list[JournalCheck]) -> str:
    made = ", ".join(f"{count} {name}" for name, count in sorted(faults.items()))
    completed, attempts = sum(each.completed for each in checks), sum(each.attempts for each in checks)
    late, torn = sum(each.late for each in checks), sum(each.torn for each in checks)
    return (
        f"{completed} trials completed in {attempts} attempts, {late} late, {torn} torn lines; "
        f"{faults.total()} faults: {made}"
    )


def _completed(journal: Path) -> set[str]:
    return {line["trial_id"] for line in lines_of(journal)[0] if line.get("status") == "completed"}


def _break_things(scene: Scene, minutes: float, say: Say) -> Counter[str]:
    """Make one fault after another, repair all by the end; return how often each was made."""
    made: Counter[str] = Counter()
    repairs: list[tuple[float, Repair]] = []
    begun = now = time.monotonic()
    next_fault = now
    while now < begun + 60 * minutes and _is_live(scene):
        for due in [due for due in repairs if due[0] <= now]:
            if not (due[1].asks_slurm and scene.controller_is_away):
                repairs.remove(due)
                due[1].act()
        if now >= next_fault:
            name, repair = _fault(scene)
            made[name] += 1
            say(f"  {now - begun:5.0f} s {name}" + (f" for {repair.seconds:.0f} s" if repair else ""))
            if repair is not None:
                repairs.append((now + repair.seconds, repair))
            next_fault = time.monotonic() + scene.random.uniform(*PAUSE_SECONDS)
        time.sleep(0.5)
        now = time.monotonic()
    for _, repair in sorted(repairs, key=lambda each: each[1].asks_slurm):
        repair.act()
    return made


def _is_live(scene: Scene) -> bool:
    return scene.controller_is_away or bool(scene.sweep.jobs())


def _fault(scene: Scene) -> tuple[str, Repair | None]:
    """Make a fault that is possible now."""
    while True:
        fault = scene.random.choice(SILENT if scene.controller_is_away else (*ASKING, *SILENT))
        try:
            return fault.__name__, fault(scene)
        except NotNow:
            time.sleep(0.2)


def _await_end(sweep: Submitted) -> list[str]:
    """Wait until no job is left; a driver that Slurm holds is released as its user would do it."""
    deadline = time.monotonic() + END_SECONDS
    while jobs := sweep.jobs():
        sweep.cluster.resume_drained()
        if time.monotonic() > deadline:
            shown = sweep.cluster.report()
            sweep.noisebench("cancel", sweep.name)
            return [f"the sweep has not ended within {END_SECONDS:.0f} s: {jobs}\n{shown}"]
        if not any(state.startswith("driver RUNNING") for state in jobs.values()) and _is_held(sweep):
            # Refused where it was released meanwhile.
            sweep.noisebench("resume", sweep.name)
        time.sleep(1)
    return []


def _is_held(sweep: Submitted) -> bool:
    lines = sweep.cluster.run("squeue", "--noheader", "--format=%j %r").splitlines()
    return any("driver" in line and "held" in line for line in lines)


def _leftovers(cluster: Devcluster, ports: set[tuple[str, int]]) -> list[str]:
    """Return the processes and ports of jobs that are left, some time after the last job's end."""
    deadline = time.monotonic() + REST_SECONDS
    while (tasks := cluster.tasks()) or cluster.ports() - ports:
        if time.monotonic() > deadline:
            break
        time.sleep(1)
    left = [f"process {pid} is left: {command[:150]}" for pid, command in tasks.items()]
    return left + [f"port {port} of {node} is open" for node, port in sorted(cluster.ports() - ports)]


def say(text: str) -> None:
    """Print a line at once: the campaign takes long."""
    print(text, flush=True)


def main() -> int:
    """Run rounds until the time is over; 0 if all is well, 1 otherwise."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=30.0, help="for how long faults are made in all")
    parser.add_argument("--seed", type=int, default=None, help="of the first sweep; random where not given")
    options = parser.parse_args()
    seed = randrange(10**6) if options.seed is None else options.seed
    if os.geteuid() != 0:
        parser.exit(3, "the campaign needs root: each node needs a network of its own\n")
    rounds: list[Round] = []
    folder = Path(tempfile.mkdtemp(prefix="campaign"))
    with raised(Devcluster(folder / "c"), NODES) as cluster:
        end = time.monotonic() + 60 * options.minutes
        while (left := (end - time.monotonic()) / 60) > 0:
            place = folder / str(seed)
            place.mkdir()
            rounds.append(run_round(cluster, place, seed, min(left, ROUND_MINUTES), say))
            seed += 1
    faults = sum((each.faults for each in rounds), Counter[str]())
    print(f"{len(rounds)} sweeps: {_summary(faults, [each.check for each in rounds])}")
    problems = [problem for each in rounds for problem in each.problems]
    if problems:
        print("\n".join(problems), f"the sweeps are in {folder}", sep="\n")
        return 1
    shutil.rmtree(folder)
    print("no problem")
    return 0


if __name__ == "__main__":
    sys.exit(main())
