"""`--set PATH=VALUE`: replaced fields, errors, the kept text."""

from pathlib import Path

import pytest

from noisebench.errors import InputError
from noisebench.sweep.sweep import Sweep, load_sweep, parse_sweep

TEXT = """\
sweep: base
description: two grids  # a comment
blocks:
  first: {dataset: digits, corruption: none, loss: [CE, GCE], seeds: 2}
  second.b: {dataset: digits, corruption: none, loss: CE, detector: {name: aum, runs: 2}, seeds: 2}
"""


def overridden(*overrides: str) -> Sweep:
    return parse_sweep(TEXT, "base.yaml", overrides)


def refused(*overrides: str) -> list[str]:
    with pytest.raises(InputError) as error:
        overridden(*overrides)
    return str(error.value).splitlines()


def seeds(sweep: Sweep) -> dict[str, set[int]]:
    return {block.name: {trial.seed for trial in block.trials} for block in sweep.blocks}


def test_a_field_of_every_block() -> None:
    assert seeds(overridden("seeds=3")) == {"first": {0, 1, 2}, "second.b": {0, 1, 2}}


def test_a_field_of_one_block_also_where_its_name_has_a_dot() -> None:
    assert seeds(overridden("blocks.first.seeds=[5]")) == {"first": {5}, "second.b": {0, 1}}
    assert seeds(overridden("blocks.second.b.seeds=[5]")) == {"first": {0, 1}, "second.b": {5}}


def test_fields_below_others_are_made_where_they_are_absent() -> None:
    sweep = overridden("training.precision=fast", "training.epochs=3", "blocks.second.b.detector.runs=3")
    assert {(t.training.precision, t.training.epochs) for t in sweep.trials()} == {("fast", 3)}
    assert {trial.detector["runs"] for trial in sweep.blocks[1].trials} == {3}


def test_a_value_is_yaml_and_may_be_a_grid() -> None:
    sweep = overridden("dataset={name: digits, samples: [100, 200]}")
    assert {trial.dataset["samples"] for trial in sweep.trials()} == {100, 200}


def test_name_and_description() -> None:
    sweep = overridden("sweep=copy", "description=fewer seeds")
    assert (sweep.name, sweep.description) == ("copy", "fewer seeds")


def test_the_kept_text_contains_the_overrides() -> None:
    sweep = overridden("training.learning_rate=1.0e-5", "seeds=[0, 7]", "sweep=copy")
    assert parse_sweep(sweep.text, "kept.yaml") == sweep
    assert overridden().text == TEXT


def test_overrides_reach_included_blocks(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text(TEXT)
    (tmp_path / "whole.yaml").write_text("sweep: whole\ninclude: [base.yaml]\n")
    assert seeds(load_sweep(tmp_path / "whole.yaml", ["seeds=1"])) == {"first": {0}, "second.b": {0}}


@pytest.mark.parametrize(
    ("override", "message"),
    [
        (
            "training.precision=fst",
            "is 'fst', but must be one of reference, fast. Did you mean fast?",
        ),
        (
            "trainig.epochs=3",
            "key 'trainig' is unknown; known: dataset, corruption, detector, loss, training, dynamics, "
            "seeds. Did you mean training?",
        ),
        ("seeds=0", "is 0, but must be a whole number of at least 1"),
        ("training.learning_rate=1e-3", "`1e-3` is read as text by YAML; write 1.0e-3"),
        ("blocks.frist.seeds=1", "block 'frist' is unknown; known: first, second.b. Did you mean first?"),
        ("blocks.first=1", "block 'first' needs a field, such as blocks.first.seeds=3"),
        ("blocks=1", "block needs a name and a field, such as blocks.first.seeds=3"),
        ("seeds", "must be PATH=VALUE, such as seeds=3 or training.precision=fast"),
        ("seeds=", "must be PATH=VALUE, such as seeds=3 or training.precision=fast"),
        ("seeds=# a comment", "the value is empty"),
        ("seeds=[1", "this is not YAML: expected ',' or ']', but got '<stream end>'"),
        (
            "sweep=a b",
            "is 'a b', but must be a name of letters, digits, '.', '_' and '-', such as paper-table1",
        ),
        ("sweep.name=a", "`sweep` is one value, which has no field `name`"),
        (
            "blocks.first.loss.gamma=1",
            "`blocks.first.loss` is a list, which has no field `gamma`; set all of it, such as "
            "dataset={name: MNIST, samples: 3000}",
        ),
        (
            "blocks.first.dataset.samples=100",
            "`blocks.first.dataset` is 'digits', which has no field `samples`; set all of it, such as "
            "dataset={name: MNIST, samples: 3000}",
        ),
    ],
)
def test_a_wrong_override_is_one_clear_line(override: str, message: str) -> None:
    assert refused(override) == [f"--set {override}: {message}"]


def test_a_problem_of_several_blocks_is_reported_once() -> None:
    (line,) = refused("dataset=null")
    assert line == "--set dataset=null: is empty, but must be a data set such as digits, or a list of them"


def test_a_path_is_set_once() -> None:
    assert refused("seeds=1", "seeds=2") == ["--set seeds=2: sets `seeds` a second time"]


def test_problems_of_file_and_overrides_come_together() -> None:
    broken = TEXT.replace("GCE", "GCF")
    with pytest.raises(InputError) as error:
        parse_sweep(broken, "base.yaml", ["seeds=0"])
    assert [line.split(" ")[0] for line in str(error.value).splitlines()] == ["--set", "base.yaml:4"]
