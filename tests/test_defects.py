"""The table of repeated commands names tests that there are."""

import re

from tests.defects import TESTS
from tests.test_shape import ROOT


def test_every_row_names_tests() -> None:
    assert [int(row.split()[0]) for row in TESTS] == list(range(1, 29))
    missing = []
    for test in (test for tests in TESTS.values() for test in tests):
        file, _, name = test.partition("::")
        path = ROOT / "tests" / file
        if not path.is_file() or (name and not re.search(rf"^def {name}\(", path.read_text(), re.M)):
            missing.append(test)
    assert missing == []
