"""All samples in order of suspicion, from the scores of one or several trials."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from noisebench.errors import InputError
from noisebench.review.samples import Samples, TrialScores
from noisebench.science.detection import Detection

# From mean out-of-fold probabilities [N, K] to what detectors say of them, by the detector's name.
Judge = Callable[[NDArray[np.floating]], Mapping[str, Detection]]


@dataclass(frozen=True)
class Suspects:
    """What the trials say of each sample; arrays are in the order of the samples.

    `order` int64 [N]: rows by rank: first the suspects by suspicion, then all others by suspicion.
    `suspects`: how many of `order` are suspects, that is, flagged by at least one of `detectors`.
    `suspicion` float64 [N]: of the leading detector. `suspicion_sd`, `agreement` float64 [N]: the deviation
    of its suspicion over the trainings, and the share of them in which it flags. `flagged` bool [N, D].
    `precision` 2 x float64 [N]: of the first k ranks, the lowest and highest by planted errors, None without.
    `suggested` int64 [N]: the most probable class other than the given one. `p_given`, `p_suggested` float64
    [N]: out-of-fold probabilities.
    """

    order: NDArray[np.int64]
    suspects: int
    detectors: tuple[str, ...]
    seeds: tuple[int, ...]
    suspicion: NDArray[np.float64]
    suspicion_sd: NDArray[np.float64]
    agreement: NDArray[np.float64]
    flagged: NDArray[np.bool_]
    suggested: NDArray[np.int64]
    p_given: NDArray[np.float64]
    p_suggested: NDArray[np.float64]
    precision: tuple[NDArray[np.float64], NDArray[np.float64]] | None = None

    @property
    def margin(self) -> NDArray[np.float64]:
        """How much more probable the suggested class is than the given one [N], -1 to 1."""
        return self.p_suggested - self.p_given

    @property
    def rank(self) -> NDArray[np.int64]:
        """The rank of each sample [N], from 1."""
        rank = np.empty(len(self.order), dtype=np.int64)
        rank[self.order] = np.arange(1, len(self.order) + 1)
        return rank


def rank(samples: Samples, trials: Iterable[TrialScores], judge: Judge | None = None) -> Suspects:
    """Rank the samples by the suspicion of the first trial's detector.

    The probabilities of several trainings are averaged, and `judge` says what detectors make of the mean.
    Without it, and for other detectors, suspicion is the mean over the trials, and a sample is flagged if at
    least half of them flag it. `trials` may be a generator; only one trial is held at a time. A sample that
    no trial has judged (NaN) has the lowest suspicion and is no suspect. Raises InputError without a trial,
    without probabilities, or if an array does not fit the samples.
    """
    sums = _Sums(len(samples.ids), len(samples.classes))
    for trial in trials:
        sums.add(trial)
    if not sums.seeds:
        raise InputError("suspects: no trial has completed; run the sweep first")
    if sums.probabilities is None:
        raise InputError("suspects: no trial brings probabilities; one detector must use cross-validation")
    suspicion, deviation = sums.suspicion()
    votes = {name: counts / sums.trials[name] for name, counts in sums.flags.items()}
    of_mean = judge(sums.probabilities / sums.trainings) if judge is not None and sums.trainings > 1 else {}
    if sums.leading in of_mean:
        suspicion = of_mean[sums.leading].suspicion
    flags = [of_mean[name].flagged if name in of_mean else votes[name] >= 0.5 for name in votes]
    flagged = np.stack(flags, axis=1)
    suspected = flagged.any(axis=1)
    suggested, p_given, p_suggested = _suggestion(samples.labels, sums.probabilities)
    order = np.lexsort((-np.nan_to_num(suspicion, nan=-np.inf), ~suspected))
    return Suspects(
        order=order.astype(np.int64),
        suspects=int(suspected.sum()),
        detectors=tuple(sums.flags),
        seeds=tuple(dict.fromkeys(sums.seeds)),
        suspicion=suspicion,
        suspicion_sd=deviation,
        agreement=votes[sums.leading],
        flagged=flagged,
        suggested=suggested,
        p_given=p_given,
        p_suggested=p_suggested,
    )


@dataclass
class _Sums:
    """Running sums over trials."""

    samples: int
    classes: int
    seeds: list[int] = field(default_factory=list)
    trials: dict[str, int] = field(default_factory=dict)
    flags: dict[str, NDArray[np.float64]] = field(default_factory=dict)
    scores: list[NDArray[np.float64]] = field(default_factory=list)
    probabilities: NDArray[np.float32] | None = None
    trainings: int = 0

    @property
    def leading(self) -> str:
        return next(iter(self.flags))

    def add(self, trial: TrialScores) -> None:
        where = f"suspects: {trial.detector}, seed {trial.seed}"
        for name, values in (("suspicion", trial.suspicion), ("flagged", trial.flagged)):
            if values.shape != (self.samples,):
                raise InputError(f"{where}: {name} is {list(values.shape)}, must be [{self.samples}]")
        self.flags.setdefault(trial.detector, np.zeros(self.samples))
        self.flags[trial.detector] += trial.flagged
        self.trials[trial.detector] = self.trials.get(trial.detector, 0) + 1
        if trial.detector == self.leading:
            self.seeds.append(trial.seed)
            self.scores.append(trial.suspicion.astype(np.float64))
        if trial.probabilities is None:
            return
        shape = (self.samples, self.classes)
        if trial.probabilities.shape != shape:
            seen = list(trial.probabilities.shape)
            raise InputError(f"{where}: probabilities are {seen}, must be {list(shape)}")
        if self.probabilities is None:
            self.probabilities = np.zeros(shape, dtype=np.float32)
        self.probabilities += np.nan_to_num(trial.probabilities)
        self.trainings += 1

    def suspicion(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return mean [N] and sample deviation [N] over the trials that judged; NaN and 0 where none did."""
        scores = np.stack(self.scores)
        judged = np.isfinite(scores)
        count = judged.sum(axis=0)
        mean = np.where(judged, scores, 0).sum(axis=0) / np.maximum(count, 1)
        squares = np.where(judged, (scores - mean) ** 2, 0).sum(axis=0)
        deviation = np.sqrt(squares / np.maximum(count - 1, 1))
        return np.where(count > 0, mean, np.nan), deviation


def _suggestion(
    labels: NDArray[np.int64], sums: NDArray[np.float32]
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    """Return the most probable other class [N], p of the given label [N], p of that class [N]."""
    if sums.shape[1] == 1:
        raise InputError("suspects: there is one class; a label can be wrong only among at least two")
    rows = np.arange(len(labels))
    total = sums.sum(axis=1, dtype=np.float64)
    total[total <= 0] = 1
    given = sums[rows, labels].copy()
    sums[rows, labels] = -1.0
    suggested = sums.argmax(axis=1).astype(np.int64)
    other = np.maximum(sums[rows, suggested], 0)
    return suggested, given / total, other / total
