"""Archives with damage: taken in, or refused before anything is written; never outside the folder."""

import io
import itertools
import shutil
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

from noisebench.errors import EnvironmentFault, InputError
from noisebench.records.folders import ResultsFolder
from noisebench.store.archive import export_sweep, import_archive
from noisebench.store.states import trial_states
from noisebench.store.store import open_store
from tests.fuzz.inputs import damaged, tree
from tests.store.results_folder import Folder, ended, started, trial

NAMES = [
    "sweep/paper/../../../outside",
    "/tmp/outside",
    "sweep/./spec.yaml",
    "sweep/paper/allowed-code.json",
    "sweep/-x/spec.yaml",
    "sweep/paper/lock",
    "scores/0123456789abcdef.parquet",
    "scores/../../x.parquet",
    "sweep/other/records.jsonl",
    "results.duckdb",
    "\udcff",
    "",
    "a" * 300,
]
TYPES = [
    tarfile.SYMTYPE,
    tarfile.LNKTYPE,
    tarfile.FIFOTYPE,
    tarfile.CHRTYPE,
    tarfile.DIRTYPE,
    tarfile.CONTTYPE,
]

_numbers = itertools.count()


def mutated(random: Random, archive: bytes) -> bytes:
    """Return the archive with damaged bytes, or with one member renamed, retyped, damaged or repeated."""
    if random.random() < 0.4:
        return damaged(random, archive)
    out = io.BytesIO()
    with (
        tarfile.open(fileobj=io.BytesIO(archive)) as old,
        tarfile.open(fileobj=out, mode=random.choice(["w", "w", "w:gz"]), format=tarfile.PAX_FORMAT) as new,
    ):
        members = old.getmembers()
        chosen = random.randrange(len(members))
        for number, member in enumerate(members):
            stream = old.extractfile(member)
            data = b"" if stream is None else stream.read()
            if number == chosen:
                member, data = _changed(random, member, data)
            member.size = len(data) if member.isreg() else 0
            new.addfile(member, io.BytesIO(data))
            if number == chosen and random.random() < 0.2:
                new.addfile(member, io.BytesIO(data))
    return out.getvalue()


def _changed(random: Random, member: tarfile.TarInfo, data: bytes) -> tuple[tarfile.TarInfo, bytes]:
    change = random.choice(["name", "type", "data", "data", "data", "owner"])
    if change == "name":
        member.name = random.choice(NAMES)
    elif change == "type":
        member.type, member.linkname = (
            random.choice(TYPES),
            random.choice(["/etc/passwd", "../..", member.name]),
        )
    elif change == "owner":
        member.mode, member.uid, member.mtime = 0o7777, 0, 2**33
    else:
        data = damaged(random, data)
    return member, data


@contextmanager
def archives(tmp: Path) -> Iterator[Callable[[Random], str]]:
    """Yield the check of one archive: imported into a new folder, or into one that has results."""
    there = Folder(tmp / "there")
    there.manifest({"grid": [trial(seed=seed) for seed in range(2)]})
    there.results.sweep("paper").spec.write_text("sweep: paper\n")
    for seed in range(2):
        there.journal(started(trial(seed=seed), f"a{seed}"), ended(trial(seed=seed), f"a{seed}"))
        path = there.results.scores(trial(seed=seed).trial_id)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"scores" * 20)
    export_sweep(there.results.sweep("paper"), tmp / "whole.tar")
    whole = (tmp / "whole.tar").read_bytes()
    shutil.rmtree(there.root)

    def check(random: Random) -> str:
        place = tmp / f"import-{next(_numbers)}"
        place.mkdir()
        file, results = place / "damaged.tar", ResultsFolder(place / "results")
        file.write_bytes(mutated(random, whole))
        if random.random() < 0.5:
            _own_results(results)
        before = tree(place)
        try:
            transfer = import_archive(results, file)
        except InputError:
            assert tree(place) == before, "refused, but something was written"
            return "refused"
        except EnvironmentFault:
            return "broke off"
        finally:
            outside = {name for name in tree(place) if not name.startswith(str(results.root))}
            assert outside == {str(file)}, f"written outside the results folder: {sorted(outside)}"
        assert not results.sweep(transfer.sweep).allowed_code.exists()
        kept = {name: data for name, data in before.items() if name != str(results.database)}
        after = tree(place)
        assert {name: after.get(name) for name in kept} == kept, "what was there before has changed"
        with open_store(results) as store:
            trial_states(store, transfer.sweep)
        shutil.rmtree(place)
        return "imported"

    yield check


def _own_results(results: ResultsFolder) -> None:
    folder = Folder(results.root)
    folder.manifest({"grid": [trial(seed=0)]})
    folder.results.sweep("paper").spec.write_text("sweep: paper\n")
    folder.journal(started(trial(), "own"), ended(trial(), "own", at=5), file="own")
