"""Every mode on a real GPU: equal to the reference, captured, resumed, deterministic."""

from dataclasses import replace

import pytest
import torch

from noisebench.catalogue.component import Component
from noisebench.training import graph, inputs
from noisebench.training.equality import difference, share_allowed
from noisebench.training.fit_group import start_group
from noisebench.training.inputs import InputPipeline
from noisebench.training.loop import train
from noisebench.training.modes import Modes
from tests.training.problem import CPU, Problem, differences, parameters_differ

pytestmark = pytest.mark.gpu

DELAYED = Component.of("PZ", c=0.02, delay=1)
GRAPHS = (
    "fp32 graph",
    "fp32 graph branches",
    "bf16 channels-last graph branches",
    "fp16 channels-last graph branches",
    "bf16 graph grouped",
)
EQUAL = (
    "fp32 graph",
    "fp32 branches",
    "fp32 graph branches",
    "fp32 graph grouped",
    "half channels-last graph branches",
    "half channels-last graph grouped",
    "half channels-last graph branches tuned",
)


@pytest.fixture(autouse=True)
def _no_refusals(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graph, "_refusals", {})


def problem(
    gpu: torch.device, loss: Component = DELAYED, model: str = "small-cnn", **training: object
) -> Problem:
    # The rate on the device is a float32, which holds a power of two exactly.
    settings = {"epochs": 3, "learning_rate": 2**-12, **training}
    return replace(Problem.small(3, loss, channels=3, **settings), device=gpu, model=model)


@pytest.mark.parametrize("words", EQUAL)
@pytest.mark.parametrize("model", ["small-cnn", "resnet-32"])
def test_each_mode_is_within_its_bound_of_the_reference(gpu: torch.device, words: str, model: str) -> None:
    made = problem(gpu, Component.of("CE", delay=0), model, epochs=1, batch_size=25)
    modes = Modes.parse(words, gpu)
    found = difference(made.task(), made.models, modes)
    allowed = 1.0 if model == "small-cnn" else share_allowed(made.task(), made.models, modes)
    assert found.share_of_bound <= allowed, found


@pytest.mark.parametrize("words", GRAPHS)
@pytest.mark.parametrize("augmentation", ["none", "crop-flip"])
def test_a_graph_replays_the_eager_steps(gpu: torch.device, words: str, augmentation: str) -> None:
    """Through a phase change, a short last batch and new seeds every epoch."""
    modes = Modes.parse(words, gpu)
    captured, eager = problem(gpu, augmentation=augmentation), problem(gpu, augmentation=augmentation)
    group = captured.train(modes)
    expected = eager.train(replace(modes, graph=False))
    assert group.notes == []
    assert group.modes.graph
    assert not differences(captured, eager).any()
    assert not parameters_differ(group.models(), expected.models())


@pytest.mark.parametrize("words", ["fp32 graph branches", "bf16 channels-last graph branches"])
def test_branches_are_the_fits_alone_to_the_last_bit(gpu: torch.device, words: str) -> None:
    modes = Modes.parse(words, gpu)
    together = problem(gpu)
    models = together.train(modes).models()
    for fit, trained in enumerate(models):
        part = slice(fit, fit + 1)
        task = together.task()
        task = replace(task, targets=task.targets[part], indices=task.indices[part], fits=(fit,))
        alone = start_group([together.models()[fit]], task, replace(modes, branches=False))
        train(alone, task)
        assert not parameters_differ([trained], alone.models())


@pytest.mark.parametrize("augmentation", ["none", "crop-flip"])
@pytest.mark.parametrize("words", ["fp32", "fp32 branches", "bf16 channels-last grouped"])
def test_images_read_by_batches_train_the_same(
    gpu: torch.device, words: str, augmentation: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    modes = Modes.parse(words, gpu)
    resident, read = problem(gpu, augmentation=augmentation), problem(gpu, augmentation=augmentation)
    expected = resident.train(modes)
    monkeypatch.setattr(inputs, "DEVICE_SHARE", 0.0)
    by_batches = InputPipeline(read.images, "unit", augmentation, device=gpu)
    assert by_batches.gathered
    read.task = lambda: replace(Problem.task(read), inputs=by_batches)  # type: ignore[method-assign]
    assert not parameters_differ(read.train(modes).models(), expected.models())


def test_the_reference_is_the_same_twice(gpu: torch.device) -> None:
    first, second = problem(gpu), problem(gpu)
    assert not parameters_differ(first.train(Modes()).models(), second.train(Modes()).models())


def test_the_reference_agrees_with_that_of_a_cpu(gpu: torch.device) -> None:
    """Without dropout, whose masks a GPU draws by another generator."""
    ours, theirs = problem(gpu, model="resnet-32", epochs=1), problem(CPU, model="resnet-32", epochs=1)
    ours.train(Modes())
    theirs.train(Modes())
    moved = [[logits.cpu() for logits in fit] for fit in ours.logits]
    assert differences(replace(ours, logits=moved), theirs)[:, 0].max() < 1e-3


@pytest.mark.parametrize("words", ["fp32 graph branches", "fp16 graph branches"])
def test_a_captured_fit_is_resumed(gpu: torch.device, words: str) -> None:
    modes = Modes.parse(words, gpu)
    whole, halves = problem(gpu), problem(gpu)
    expected = whole.train(modes)
    halves.training = replace(halves.training, epochs=2)
    kept = halves.train(modes).state()
    halves.training = whole.training
    resumed = halves.group(modes)
    resumed.restore(kept)
    halves.train(modes, resumed)
    assert not parameters_differ(resumed.models(), expected.models())


def test_twenty_trainings_keep_no_memory(gpu: torch.device) -> None:
    modes = Modes.parse("half channels-last graph branches", gpu)
    reserved = []
    for _ in range(20):
        problem(gpu).train(modes)
        torch.cuda.synchronize(gpu)
        reserved.append(torch.cuda.memory_reserved(gpu))
    assert reserved[-1] <= 1.1 * reserved[4]
