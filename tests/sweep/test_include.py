"""Sweeps that take in the blocks of other files."""

from pathlib import Path

import pytest

from noisebench.errors import InputError
from noisebench.sweep.sweep import load_sweep, parse_sweep

BLOCK = "{dataset: digits, corruption: none, loss: CE, seeds: 2}"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two sweeps of one block each."""
    (tmp_path / "one.yaml").write_text(f"sweep: one\nblocks:\n  first: {BLOCK}\n")
    (tmp_path / "two.yaml").write_text(f"sweep: two\nblocks:\n  second: {BLOCK}\n")
    return tmp_path


def refused(folder: Path, text: str) -> list[str]:
    """Return the lines of the refusal of `text` as whole.yaml, without the folder's name."""
    (folder / "whole.yaml").write_text(text)
    with pytest.raises(InputError) as error:
        load_sweep(folder / "whole.yaml")
    return str(error.value).replace(f"{folder}/", "").splitlines()


def test_blocks_come_in_the_order_of_the_files_then_the_own_ones(folder: Path) -> None:
    whole = folder / "whole.yaml"
    whole.write_text(f"sweep: whole\ninclude: [two.yaml, one.yaml]\nblocks:\n  own: {BLOCK}\n")
    sweep = load_sweep(whole)
    assert sweep.name == "whole"
    assert [block.name for block in sweep.blocks] == ["second", "first", "own"]
    assert len(list(sweep.trials())) == 2


def test_an_included_file_may_include(folder: Path) -> None:
    (folder / "both.yaml").write_text("sweep: both\ninclude: [one.yaml, two.yaml]\n")
    (folder / "whole.yaml").write_text("sweep: whole\ninclude: [both.yaml]\n")
    assert [block.name for block in load_sweep(folder / "whole.yaml").blocks] == ["first", "second"]


def test_the_text_that_is_kept_stands_alone(folder: Path) -> None:
    (folder / "odd.yaml").write_text(
        """\
sweep: odd
blocks:
  odd:
    dataset: {folder: "1e-3", height: 64}
    corruption: {kind: asymmetric, matrix: [[0.9, 0.1], [0.0, 1.0]]}
    detector: {name: small-loss, share: null}
    loss: [{name: ANL-CE, delta: [0.000001, 1.0e-7]}, {name: FL, detach: [true, false]}]
    training: {schedule: {name: step, every: 5, factor: 0.1}}
    seeds: [0, 7]
"""
    )
    (folder / "whole.yaml").write_text(
        "sweep: whole\ndescription: 'all: of it'\ninclude: [odd.yaml, one.yaml]\n"
    )
    sweep = load_sweep(folder / "whole.yaml")
    again = parse_sweep(sweep.text, "elsewhere/spec.yaml")
    assert again.blocks == sweep.blocks
    assert (again.name, again.description) == ("whole", "all: of it")


def test_a_sweep_without_includes_keeps_its_text(folder: Path) -> None:
    assert load_sweep(folder / "one.yaml").text == (folder / "one.yaml").read_text()


def test_problems_of_all_files_are_reported_together(folder: Path) -> None:
    (folder / "one.yaml").write_text("sweep: one\nblocks:\n  first: {dataset: digit, loss: CE, seeds: 0}\n")
    (folder / "two.yaml").write_text(f"sweep: 2\nblocks:\n  second: {BLOCK}\n")
    assert refused(folder, "sweep: whole\ninclude: [one.yaml, two.yaml]\nblock: {}\n") == [
        "one.yaml:3 blocks.first: has no `corruption:`, a corruption such as uniform, or a list of them",
        "one.yaml:3 blocks.first.dataset: data set 'digit' is unknown; known: digits, MNIST, Fashion-MNIST, "
        "CIFAR-10, CIFAR-100, CIFAR-10N-aggregate, CIFAR-10N-worst, CIFAR-10N-random1, CIFAR-10N-random2, "
        "CIFAR-10N-random3, CIFAR-100N, CIFAR-100-cleaned-test. Did you mean digits?",
        "one.yaml:3 blocks.first.seeds: is 0, but must be a whole number of at least 1",
        "two.yaml:1 sweep: is 2, but must be a name of letters, digits, '.', '_' and '-', "
        "such as paper-table1",
        "whole.yaml:3 block: key 'block' is unknown; known: sweep, description, keep_evidence, include, "
        "blocks. Did you mean blocks?",
    ]


@pytest.mark.parametrize(
    ("include", "message"),
    [
        ("one.yaml", "include: must be a list of sweep files beside this one, such as [paper-table1.yaml]"),
        ("[]", "include: must be a list of sweep files beside this one, such as [paper-table1.yaml]"),
        (
            "[3]",
            "include[0]: is 3, but must be the name of a sweep file in the folder of this one",
        ),
        (
            "[../one.yaml]",
            "include[0]: is '../one.yaml', but must be the name of a sweep file in the folder of this one",
        ),
        (
            "[/etc/passwd]",
            "include[0]: is '/etc/passwd', but must be the name of a sweep file in the folder of this one",
        ),
        (
            f"[{'a' * 300}.yaml]",
            f"include[0]: sweep file '{'a' * 77}...' is unknown; known: one.yaml, two.yaml, whole.yaml",
        ),
        (
            "[on.yaml]",
            "include[0]: sweep file 'on.yaml' is unknown; known: one.yaml, two.yaml, whole.yaml. "
            "Did you mean one.yaml?",
        ),
        ("[one.yaml, one.yaml]", "include[1]: block 'first' is already defined in one.yaml"),
        ("[whole.yaml]", "include[0]: includes itself: whole.yaml includes whole.yaml"),
    ],
)
def test_what_cannot_be_included_is_named(folder: Path, include: str, message: str) -> None:
    text = f"sweep: whole\ninclude: {include}\nblocks:\n  own: {BLOCK}\n"
    assert refused(folder, text) == [f"whole.yaml:2 {message}"]


def test_a_wider_circle_is_named(folder: Path) -> None:
    (folder / "two.yaml").write_text("sweep: two\ninclude: [whole.yaml]\n")
    assert refused(folder, "sweep: whole\ninclude: [two.yaml]\n") == [
        "two.yaml:2 include[0]: includes itself: whole.yaml includes two.yaml includes whole.yaml"
    ]


def test_a_block_of_ones_own_may_not_have_an_included_name(folder: Path) -> None:
    assert refused(folder, f"sweep: whole\ninclude: [one.yaml]\nblocks:\n  first: {BLOCK}\n") == [
        "whole.yaml:4 blocks.first: block 'first' is already defined in one.yaml"
    ]


def test_an_included_file_that_is_no_sweep_is_refused(folder: Path) -> None:
    (folder / "one.yaml").write_text("- no\n- sweep\n")
    (line,) = refused(folder, "sweep: whole\ninclude: [one.yaml]\n")
    assert line.startswith("one.yaml:1 a sweep is a mapping with `sweep:` and `blocks:`")
