"""The choice among losses by their accuracy on the given labels."""

import pytest

from noisebench.review.candidates import Candidate, as_report, best_of, chosen

ERROR = 0.01
BEST = Candidate("BL", 0.9, 40, ERROR)
ALIKE = Candidate("CE", 0.885, 50, ERROR)
WORSE = Candidate("FL", 0.87, 60, ERROR)
FAILED = Candidate("PZ", 0.95, 9, ERROR, failed=True)


@pytest.mark.slow
def test_losses_within_two_standard_errors_of_the_best_are_used_together() -> None:
    everyone = [WORSE, ALIKE, BEST, FAILED]
    assert best_of(everyone) == BEST
    assert chosen(everyone) == [ALIKE, BEST]
    assert [row["chosen"] for row in as_report(everyone)["candidates"]] == [False, True, True, False]


def test_if_all_have_failed_the_best_of_them_is_used() -> None:
    assert chosen([FAILED]) == [FAILED]
