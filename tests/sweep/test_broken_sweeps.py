"""Every broken sweep is refused with its whole message, all problems at once."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from noisebench.catalogue.datasets import DATASETS
from noisebench.catalogue.descriptor import Descriptor
from noisebench.catalogue.detectors import DETECTORS
from noisebench.catalogue.losses import LOSSES
from noisebench.catalogue.models import MODELS
from noisebench.errors import InputError
from noisebench.sweep.sweep import parse_sweep

FOLDER = Path(__file__).parent / "broken"
SPECS = sorted(FOLDER.glob("*.yaml"))
# Words of the messages that stand for names of the catalogue, which others are added to.
NAMES: Mapping[str, Mapping[str, Descriptor]] = {
    "<data sets>": DATASETS,
    "<detectors>": DETECTORS,
    "<losses>": LOSSES,
    "<models>": MODELS,
}


@pytest.mark.parametrize("spec", SPECS, ids=lambda path: path.stem)
def test_message(spec: Path) -> None:
    with pytest.raises(InputError) as refused:
        parse_sweep(spec.read_text(), spec.name)
    expected = spec.with_suffix(".txt").read_text()
    for word, known in NAMES.items():
        expected = expected.replace(word, ", ".join(known))
    assert str(refused.value) + "\n" == expected
    assert refused.value.exit_code == 2


def test_every_message_belongs_to_a_spec() -> None:
    assert {path.stem for path in FOLDER.glob("*.txt")} == {path.stem for path in SPECS}
    assert len(SPECS) >= 15
