"""Whatever text a sweep is: it is parsed, or refused with one InputError."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from noisebench.catalogue.corruptions import CORRUPTIONS
from noisebench.catalogue.datasets import DATASETS
from noisebench.catalogue.detectors import DETECTORS
from noisebench.catalogue.losses import LOSSES
from noisebench.catalogue.training import TRAINING
from noisebench.errors import InputError
from noisebench.sweep.sweep import parse_sweep

SWEEPS = Path(__file__).parents[2] / "sweeps"
TEXTS = [path.read_text() for path in sorted(SWEEPS.glob("*.yaml")) if "include:" not in path.read_text()]
FIELDS = ["dataset", "corruption", "detector", "loss", "training", "dynamics", "seeds"]
PARAMETERS = ["name", "kind", "rate", "gamma", "folder", "path", "matrix", "delay", "samples", *TRAINING]
NAMES = [*DATASETS, *CORRUPTIONS, *DETECTORS, *LOSSES, "os:system", "no.such:thing", "a", "", "\ud7ff", "é"]

scalars = (
    st.sampled_from(NAMES)
    | st.integers(-2, 10)
    | st.integers()
    | st.floats()
    | st.booleans()
    | st.none()
    | st.text(max_size=8)
)
values: st.SearchStrategy[Any] = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(PARAMETERS) | st.text(max_size=4), inner, max_size=4)
    ),
    max_leaves=12,
)
blocks = st.dictionaries(st.sampled_from(FIELDS) | st.text(max_size=4), values, max_size=8)
complete = st.fixed_dictionaries(
    dict.fromkeys(FIELDS[:4], values), optional=dict.fromkeys(FIELDS[4:], values)
)
sweeps = st.fixed_dictionaries(
    {
        "sweep": st.just("any") | values,
        "blocks": st.dictionaries(st.text(max_size=4), blocks | complete, max_size=3),
    }
)
quick = settings(max_examples=100, derandomize=True, deadline=None, database=None)


def check(text: str, *overrides: str) -> None:
    try:
        sweep = parse_sweep(text, "any.yaml", overrides)
    except InputError:
        return
    assert parse_sweep(sweep.text, "again.yaml").blocks == sweep.blocks
    sweep.text.encode()


@pytest.mark.slow
@quick
@given(sweeps)
def test_any_values_where_a_sweep_has_fields(sweep: dict[str, Any]) -> None:
    check(yaml.safe_dump(sweep, allow_unicode=True))


@pytest.mark.slow
@quick
@given(
    st.sampled_from(TEXTS), st.integers(0), st.integers(0, 40), st.text(max_size=10) | st.sampled_from(NAMES)
)
def test_shipped_sweeps_with_a_part_replaced(text: str, start: int, length: int, part: str) -> None:
    start %= len(text)
    check(text[:start] + part + text[start + length :])


@quick
@given(st.text(st.sampled_from("{}[]&*!|>'\"%@`#,:-?\n ab01.~<=\\U\t"), max_size=40))
def test_any_characters_of_yaml(text: str) -> None:
    check(text)
    check(f"sweep: any\nblocks: {text}\n")


@pytest.mark.slow
@quick
@given(st.lists(st.sampled_from(FIELDS) | st.text(max_size=3), min_size=1, max_size=3), values)
def test_any_override(path: list[str], value: Any) -> None:
    text = yaml.safe_dump(value, allow_unicode=True, default_flow_style=True)
    check(TEXTS[-1], f"{'.'.join(path)}={text}")
