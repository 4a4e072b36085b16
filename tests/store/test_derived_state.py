"""After any damage to derived files and journals, the state of every trial is that of a rebuilt database."""

import shutil
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from noisebench.store.ingest import ingest
from noisebench.store.states import trial_states
from noisebench.store.store import read_store
from tests.fuzz.lines import contents
from tests.store.results_folder import Folder, ended, started, trial, unsuccessful

TRIALS = [trial(seed=seed) for seed in range(6)]


def write_records(random: Random, folder: Folder) -> None:
    """Let a writer record some attempts."""
    for each in random.sample(TRIALS, 3):
        attempt = f"{random.getrandbits(128):032x}"
        at = random.randrange(1000)
        end = random.choice([ended, unsuccessful])(each, attempt, at + 5)
        lines = random.choice([[started(each, attempt, at)], [started(each, attempt, at), end]])
        folder.journal(*lines, file=random.choice("abc"))


def replace_manifest(random: Random, folder: Folder) -> None:
    folder.manifest({"grid": random.sample(TRIALS, random.randint(1, 6))})


def remove_database(_: Random, folder: Folder) -> None:
    folder.results.database.unlink(missing_ok=True)


def flip_bytes_of_the_database(random: Random, folder: Folder) -> None:
    data = bytearray(folder.results.database.read_bytes())
    for _ in range(random.choice([1, 100])):
        data[random.randrange(len(data))] ^= 1 << random.randrange(8)
    folder.results.database.write_bytes(data)


def shorten_the_database(random: Random, folder: Folder) -> None:
    data = folder.results.database.read_bytes()
    folder.results.database.write_bytes(data[: random.randrange(len(data))])


def restore_an_older_database(random: Random, folder: Folder) -> None:
    older = folder.root.parent / "older"
    if older.exists() and random.random() < 0.7:
        shutil.copyfile(older, folder.results.database)
    else:
        shutil.copyfile(folder.results.database, older)


def write_a_log_of_another(random: Random, folder: Folder) -> None:
    log = folder.results.database.with_name(folder.results.database.name + ".wal")
    log.write_bytes(random.randbytes(random.randrange(200)))


def remove_a_journal(random: Random, folder: Folder) -> None:
    random.choice(journals(folder)).unlink()
    forget_older(folder)


def shorten_a_journal(random: Random, folder: Folder) -> None:
    path = random.choice(journals(folder))
    data = path.read_bytes()
    path.write_bytes(data[: random.randrange(len(data) + 1)])
    forget_older(folder)


def forget_older(folder: Folder) -> None:
    """Remove the kept database: no writer appends to a journal that was shortened since."""
    (folder.root.parent / "older").unlink(missing_ok=True)


def journals(folder: Folder) -> list[Path]:
    return sorted(folder.results.sweep("paper").journal.glob("*.jsonl"))


EVENTS: list[Callable[[Random, Folder], None]] = [
    *(write_records, replace_manifest, remove_database, flip_bytes_of_the_database, shorten_the_database),
    *(restore_an_older_database, write_a_log_of_another, remove_a_journal, shorten_a_journal),
]
# DuckDB finds them only where a query reads the block.
DAMAGES = (flip_bytes_of_the_database, shorten_the_database)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(10))
def test_the_state_is_that_of_a_rebuilt_database(tmp_path: Path, seed: int) -> None:
    folder = Folder(tmp_path / "results")
    random = Random(f"derived state {seed}")
    folder.manifest({"grid": TRIALS})
    for _ in range(3):
        write_records(random, folder)
    ingest(folder.results)
    for number in range(6):
        if len(journals(folder)) < 2:
            write_records(random, folder)
        event = random.choice(EVENTS)
        event(random, folder)
        states, rebuilt = states_of(folder), rebuilt_beside(folder, number)
        assert states == states_of(rebuilt), event.__name__
        if event in DAMAGES:  # of a block that holds no state
            ingest(folder.results, rebuild=True)
        assert contents(folder) == contents(rebuilt), event.__name__


def states_of(folder: Folder) -> dict[str, str]:
    """Return the states of the trials as `status` finds them."""
    return read_store(folder.results, lambda store: trial_states(store, "paper"))


def rebuilt_beside(folder: Folder, number: int) -> Folder:
    """Return a copy of the folder with a database made from its journals and manifests alone."""
    copy = Folder(folder.root.parent / f"rebuilt{number}")
    shutil.copytree(folder.root, copy.root, ignore=shutil.ignore_patterns("results.duckdb*"))
    ingest(copy.results)
    return copy
