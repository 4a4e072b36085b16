"""Damaged manifests, notes and arrays: read, or refused with a message; no path leads out of the folder."""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

import numpy as np

from noisebench.data.own.arrays import read_npz
from noisebench.engine.cleaning import Kind, removable
from noisebench.engine.node import leave_note
from noisebench.engine.stops import stopped_blocks
from noisebench.errors import InputError
from noisebench.records.folders import SweepFolder
from noisebench.records.heartbeats import fresh_workers
from noisebench.records.manifest import kept_trials, manifest_trials
from noisebench.store.archive import export_sweep
from tests.fuzz.inputs import damaged, replaced
from tests.store.results_folder import Folder, ended, started, trial

NOTE = {"kind": "preempted", "time": 1.0, "grid": "exception: boom"}


@contextmanager
def files(tmp: Path) -> Iterator[Callable[[Random], Counter[str]]]:
    """Yield the check of one file: a manifest, a note or an .npz file."""
    folder = Folder(tmp / "results")
    manifest = folder.manifest({"grid": [trial(seed=seed) for seed in range(2)]})
    folder.journal(started(trial(), "a"), ended(trial(), "a"))
    sweep = folder.results.sweep("paper")
    sweep.spec.write_text("sweep: paper\n")
    for path in (folder.results.scores(trial().trial_id), tmp / "private.parquet"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"scores")
    np.savez_compressed(tmp / "whole.npz", X=np.arange(60.0).reshape(20, 3), y=np.arange(20) % 2)
    lines, packed = manifest.read_bytes().splitlines(), (tmp / "whole.npz").read_bytes()

    def check(random: Random) -> Counter[str]:
        kind = random.choice(["manifest", "note", "npz"])
        try:
            if kind == "manifest":
                manifest.write_bytes(b"\n".join([_damaged(random, lines[0]), lines[1]]) + b"\n")
                _read_manifest(sweep, tmp)
            elif kind == "note":
                _read_notes(random, sweep)
            else:
                (tmp / "damaged.npz").write_bytes(damaged(random, packed))
                read_npz(tmp / "damaged.npz")
        except InputError:
            return Counter([f"{kind} refused"])
        return Counter([f"{kind} read"])

    yield check


def _damaged(random: Random, line: bytes) -> bytes:
    if random.random() < 0.5:
        return damaged(random, line)
    return json.dumps(replaced(random, json.loads(line))[0]).encode()


def _read_manifest(sweep: SweepFolder, tmp: Path) -> None:
    kept_trials(sweep.manifest)
    manifest_trials(sweep.manifest)
    for item in removable(sweep.results, ["paper"], [Kind.SCORES, Kind.EVIDENCE]):
        assert all(path.is_relative_to(sweep.results.root / item.kind) for path in item.paths), item
    export_sweep(sweep, tmp / "paper.tar")


def _read_notes(random: Random, sweep: SweepFolder) -> None:
    paths = (sweep.stopped, sweep.heartbeats / "w.left", sweep.heartbeats / "w.json")
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(_damaged(random, json.dumps(NOTE).encode()))
    stopped_blocks(sweep)
    leave_note(sweep, "w")
    fresh_workers(sweep)
    for path in paths:
        path.unlink()
