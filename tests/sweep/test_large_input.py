"""Small files that expand to much: one clear error, before memory or time is spent."""

import pytest

from noisebench.errors import InputError
from noisebench.slurm.site import parse_site
from noisebench.sweep.sweep import parse_sweep

ALIASES = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 10)}]\n" for level in range(1, 10)
)
TOO_MANY = "there are more than 100,000 values, aliases expanded"


def refused(text: str) -> str:
    with pytest.raises(InputError) as error:
        parse_sweep(text, "large.yaml")
    assert len(str(error.value)) < 500
    return str(error.value)


def block(**fields: str) -> str:
    parts = {"dataset": "digits", "corruption": "none", "loss": "CE", "seeds": "1", **fields}
    lines = "".join(f"    {key}: {value}\n" for key, value in parts.items())
    return f"sweep: large\nblocks:\n  grid:\n{lines}"


@pytest.mark.slow
def test_aliases_that_expand_to_ten_billion_values() -> None:
    assert refused(ALIASES) == f"large.yaml:1 {TOO_MANY}"
    with pytest.raises(InputError, match=rf"site\.yaml:1 {TOO_MANY}"):
        parse_site(ALIASES, "site.yaml")


def test_an_alias_inside_itself() -> None:
    assert refused("sweep: &a [*a]") == "large.yaml:1 values are nested more than 20 levels deep"


@pytest.mark.parametrize("brackets", ["[]", "{}"])
def test_deep_nesting(brackets: str) -> None:
    text = "a: " + brackets[0] * 10_000 + brackets[1] * 10_000
    assert refused(text) == "large.yaml:1 this is not YAML: values are nested more than 20 levels deep"


def test_a_text_of_many_megabytes() -> None:
    assert refused("#" * 5_000_001) == "large.yaml:1 the text is longer than 5,000,000 characters"


@pytest.mark.parametrize("number", ["9" * 5_000, "9" * 5_000 + ".0", "0x" + "f" * 5_000, "1:" * 50 + "1"])
def test_numbers_of_thousands_of_digits(number: str) -> None:
    message = refused(block(seeds=number))
    assert message == (
        f"large.yaml:7 blocks.grid.seeds: `{number[:10]}...` is a number of {len(number):,} characters; "
        "write at most 40"
    )


def test_more_seeds_than_can_be_run() -> None:
    number = "9" * 40
    assert refused(block(seeds=number)) == (
        f"large.yaml:7 blocks.grid.seeds: is {number}, but must be at most 1,000,000"
    )


def test_more_trials_than_can_be_run() -> None:
    rates = ", ".join(f"0.{number}" for number in range(1, 1000) if number % 10)
    assert refused(block(corruption=f"{{kind: uniform, rate: [{rates}]}}", seeds="2000")) == (
        "large.yaml:3 blocks.grid: makes 1,800,000 combinations; the maximum is 1,000,000"
    )


def test_more_combinations_in_one_part_than_can_be_run() -> None:
    values = f"[{', '.join(map(str, range(1, 121)))}]"
    loss = f"{{name: ANL-CE, alpha: {values}, beta: {values}, delta: {values}}}"
    assert refused(block(loss=loss)) == (
        "large.yaml:6 blocks.grid.loss: makes 1,728,000 combinations; the maximum is 1,000,000"
    )
    training = f"{{epochs: {values}, batch_size: {values}, learning_rate: {values}}}"
    assert refused(block(training=training)) == (
        "large.yaml:8 blocks.grid.training: makes 1,728,000 combinations; the maximum is 1,000,000"
    )


@pytest.mark.slow
def test_thousands_of_problems_are_cut_short() -> None:
    with pytest.raises(InputError) as error:
        parse_sweep("".join(f"key{number}: 1\n" for number in range(20_000)), "large.yaml")
    lines = str(error.value).splitlines()
    assert len(lines) == 101
    assert lines[-1] == "and 19902 more"


def test_long_values_are_shortened_in_messages() -> None:
    message = refused(block(loss="x" * 100_000))
    assert message.startswith(f"large.yaml:6 blocks.grid.loss: loss '{'x' * 77}...' is unknown")
