"""Every broken sweep is refused with its whole message, all problems at once."""

from pathlib import Path

import pytest

from noisebench.errors import InputError
from noisebench.sweep.sweep import parse_sweep

FOLDER = Path(__file__).parent / "broken"
SPECS = sorted(FOLDER.glob("*.yaml"))


@pytest.mark.parametrize("spec", SPECS, ids=lambda path: path.stem)
def test_message(spec: Path) -> None:
    with pytest.raises(InputError) as refused:
        parse_sweep(spec.read_text(), spec.name)
    assert str(refused.value) + "\n" == spec.with_suffix(".txt").read_text()
    assert refused.value.exit_code == 2


def test_every_message_belongs_to_a_spec() -> None:
    assert {path.stem for path in FOLDER.glob("*.txt")} == {path.stem for path in SPECS}
    assert len(SPECS) >= 15
