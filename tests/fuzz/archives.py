"""Archives with damage: taken in, or refused before anything is written; never outside the folder."""

import io
import itertools
import shutil
import tarfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

from noisebench.errors import InputError
from noisebench.records.folders import ResultsFolder
from noisebench.store.archive import export_sweep, import_archive
from noisebench.store.states import trial_states
from noisebench.store.store import open_store
from tests.fuzz.inputs import damaged, tree
from tests.store.results_folder import Folder, ended, started, trial

ARCHIVES_IN_A_FOLDER = 25
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
def archives(tmp: Path) -> Iterator[Callable[[Random], Counter[str]]]:
    """Yield the check of some archives: imported one by one, then taken into one database."""
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

    def check(random: Random) -> Counter[str]:
        folder = tmp / f"archives-{next(_numbers)}"
        places = [folder / str(number) for number in range(ARCHIVES_IN_A_FOLDER)]
        outcomes = [_import(random, place, mutated(random, whole)) for place in places]
        together = ResultsFolder(folder / "together")
        imported = [place for place, outcome in zip(places, outcomes, strict=True) if outcome == "imported"]
        sweeps = [_move(ResultsFolder(place / "results"), together, place.name) for place in imported]
        if sweeps:
            with open_store(together) as store:
                trial_states(store, sweeps[0])
        shutil.rmtree(folder)
        return Counter(outcomes)

    yield check


def _import(random: Random, place: Path, archive: bytes) -> str:
    """Import an archive into a folder, empty or with results; assert that what was there before stays."""
    place.mkdir(parents=True)
    file, results = place / "damaged.tar", ResultsFolder(place / "results")
    file.write_bytes(archive)
    if random.random() < 0.5:
        _own_results(results)
    before = tree(place)
    try:
        transfer = import_archive(results, file)
    except InputError:
        assert tree(place) == before, "refused, but something was written"
        return "refused"
    finally:
        outside = {name for name in tree(place) if not name.startswith(str(results.root))}
        assert outside == {str(file)}, f"written outside the results folder: {sorted(outside)}"
    assert not results.sweep(transfer.sweep).allowed_code.exists()
    after = tree(place)
    assert {name: after.get(name) for name in before} == before, "what was there before has changed"
    return "imported"


def _move(source: ResultsFolder, target: ResultsFolder, prefix: str) -> str:
    """Move the sweep of a folder into another folder, where its name gets a prefix; return that name."""
    (path,) = source.sweeps.iterdir()
    name = f"{prefix}-{path.name}"
    for kind in ("sweeps", "journal"):
        if (source.root / kind / path.name).exists():
            (target.root / kind).mkdir(parents=True, exist_ok=True)
            shutil.move(source.root / kind / path.name, target.root / kind / name)
    return name


def _own_results(results: ResultsFolder) -> None:
    folder = Folder(results.root)
    folder.manifest({"grid": [trial(seed=0)]})
    folder.results.sweep("paper").spec.write_text("sweep: paper\n")
    folder.journal(started(trial(), "own"), ended(trial(), "own", at=5), file="own")
