"""A sweep is stored as submitted; another sweep of the same name replaces it only on request."""

from pathlib import Path

import pytest

from noisebench.errors import InputError
from noisebench.records.folders import ResultsFolder, SweepFolder
from noisebench.records.manifest import keep_sweep, kept_sweep, kept_trials, manifest_trials
from tests.trials import sweep_of, sweep_text


@pytest.fixture
def folder(tmp_path: Path) -> SweepFolder:
    return ResultsFolder(tmp_path).sweep("test")


def test_another_sweep_of_the_same_name_is_refused_with_the_difference(folder: SweepFolder) -> None:
    keep_sweep(folder, sweep_of("[CE, GCE]", seeds="2"))
    before = (folder.spec.read_text(), folder.manifest.read_text())
    with pytest.raises(InputError, match=r"2 trials that this one lacks \(2 of block grid; for") as refused:
        keep_sweep(folder, sweep_of("[CE, FL]", seeds="2"))
    assert "this one has 2 that it lacks" in str(refused.value)
    assert "--replace" in str(refused.value)
    assert (folder.spec.read_text(), folder.manifest.read_text()) == before


def test_a_sweep_is_replaced_on_request(folder: SweepFolder) -> None:
    keep_sweep(folder, sweep_of("[CE, GCE]", seeds="2"))
    other = sweep_of("FL")
    keep_sweep(folder, other, replace=True)
    assert kept_trials(folder.manifest) == {("grid", trial.trial_id) for trial in other.trials()}


def test_a_sweep_with_more_seeds_and_another_comment_is_the_same_sweep(folder: SweepFolder) -> None:
    keep_sweep(folder, sweep_of(seeds="2"))
    keep_sweep(folder, sweep_of(seeds="3", more="# a comment"))
    assert len(kept_trials(folder.manifest)) == 3
    assert "# a comment" in folder.spec.read_text()


DAMAGE = {
    "no JSON": b"x",
    "no object": b"[1]",
    "deep": b"[" * 100_000,
    "path": b'{"block":"grid","trial_id":"../private/embeddings","config":{}}',
    "number": b'{"block":"grid","trial_id":5,"config":{}}',
    "pattern": b'{"block":"grid","trial_id":"**","config":{}}',
    "NUL": b'{"block":"grid","trial_id":"ab\\u0000c","config":{}}',
    "long": b'{"block":"grid","trial_id":"%s","config":{}}' % (b"a" * 300),
    "list": b'{"block":["grid"],"trial_id":"0123456789abcdef","config":{}}',
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE.keys())
def test_a_damaged_line_names_no_trial_and_hides_no_other(folder: SweepFolder, damage: bytes) -> None:
    keep_sweep(folder, sweep_of("[CE, GCE]"))
    trials = kept_trials(folder.manifest)
    folder.manifest.write_bytes(damage + b"\n" + folder.manifest.read_bytes())
    assert kept_trials(folder.manifest) == trials
    assert {trial.trial_id for trial in manifest_trials(folder.manifest)} == {each for _, each in trials}


@pytest.mark.parametrize("other", ["[CE, FL]", "[CE, GCE, FL]"])
def test_another_sweep_does_not_replace_one_with_a_damaged_line(folder: SweepFolder, other: str) -> None:
    keep_sweep(folder, sweep_of("[CE, GCE]"))
    whole = folder.manifest.read_text()
    folder.manifest.write_text("x" + whole[1:])
    before = (folder.spec.read_text(), folder.manifest.read_text())
    with pytest.raises(
        InputError, match=r"manifest\.jsonl: line 1 names no trial .* `noisebench resume test`"
    ):
        keep_sweep(folder, sweep_of(other))
    assert (folder.spec.read_text(), folder.manifest.read_text()) == before
    keep_sweep(folder, kept_sweep(folder))  # as `resume` does
    assert folder.manifest.read_text() == whole


def test_a_spec_that_is_no_text_is_refused(folder: SweepFolder) -> None:
    keep_sweep(folder, sweep_of())
    folder.spec.write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match=r"spec\.yaml: not UTF-8 text .* run the sweep's YAML file again"):
        kept_sweep(folder)


def test_a_sweep_kept_before_its_default_changed_says_what_to_write(folder: SweepFolder) -> None:
    former = sweep_of(detector="{name: ctrl, traces: in-passing}")
    keep_sweep(folder, former)
    folder.spec.write_text(sweep_text(detector="ctrl"))
    with pytest.raises(
        InputError, match=r"spec\.yaml: was kept when .* write .* traces: in-passing}"
    ) as refused:
        keep_sweep(folder, kept_sweep(folder))
    assert str(refused.value).count("\n") == 0
    keep_sweep(folder, former)
    keep_sweep(folder, kept_sweep(folder))
    assert kept_trials(folder.manifest) == {("grid", each.trial_id) for each in former.trials()}
