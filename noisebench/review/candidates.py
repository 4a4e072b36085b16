"""The choice among losses without true labels: by out-of-fold accuracy on the given labels.

The accuracy on noisy labels orders classifiers as that on clean labels does, if the noise depends on the
class alone (Chen et al., AAAI 2021); with other noise this is a heuristic.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

RULE = "the highest out-of-fold accuracy on the given labels; of equal ones the first"
LIMITS = (
    "The accuracy is that on labels which are partly wrong, so it is too low, and the best of several is "
    "flattered. It orders losses; it does not say how many labels are wrong."
)


@dataclass(frozen=True)
class Candidate:
    """A loss with the accuracy, in [0, 1], of its out-of-fold predictions, and the labels that it flags."""

    loss: str
    accuracy: float
    flagged: int


def chosen(candidates: Sequence[Candidate]) -> Candidate:
    """Return the candidate with the highest accuracy, the first of equal ones."""
    return max(candidates, key=lambda candidate: candidate.accuracy)


def as_report(candidates: Sequence[Candidate]) -> dict[str, Any]:
    """Return the table of candidates, the rule and its limits, for JSON."""
    best = chosen(candidates)
    rows = [{**asdict(candidate), "chosen": candidate == best} for candidate in candidates]
    return {"candidates": rows, "rule": RULE, "limits": LIMITS}
