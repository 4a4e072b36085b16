"""Scores from traces: what one training on all samples shows of each sample in each epoch.

A trace is an array [N, E]: `losses` (cross entropy of the given label; its probability is exp(-loss)),
`margins` (z_y - max other z), `predicted` (most probable class), `squared_errors` (|p - onehot|^2) and
`squared_norms` (|h|^2 of the last layer's input). Two kinds exist and are never mixed: *in passing*, at each
sample's training step, and *after the epoch*, all samples on the same weights. Each score is a suspicion
float64 [N], higher = more likely wrong. A sample whose loss is NaN in an epoch that counts is not judged: its
suspicion is NaN.

Small-loss ranking, CSL (arXiv 2602.15154), AUL and the score of O2U-Net (Huang et al., ICCV 2019) are one:
`mean_loss`. O2U-Net subtracts each epoch's mean loss, the same number from every sample, which changes no
rank. They differ in kind of trace, schedule and flag rule.
"""

import numpy as np
from numpy.typing import NDArray

from noisebench.errors import InputError

Trace = NDArray[np.floating]
Classes = NDArray[np.integer]
Suspicion = NDArray[np.float64]


def mean_loss(losses: Trace, skip_epochs: int = 0) -> Suspicion:
    """Mean loss over the epochs after the first `skip_epochs`.

    O2U-Net counts the epochs of its cyclic schedule.
    """
    _check(losses)
    if not 0 <= skip_epochs < losses.shape[1]:
        raise InputError(
            f"mean-loss: skip_epochs {skip_epochs} must be at least 0 and below the {losses.shape[1]} epochs"
        )
    return np.asarray(losses[:, skip_epochs:].mean(axis=1, dtype=np.float64))


def last_loss(losses: Trace, epochs: int = 1) -> Suspicion:
    """Mean loss over the last `epochs`, or all if there are fewer; fails once wrong labels are memorised."""
    _check(losses)
    return mean_loss(losses[:, -epochs:])


def robust_loss_mean(losses: Trace) -> Suspicion:
    """Mean of ln(1 + l + l^2 / 2): CNLCU-S without its bonus for rare selection.

    The bonus exists only in two-network training (Xia et al., ICLR 2022).
    """
    _check(losses)
    values = losses.astype(np.float64)
    return np.asarray(np.log1p(values + values**2 / 2).mean(axis=1))


def confidence(losses: Trace) -> Suspicion:
    """1 - mean p of the given label (data maps: Swayamdipta et al., EMNLP 2020)."""
    _check(losses)
    return np.asarray(1 - _probabilities(losses).mean(axis=1))


def variability(losses: Trace) -> Suspicion:
    """Population standard deviation of p of the given label over the epochs (data maps).

    High for ambiguous samples. Wrong labels that are never learnt have a low one: it describes a sample and
    is no ranking of errors by itself.
    """
    _check(losses)
    return np.asarray(_probabilities(losses).std(axis=1))


def correctness(labels: Classes, predicted: Classes, losses: Trace) -> Suspicion:
    """Number of epochs that predict another class than the label (data maps), ties broken by mean loss.

    Without the mean loss, E epochs give only E + 1 values, and F1 would depend on the order of sorting.
    """
    right = _right(labels, predicted, losses)
    return _by_mean_loss((~right).sum(axis=1), losses)


def mean_margin(margins: Trace) -> Suspicion:
    """Minus the mean margin: AUM without threshold samples (Pleiss et al., NeurIPS 2020)."""
    _check(margins)
    return np.asarray(-margins.mean(axis=1, dtype=np.float64))


def forgetting(labels: Classes, predicted: Classes, losses: Trace) -> Suspicion:
    """Number of changes from right to wrong, E if never right; ties broken by mean loss.

    Toneva et al., ICLR 2019. Never learnt counts E as in the authors' code; others count 0 or infinity.
    """
    right = _right(labels, predicted, losses)
    events = (right[:, :-1] & ~right[:, 1:]).sum(axis=1)
    return _by_mean_loss(np.where(right.any(axis=1), events, right.shape[1]), losses)


def first_learned(labels: Classes, predicted: Classes, losses: Trace, k: int = 1) -> Suspicion:
    """The epoch, from 1, that begins the first k right ones in a row; E + 1 if there are none.

    FkL of Late Stopping (Yuan et al., ICCV 2023), ties broken by mean loss.
    """
    right = _right(labels, predicted, losses)
    epochs = right.shape[1]
    if k < 1:
        raise InputError(f"first-learned: k {k} must be at least 1")
    if k > epochs:
        return _by_mean_loss(np.full(len(right), epochs + 1), losses)
    runs = np.asarray(np.lib.stride_tricks.sliding_window_view(right, k, axis=1).all(axis=-1))
    return _by_mean_loss(np.where(runs.any(axis=1), runs.argmax(axis=1) + 1, epochs + 1), losses)


def el2n(squared_errors: Trace, epoch: int = 10) -> Suspicion:
    """|p - onehot|_2 in epoch `epoch`, from 1, or the last if there are fewer (Paul et al., NeurIPS 2021).

    The authors advise the mean over ten runs; here it is one.
    """
    return np.sqrt(_of_epoch(squared_errors, epoch))


def grand(squared_errors: Trace, squared_norms: Trace, epoch: int = 10) -> Suspicion:
    """|p - onehot|_2 sqrt(|h|^2 + 1) in one epoch, as for `el2n`: the norm of the last layer's gradient.

    Exact for a last layer with bias; GraNd (Paul et al., NeurIPS 2021) restricted to it.
    """
    return np.sqrt(_of_epoch(squared_errors, epoch) * (_of_epoch(squared_norms, epoch) + 1))


def tracin(
    squared_errors: Trace, squared_norms: Trace, learning_rates: NDArray[np.floating] | None = None
) -> Suspicion:
    """Sum over epochs of rate times |p - onehot|^2 (|h|^2 + 1): self-influence by the last layer.

    TracIn-CP (Pruthi et al., NeurIPS 2020). `learning_rates` [E]; None: 1 in every epoch.
    """
    _check(squared_errors)
    _check(squared_norms)
    rates = np.ones(squared_errors.shape[1]) if learning_rates is None else learning_rates.astype(np.float64)
    return np.asarray((squared_errors.astype(np.float64) * (squared_norms.astype(np.float64) + 1)) @ rates)


def _probabilities(losses: Trace) -> NDArray[np.float64]:
    return np.exp(-losses.astype(np.float64))


def _right(labels: Classes, predicted: Classes, losses: Trace) -> NDArray[np.bool_]:
    """Where [N, E] the given label is predicted."""
    _check(losses)
    if predicted.shape != losses.shape or labels.shape != losses.shape[:1]:
        raise InputError(
            f"traces: predicted {list(predicted.shape)} and labels {list(labels.shape)} do not fit "
            f"losses {list(losses.shape)}; they must be [N, E], [N] and [N, E]"
        )
    return np.asarray(predicted == labels[:, np.newaxis])


def _by_mean_loss(counts: NDArray[np.integer], losses: Trace) -> Suspicion:
    """Whole counts [N] plus a part in [0, 1) that grows with the mean loss; NaN where that is NaN."""
    mean = mean_loss(losses)
    return np.asarray(counts + mean / (1 + mean))


def _of_epoch(trace: Trace, epoch: int) -> NDArray[np.float64]:
    _check(trace)
    if epoch < 1:
        raise InputError(f"traces: epoch {epoch} must be at least 1")
    return trace[:, min(epoch, trace.shape[1]) - 1].astype(np.float64)


def _check(trace: Trace) -> None:
    if trace.ndim != 2 or trace.shape[1] == 0:
        raise InputError(f"traces: a trace {list(trace.shape)} must be [N, E] with E of 1 or more")
