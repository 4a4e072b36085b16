"""The choice among losses without true labels: by out-of-fold accuracy on the given labels.

The accuracy on noisy labels orders classifiers as that on clean labels does, if the noise depends on the
class alone (Chen et al., AAAI 2021); with other noise this is a heuristic.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

RULE = (
    "the highest out-of-fold accuracy on the given labels, and those within two standard errors of it; "
    "their probabilities are averaged"
)
LIMITS = (
    "The accuracy is that on labels which are partly wrong, so it is too low, and the best of several is "
    "flattered. It orders losses; it does not say how many labels are wrong."
)


TUNE_RULE = f"{RULE}, among those that rank planted errors above other labels"
TUNE_LIMITS = (
    "Planted errors differ from those of people: uniform ones are easier to find, and the estimate from them "
    "is usually too low; likely ones, drawn from a model's own probabilities, are harder, and that from them "
    "too high. Neither sees errors that all samples of a kind share. The bracket is a range, no interval of "
    "confidence; a review of the suspects gives one."
)


# Candidates are alike whose accuracies differ by at most so many standard errors.
_ALIKE = 2


@dataclass(frozen=True)
class Candidate:
    """A loss with the accuracy, in [0, 1], of its out-of-fold predictions, and how many labels its first
    detector flags.

    `error` is the standard error of the accuracy.
    With planted errors: the shares of uniform and of likely plants that it flags, the AUROC of their
    suspicion, and whether it `failed` to rank them.
    """

    loss: str
    accuracy: float
    flagged: int
    error: float = 0.0
    uniform: float | None = None
    likely: float | None = None
    auroc: float | None = None
    failed: bool = False


@dataclass(frozen=True)
class Rule:
    """A detector with its flag rule on planted errors, means over losses and plantings.

    The shares, 0 to 1, that it flags of uniform plants, of likely plants, and of all other labels; the AUROC
    of its suspicion of plants.
    """

    detector: str
    uniform: float
    likely: float
    others: float
    auroc: float


def best_of(candidates: Sequence[Candidate]) -> Candidate:
    """Return the candidate with the highest accuracy that has not failed, the first of equal ones."""
    sound = [candidate for candidate in candidates if not candidate.failed]
    return max(sound or candidates, key=lambda candidate: candidate.accuracy)


def chosen(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Return those that are used together: the best, and all sound ones within two standard errors of it.

    Their accuracies do not tell them apart, and the mean of several models is less noisy than one of them.
    """
    best = best_of(candidates)
    least = best.accuracy - _ALIKE * best.error
    return [each for each in candidates if each == best or (not each.failed and each.accuracy >= least)]


def as_report(candidates: Sequence[Candidate], rules: Sequence[Rule] = ()) -> dict[str, Any]:
    """Return the tables of candidates and of flag rules, the choice and its limits, for JSON."""
    used = chosen(candidates)
    rows = [{**asdict(candidate), "chosen": candidate in used} for candidate in candidates]
    planted = any(candidate.auroc is not None for candidate in candidates)
    limits = f"{LIMITS} {TUNE_LIMITS}" if planted else LIMITS
    choice = {"candidates": rows, "rule": TUNE_RULE if planted else RULE, "limits": limits}
    return choice | ({"flag_rules": [asdict(rule) for rule in rules]} if rules else {})
