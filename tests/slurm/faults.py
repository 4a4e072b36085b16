"""Faults of a sweep on the devcluster: of its driver, workers, nodes, links, of Slurm, of its files.

Each function breaks one thing and returns how to repair it and after how many seconds at the latest, or None
if nothing is left to repair. It raises `NotNow` if its target is not there or is broken already.
"""

import signal
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import psutil

from tests.slurm.devcluster import Devcluster
from tests.slurm.submitted import Submitted

# At most so many nodes are broken at a time: the sweep goes on, slowly.
MAX_BROKEN_NODES = 2


class NotNow(Exception):
    """The fault cannot be made at this moment."""


@dataclass(frozen=True)
class Repair:
    """How a fault ends, after so many seconds; where that asks Slurm, not while its controller is away."""

    seconds: float
    act: Callable[[], object]
    asks_slurm: bool = False


@dataclass
class Scene:
    """A live sweep on its cluster, what is broken there now, and what chooses the targets."""

    cluster: Devcluster
    sweep: Submitted
    random: Random
    broken_nodes: set[str] = field(default_factory=set)
    controller_is_away: bool = False
    accounting_is_away: bool = False

    def seconds(self, least: float, most: float) -> float:
        """Return for how long a fault lasts."""
        return self.random.uniform(least, most)

    def a_node(self) -> str:
        """Take a node that is whole."""
        if len(self.broken_nodes) >= MAX_BROKEN_NODES:
            raise NotNow
        return self.random.choice([node for node in self.cluster.nodes if node not in self.broken_nodes])

    def a_job(self, role: str) -> str:
        """Take a running job of a role."""
        jobs = self.sweep.jobs()
        running = [job for job, state in jobs.items() if state.startswith(f"{role} RUNNING")]
        if not running:
            raise NotNow
        return self.random.choice(sorted(running))

    def a_replaceable_driver(self) -> str:
        """Take the driver, if another one stands by: a sweep without any driver ends."""
        driver = self.a_job("driver")
        if not any(state.startswith("driver PENDING") for state in self.sweep.jobs().values()):
            raise NotNow
        return driver

    def node_repair(self, node: str, seconds: float, act: Callable[[], object]) -> Repair:
        """Return the repair of a node, and count it as broken until then."""
        self.broken_nodes.add(node)

        def repair() -> None:
            act()
            self.broken_nodes.discard(node)

        return Repair(seconds, repair, asks_slurm=True)


Fault = Callable[[Scene], Repair | None]


def kill_driver(scene: Scene) -> None:
    """Kill every process of the driver's job."""
    for process in scene.cluster.processes_of_job(scene.a_replaceable_driver()):
        _signal(process, signal.SIGKILL)


def kill_drivers_python(scene: Scene) -> None:
    """Kill the driver's Python alone, without its Ray."""
    processes = scene.cluster.processes_of_job(scene.a_replaceable_driver())
    _kill_python(processes)


def stop_driver(scene: Scene) -> Repair:
    """Let the driver stand still, as on a machine that swaps."""
    return _stop(scene.cluster.processes_of_job(scene.a_job("driver")), scene.seconds(5, 40))


def cancel_worker(scene: Scene) -> None:
    """Cancel one worker, which does not come back."""
    _try(scene, f"scancel {scene.a_job('worker')}")


def kill_workers_python(scene: Scene) -> None:
    """Kill a worker's Python alone, without its Ray."""
    _kill_python(scene.cluster.processes_of_job(scene.a_job("worker")))


def stop_worker(scene: Scene) -> Repair:
    """Let a worker stand still for so long that Ray takes its node for dead, or not."""
    return _stop(scene.cluster.processes_of_job(scene.a_job("worker")), scene.seconds(5, 60))


def requeue_worker(scene: Scene) -> None:
    """Send a worker back into the queue, as an administrator does."""
    _try(scene, f"scontrol requeue {scene.a_job('worker')}")


def scale(scene: Scene) -> None:
    """Ask for another number of workers."""
    done = scene.sweep.noisebench("scale", scene.sweep.name, "--workers", str(scene.random.randint(2, 4)))
    # 2: the last driver has just ended.
    assert done.returncode in (0, 2), done.stderr


def preempt(scene: Scene) -> None:
    """Run a job of higher priority alone on a node."""
    where = f"--nodelist={scene.a_node()} --exclusive --partition=urgent --time=5 --output=/dev/null"
    _try(scene, f"sbatch {where} --wrap='sleep 5'")


def kill_node(scene: Scene) -> Repair:
    """Switch a node off."""
    node = scene.a_node()
    scene.cluster.must("kill-node", node[4:])
    return scene.node_repair(node, scene.seconds(1, 60), lambda: scene.cluster.must("start-node", node[4:]))


def set_node_down(scene: Scene) -> None:
    """Take a node out of service, and back as soon as its jobs are gone."""
    node = scene.a_node()
    scene.cluster.run("scontrol", "update", f"NodeName={node}", "State=DOWN", "Reason=campaign")
    _resume(scene, node)


def cut_link(scene: Scene) -> Repair:
    """Take a node's network away."""
    node = scene.a_node()
    scene.cluster.must("cut-node", node[4:])
    return scene.node_repair(node, scene.seconds(3, 60), lambda: scene.cluster.must("join-node", node[4:]))


def break_launches(scene: Scene) -> Repair:
    """Let a node start no job: Slurm holds those that it sends there. One worker is sent."""
    node = scene.a_node()
    spool = scene.cluster.folder / "spool" / node
    away = spool.rename(spool.with_name(f"{node}.away"))
    with suppress(NotNow):
        requeue_worker(scene)

    def repair() -> None:
        away.rename(spool)
        _resume(scene, node)  # Slurm may have drained it

    return scene.node_repair(node, scene.seconds(10, 40), repair)


def stop_controller(scene: Scene) -> Repair:
    """End slurmctld: no command is answered."""
    scene.cluster.must("stop-controller")
    return _controllers_repair(scene)


def kill_controller(scene: Scene) -> Repair:
    """Kill slurmctld, which saves nothing."""
    pid = int((scene.cluster.folder / "run/slurmctld.pid").read_text())
    psutil.Process(pid).kill()
    return _controllers_repair(scene)


def stop_accounting(scene: Scene) -> Repair:
    """End slurmdbd: the controller keeps what it would tell it."""
    if scene.accounting_is_away:
        raise NotNow
    scene.cluster.must("stop-accounting")
    return _accountings_repair(scene)


def kill_accounting(scene: Scene) -> Repair:
    """Kill slurmdbd."""
    if scene.accounting_is_away:
        raise NotNow
    try:
        pid = int((scene.cluster.folder / "run/slurmdbd.pid").read_text())
    except (FileNotFoundError, ValueError):
        raise NotNow from None
    psutil.Process(pid).kill()
    return _accountings_repair(scene)


def remove_database(scene: Scene) -> None:
    """Delete the database, which is only a cache."""
    scene.sweep.results.database.unlink(missing_ok=True)


def overwrite_database(scene: Scene) -> None:
    """Write over the beginning of the database, or cut it off."""
    path = scene.sweep.results.database
    with suppress(FileNotFoundError), path.open("r+b") as file:
        if scene.random.random() < 0.5:
            file.write(scene.random.randbytes(10_000))
        else:
            file.truncate(scene.random.randrange(5_000))


def tear_head(scene: Scene) -> None:
    """Leave half of the file with the driver's address, or none of it."""
    path = _head(scene)
    with suppress(FileNotFoundError):
        content = path.read_bytes()
        path.write_bytes(content[: scene.random.randrange(len(content) + 1)])


def remove_head(scene: Scene) -> None:
    """Delete the file with the driver's address."""
    _head(scene).unlink(missing_ok=True)


# Those that ask Slurm for something; the others also happen while its controller is away.
ASKING: tuple[Fault, ...] = (
    *(kill_driver, kill_drivers_python, stop_driver, cancel_worker, kill_workers_python, stop_worker),
    *(requeue_worker, scale, preempt, kill_node, set_node_down, cut_link, break_launches),
    *(stop_controller, kill_controller),
)
SILENT: tuple[Fault, ...] = (
    *(remove_database, overwrite_database, tear_head, remove_head),
    *(stop_accounting, kill_accounting),
)


def _resume(scene: Scene, node: str) -> None:
    _try(scene, f"scontrol update NodeName={node} State=RESUME")


def _try(scene: Scene, command: str) -> None:
    """Run a command that Slurm refuses where its job has just ended, or its node is back already."""
    scene.cluster.run("sh", "-c", f"timeout 20 {command} || true")


def _controllers_repair(scene: Scene) -> Repair:
    scene.controller_is_away = True

    def repair() -> None:
        scene.cluster.must("start-controller")
        scene.controller_is_away = False

    return Repair(scene.seconds(1, 60), repair)


def _accountings_repair(scene: Scene) -> Repair:
    scene.accounting_is_away = True

    def repair() -> None:
        scene.cluster.must("start-accounting")
        scene.accounting_is_away = False

    return Repair(scene.seconds(1, 90), repair)


def _head(scene: Scene) -> Path:
    return scene.sweep.results.sweep(scene.sweep.name).slurm / "head.json"


def _kill_python(processes: list[psutil.Process]) -> None:
    for process in processes:
        with suppress(psutil.Error):
            if "noisebench.slurm.start" in process.cmdline() and process.name() != "srun":
                process.kill()


def _stop(processes: list[psutil.Process], seconds: float) -> Repair:
    for process in processes:
        _signal(process, signal.SIGSTOP)

    def go_on() -> None:
        for process in processes:
            _signal(process, signal.SIGCONT)

    return Repair(seconds, go_on)


def _signal(process: psutil.Process, number: signal.Signals) -> None:
    with suppress(psutil.Error):
        process.send_signal(number)
