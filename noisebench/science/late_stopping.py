"""Late Stopping: labels that a network does not learn in time are removed, round after round.

Yuan et al., ICCV 2023. A label is learnt (FkL) once the network has predicted it in k epochs in a row. A
round starts from fresh weights and ends when enough of its samples have been learnt; the others are removed.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from noisebench.science.detection import Detection

NEVER = np.iinfo(np.int64).max


def epochs_in_a_row(number: int, rounds: int) -> int:
    """Return k of round `number`, from 0: 1 in the first third of the rounds, then 2, then 3."""
    return 1 + 3 * number // rounds


def samples_to_keep(samples: int, rate: float, number: int, rounds: int) -> int:
    """Return how many of all samples must be learnt to end round `number`, from 0.

    All rounds together keep 1 - `rate`, each one the same share of what it starts with: 0.982 with a rate of
    0.2 and 12 rounds, 0.958 with 0.4. The authors' constants are 0.98 and 0.955.
    """
    return int(samples * (1 - rate) ** ((number + 1) / rounds))


def learnt(right: NDArray[np.bool_], k: int, skip_epochs: int) -> NDArray[np.int64]:
    """Return the epoch, from 0, in which each label of `right` [n, E] is learnt; NEVER if it is not.

    It ends the first k right epochs in a row among those after the first `skip_epochs`.
    """
    counted = right[:, skip_epochs:]
    if counted.shape[1] < k:
        return np.full(len(right), NEVER)
    runs = np.asarray(np.lib.stride_tricks.sliding_window_view(counted, k, axis=1).all(axis=-1))
    return np.where(runs.any(axis=1), skip_epochs + runs.argmax(axis=1) + k - 1, NEVER)


def kept(when: NDArray[np.int64], losses: NDArray[np.float64], needed: int) -> NDArray[np.bool_]:
    """Return the samples of a round that stay, bool [n]: those that were learnt when the round ended.

    `when` [n] is the epoch in which each label was learnt, `losses` [n] its mean loss. The round ends after
    the epoch in which `needed` samples have been learnt. If fewer are, those that were learnt and of the
    others the ones with the smallest losses stay, `needed` in all.
    """
    order = np.lexsort((losses, when))
    last = when[order[needed - 1]] if needed else -1
    if last != NEVER:
        return np.asarray(when <= last)
    stay = np.zeros(len(when), dtype=np.bool_)
    stay[order[:needed]] = True
    return stay


def find(kept_rounds: NDArray[np.int64], round_losses: NDArray[np.float64], rounds: int) -> Detection:
    """Flag the samples [N] that were removed in one of the rounds.

    `kept_rounds` is the number of rounds after which a sample was still there, `round_losses` its mean loss
    in the last round that it was trained in. Suspicion is the number of rounds that it missed, from 0; of
    equal ones, a larger loss is more suspect.
    """
    missed = rounds - kept_rounds
    order = np.empty(len(missed))
    order[np.lexsort((round_losses, missed))] = np.arange(len(missed))
    return Detection(missed > 0, missed + order / (len(missed) + 1))
