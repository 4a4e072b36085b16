"""From YAML to trials: grids, unions, defaults."""

from pathlib import Path

import pytest

from noisebench.errors import InputError
from noisebench.sweep.sweep import Sweep, load_sweep, parse_sweep


def grid(body: str) -> Sweep:
    """Parse a sweep whose only block has this body over a digits block's usual keys."""
    usual = {
        "dataset": "digits",
        "corruption": "{kind: uniform, rate: 0.2}",
        "loss": "CE",
        "seeds": "1",
    }
    given = dict(line.strip().split(": ", 1) for line in body.strip().splitlines())
    lines = [f"    {key}: {value}" for key, value in {**usual, **given}.items()]
    return parse_sweep("sweep: test\nblocks:\n  grid:\n" + "\n".join(lines), "test.yaml")


def test_a_list_means_one_trial_for_each_value() -> None:
    sweep = grid("corruption: {kind: uniform, rate: [0.1, 0.2], exact: [true, false]}\nseeds: 3")
    trials = list(sweep.trials())
    assert len(trials) == 2 * 2 * 3
    assert {(t.corruption["rate"], t.corruption["exact"]) for t in trials} == {
        (0.1, True), (0.1, False), (0.2, True), (0.2, False)
    }  # fmt: skip


def test_a_list_of_losses_is_a_union_each_with_its_own_grid() -> None:
    sweep = grid("loss: [CE, {name: BL, gamma: [0.1, 0.2, 0.3]}, {name: PZ, c: [0.01, 0.02], delay: [0, 1]}]")
    losses = [trial.loss for trial in sweep.trials()]
    assert [loss.name for loss in losses] == ["CE"] + ["BL"] * 3 + ["PZ"] * 4
    assert [(loss["delay"], loss["c"]) for loss in losses[4:]] == [(0, 0.01), (0, 0.02), (1, 0.01), (1, 0.02)]


def test_defaults_are_written_out() -> None:
    (trial,) = grid("loss: {name: PZ, c: 0.02}").trials()
    assert trial.loss.as_fields() == {"name": "PZ", "c": 0.02, "delay": 1}
    assert trial.detector.as_fields() == {"name": "confident-learning", "folds": 5, "prune": "both"}
    assert (trial.training.epochs, trial.training.learning_rate) == (20, 1e-3)
    assert trial.dynamics is False


def test_anl_takes_its_parameters_from_the_data_set() -> None:
    (trial,) = grid("loss: ANL-FL").trials()
    assert trial.loss.as_fields() == {
        "name": "ANL-FL", "alpha": 1.0, "beta": 1.0, "delta": 1e-6, "gamma": 0.5, "delay": 0
    }  # fmt: skip


@pytest.mark.parametrize(
    ("dataset", "detector", "expected"),
    [
        ("MNIST", "aum", ("small-cnn", "adam", 1e-4, 10, "constant", False)),
        ("CIFAR-10", "confident-learning", ("resnet-34", "adam", 1e-4, 10, "step", True)),
        ("CIFAR-100", "confident-learning", ("resnet-34", "adam", 1e-4, 10, "step", True)),
        ("CIFAR-100", "aum", ("resnet-32", "nesterov", 0.1, 150, "constant", False)),
    ],
)
def test_recipes(dataset: str, detector: str, expected: tuple[object, ...]) -> None:
    training = next(grid(f"dataset: {dataset}\ndetector: {detector}").trials()).training
    found = (training.model, training.optimizer, training.learning_rate, training.epochs)
    assert (*found, training.schedule.name, training.pretrained) == expected


def test_step_factors_differ_between_the_cifars() -> None:
    ten, hundred = grid("dataset: [CIFAR-10, CIFAR-100]").trials()
    assert (ten.training.schedule["factor"], hundred.training.schedule["factor"]) == (0.1, 0.2)


def test_human_labels_and_a_training_part_of_its_own() -> None:
    (human,) = grid("dataset: CIFAR-10N-worst\ncorruption: human\nloss: ANL-CE").trials()
    assert (human.corruption.name, human.loss["alpha"], human.loss["delta"]) == ("human", 5.0, 5e-5)
    (cleaned,) = grid("dataset: CIFAR-100-cleaned-test").trials()
    assert cleaned.detector["folds"] is None
    assert cleaned.dataset["corrupt_training"] is True


def test_a_folder_of_images() -> None:
    (trial,) = grid("dataset: {folder: /data/mine, height: 64, width: 64}").trials()
    assert trial.dataset.as_fields() == {
        "name": "folder", "path": "/data/mine", "channels": 3, "height": 64, "width": 64
    }  # fmt: skip


def test_a_matrix_is_one_value() -> None:
    rows = [[0.9, 0.1] + [0.0] * 8] + [[float(i == j) for j in range(10)] for i in range(1, 10)]
    (trial,) = grid(f"corruption: {{kind: asymmetric, matrix: {rows}}}").trials()
    assert trial.corruption["matrix"][0][:2] == (0.9, 0.1)
    assert trial.corruption["rate"] is None


def test_whole_numbers_and_decimals_name_the_same_trial() -> None:
    (whole,) = grid("loss: {name: FL, gamma: 2}").trials()
    (decimal,) = grid("loss: {name: FL, gamma: 2.0}").trials()
    assert whole.trial_id == decimal.trial_id


def test_training_is_overridden_by_block_and_may_be_a_grid() -> None:
    sweep = grid(
        "training: {learning_rate: [0.01, 0.001], schedule: [constant, {name: step, every: 5, factor: 0.1}]}"
    )
    trainings = [trial.training for trial in sweep.trials()]
    assert [(t.learning_rate, t.schedule.name) for t in trainings] == [
        (0.01, "constant"), (0.01, "step"), (0.001, "constant"), (0.001, "step")
    ]  # fmt: skip
    assert all(t.epochs == 20 for t in trainings)


def test_seeds_as_a_count_or_as_a_list() -> None:
    assert [trial.seed for trial in grid("seeds: 4").trials()] == [0, 1, 2, 3]
    assert [trial.seed for trial in grid("seeds: [0, 5, 7]").trials()] == [0, 5, 7]
    assert grid("seeds: [0, 5, 7]").blocks[0].seeds_asked == 3


def test_a_trial_in_two_blocks_is_one_trial() -> None:
    block = "{dataset: digits, corruption: none, loss: CE, seeds: 2}"
    sweep = parse_sweep(f"sweep: test\nblocks:\n  first: {block}\n  second: {block}\n", "test.yaml")
    assert len(list(sweep.trials())) == 2
    assert [len(block.trials) for block in sweep.blocks] == [2, 2]


def test_a_users_own_loss_carries_the_hash_of_its_source(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    module = tmp_path / "own_losses_of_a_test.py"
    module.write_text("def soft(logits, targets, strength):\n    raise RuntimeError\n")
    first = [t.loss for t in grid('loss: {name: "own_losses_of_a_test:soft", strength: [1, 2]}').trials()]
    assert [loss["strength"] for loss in first] == [1, 2]
    assert first[0]["delay"] == 0
    module.write_text("def soft(logits, targets, strength):\n    return 0\n")
    (changed,) = grid('loss: {name: "own_losses_of_a_test:soft", strength: 1}').trials()
    assert changed.loss["source"] != first[0]["source"]
    with pytest.raises(InputError, match="no function 'hard'"):
        grid('loss: "own_losses_of_a_test:hard"')


def test_a_missing_file_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nothing\.yaml: cannot be read: No such file"):
        load_sweep(tmp_path / "nothing.yaml")
