"""Trials that share evidence: one of them trains, the others wait for it, and the last one removes it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable
from pathlib import Path

from noisebench.catalogue.detectors import descriptor_of
from noisebench.records.durable import patiently, read_of_sweep, write_of_sweep
from noisebench.records.evidence import EvidenceFile, Sharing
from noisebench.records.folders import ResultsFolder, SweepFolder
from noisebench.sweep.trial import Trial


class EvidenceGroups:
    """The groups of trials that judge the same training.

    While an attempt trains the evidence of a group, it leads, and the other trials of the group are parked.
    `awaited` are evidence ids that trials outside of this run judge by; with `keep_all`, nothing is removed.
    """

    def __init__(
        self,
        trials: Iterable[Trial],
        folder: SweepFolder,
        awaited: Collection[str] = (),
        *,
        keep_all: bool = False,
    ) -> None:
        self._results = folder.results
        self._elsewhere = AwaitedElsewhere(folder)
        self._awaited, self._keep_all = frozenset(awaited), keep_all
        self._remaining: Counter[str] = Counter()
        self._needs: dict[str, dict[str, int]] = defaultdict(dict)
        for trial in trials:
            self._remaining[trial.evidence_id] += 1
            needs = self._needs[trial.evidence_id]
            for name, size in descriptor_of(trial.detector).needs_of(trial.detector).items():
                needs[name] = max(size, needs.get(name, 0))
        self._shared = {evidence_id for evidence_id, count in self._remaining.items() if count > 1}
        self._kept = set(evidence_on_disk(self._results)) & self._remaining.keys()
        self._leaders: dict[str, str] = {}
        self._ready: set[str] = set()
        self._parked: dict[str, list[Trial]] = {}

    @property
    def parked(self) -> int:
        """How many trials wait for the evidence that another one trains."""
        return sum(map(len, self._parked.values()))

    def ordered(self, trials: Iterable[Trial]) -> list[Trial]:
        """Return the trials so that those of a group follow each other; groups by their first trial."""
        groups: dict[str, list[Trial]] = {}
        for trial in trials:
            groups.setdefault(trial.evidence_id, []).append(trial)
        return [trial for group in groups.values() for trial in group]

    def park(self, trial: Trial) -> bool:
        """Park a trial whose evidence is being trained; return whether it was parked."""
        if trial.evidence_id not in self._leaders:
            return False
        self._parked.setdefault(trial.evidence_id, []).append(trial)
        return True

    def sharing(self, trial: Trial) -> Sharing:
        """Return which arrays the trial gathers, and whether it keeps them for others."""
        evidence_id = trial.evidence_id
        keep = self._keep_all or evidence_id in self._shared or self._is_awaited(evidence_id)
        if keep:
            self._kept.add(evidence_id)
        return Sharing(self._needs[evidence_id], keep)

    def begin(self, attempt_id: str, trial: Trial) -> None:
        """Note that an attempt begins: it leads if its group has no evidence yet."""
        evidence_id = trial.evidence_id
        if evidence_id in self._shared and evidence_id not in self._ready:
            self._leaders.setdefault(evidence_id, attempt_id)

    def end(self, attempt_id: str, trial: Trial, *, completed: bool) -> list[Trial]:
        """Note that an attempt ended, however it did; return the trials that no longer need to wait."""
        evidence_id = trial.evidence_id
        if completed:
            self._ready.add(evidence_id)
        if self._leaders.get(evidence_id) != attempt_id:
            return []
        del self._leaders[evidence_id]
        return self._parked.pop(evidence_id, [])

    def settle(self, trial: Trial) -> None:
        """Note that a trial needs no further attempt; remove its evidence once no trial needs it."""
        evidence_id = trial.evidence_id
        self._remaining[evidence_id] -= 1
        if self._remaining[evidence_id] > 0 or evidence_id not in self._kept or self._keep_all:
            return
        if not self._is_awaited(evidence_id):
            EvidenceFile(self._results.evidence(evidence_id)).remove()
            self._kept.discard(evidence_id)

    def forget_parked(self) -> None:
        """Drop the parked trials: nothing more is handed out."""
        self._parked.clear()

    def _is_awaited(self, evidence_id: str) -> bool:
        return evidence_id in self._awaited or evidence_id in self._elsewhere


class AwaitedElsewhere:
    """The evidence that pending trials of other sweeps in the results folder judge by."""

    def __init__(self, folder: SweepFolder) -> None:
        self._folder = folder
        self._read: dict[Path, tuple[int, frozenset[str]]] = {}

    def __contains__(self, evidence_id: str) -> bool:
        return any(evidence_id in self._ids(path) for path in self._files())

    def _files(self) -> Iterable[Path]:
        own_file = self._folder.awaited_evidence
        return (path for path in self._folder.results.sweeps.glob(f"*/{own_file.name}") if path != own_file)

    def _ids(self, path: Path) -> frozenset[str]:
        try:
            modified = path.stat().st_mtime_ns
            if self._read.get(path, (None,))[0] != modified:
                self._read[path] = modified, frozenset(read_of_sweep(path).decode().split())
        except (OSError, UnicodeDecodeError):
            return frozenset()  # removed meanwhile, or no such file
        return self._read[path][1]


def note_awaited(folder: SweepFolder, evidence_ids: Collection[str]) -> None:
    """Write down which evidence the sweep's pending trials judge by, so that other sweeps leave it there."""
    path = folder.awaited_evidence
    if evidence_ids:
        text = "\n".join(sorted(evidence_ids)) + "\n"
        patiently(lambda: write_of_sweep(path, text.encode()))
    else:
        path.unlink(missing_ok=True)


def evidence_on_disk(results: ResultsFolder) -> list[str]:
    """Return the ids of the evidence in a results folder."""
    return [path.stem for path in results.evidences.glob("*.evidence")]


def remove_unneeded(folder: SweepFolder, trials: Iterable[Trial], awaited: Collection[str]) -> None:
    """Remove the evidence of `trials` that a killed run has left and no pending trial judges by."""
    on_disk = set(evidence_on_disk(folder.results)) - set(awaited)
    if not on_disk:
        return
    elsewhere = AwaitedElsewhere(folder)
    for evidence_id in on_disk & {trial.evidence_id for trial in trials}:
        if evidence_id not in elsewhere:
            EvidenceFile(folder.results.evidence(evidence_id)).remove()
