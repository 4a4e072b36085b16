"""Which cards to review next: those that narrow the estimate, and those that are most likely wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from noisebench.review.estimates import Estimates, Part, Reviewed

AT_ONCE = 50
WORTH_REVIEWING = 0.1  # below this share of wrong labels, a look at the next suspect rarely finds one


@dataclass(frozen=True)
class NextCards:
    """A sentence for the reviewer, and the ids that it speaks of, at most `AT_ONCE`.

    `why`: "estimate", "correct" or "done".
    """

    why: str
    text: str
    ids: tuple[str, ...]


def next_cards(estimates: Estimates, reviewed: Reviewed, ids: Sequence[str], suspects: int) -> NextCards:
    """Return what to review next; `ids` [N] by rank.

    First the random cards without which nothing can be said; then suspects, as long as enough of them are
    wrong; then the random cards of the part whose number of wrong labels is least known.
    """
    seen = {*reviewed.wrong, *reviewed.unsure}
    left = [rank for rank in reviewed.drawn if rank not in seen]
    unknown = [part for part in estimates.parts if part.errors_estimated is None]
    open_suspects = [rank for rank in range(1, suspects + 1) if rank not in seen][:AT_ONCE]
    if unknown and left:
        text = (
            f"{len(left):,} random cards are left; nothing is known yet of ranks {_ranks(unknown[0])}. "
            "Choose 'Random cards' on the page"
        )
        return NextCards("estimate", text, _ids(ids, left))
    if open_suspects and _share(estimates.parts, open_suspects[0]) >= WORTH_REVIEWING:
        share = _share(estimates.parts, open_suspects[0])
        text = (
            f"the suspects from rank {open_suspects[0]:,} on: about {100 * share:.0f}% of those around there "
            "are wrong"
        )
        return NextCards("correct", text, _ids(ids, open_suspects))
    widest = max(estimates.parts, key=_width)
    inside = [rank for rank in left if widest.first <= rank <= widest.last]
    if inside:
        text = (
            f"the {len(inside):,} random cards left among ranks {_ranks(widest)}, where the number of wrong "
            "labels is least known"
        )
        return NextCards("estimate", text, _ids(ids, inside))
    text = "nothing more on this page: run `noisebench detect` again on the corrected labels"
    return NextCards("done", text, ())


def _share(parts: Sequence[Part], rank: int) -> float:
    part = next(part for part in parts if part.first <= rank <= part.last)
    if part.errors_estimated is None:
        return 1.0
    unseen = part.size - part.reviewed
    return max(part.errors_estimated.estimate - part.errors, 0) / max(unseen, 1)


def _width(part: Part) -> float:
    return 0.0 if part.errors_estimated is None else part.errors_estimated.high - part.errors_estimated.low


def _ranks(part: Part) -> str:
    return f"{part.first:,} to {part.last:,}"


def _ids(ids: Sequence[str], ranks: Sequence[int]) -> tuple[str, ...]:
    return tuple(ids[rank - 1] for rank in ranks[:AT_ONCE])
