"""No training step makes the host wait for the device, so every step can be captured."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from noisebench.catalogue.component import Component
from noisebench.catalogue.losses import LOSSES
from noisebench.catalogue.models import MODELS
from noisebench.training.fit_group import FitGroup
from noisebench.training.host_access import HostAccessError, RefuseHostAccess, refused_operation
from noisebench.training.modes import Modes
from noisebench.training.objective import Objective
from noisebench.training.step import EagerStep
from noisebench.training.task import TrainingTask
from noisebench.trial.measurement import measure
from tests.science.formulas import CASES
from tests.training.problem import CPU, Problem
from tests.trials import trial_of

# Steps of residual networks take seconds on a CPU.
MODEL_CASES = [pytest.param(name, marks=[pytest.mark.slow] if "resnet" in name else []) for name in MODELS]
MODES = (
    *("fp32", "fp32 branches", "fp32 grouped", "bf16 channels-last grouped", "fp16 branches"),
    # The defaults of a GPU but for the graph.
    "bf16 channels-last branches",
    pytest.param("fp16 channels-last branches", marks=pytest.mark.slow),
    # A setting of cuDNN, which adds no operation.
    pytest.param("fp32 tuned", marks=pytest.mark.slow),
)
READ = "_local_scalar_dense: reads a value on the host"


def objectives() -> dict[str, Objective]:
    """Every loss of the catalogue, ANL with its L1 term."""
    built = {}
    for name, parameters, _ in CASES:
        fixed = {"gamma": 0.5} if name == "ANL-FL" else {}
        delta = {"delta": 1e-3} if name.startswith("ANL") else {}
        built[name] = Objective.of(Component.of(name, **parameters, **fixed, **delta, delay=0))  # type: ignore[arg-type]
    assert set(built) == set(LOSSES)
    return built


def problem(model: str) -> Problem:
    made = Problem.small(2, channels=3, augmentation="crop-flip", batch_size=4)
    made.model = model
    return made


def take_step(group: FitGroup, task: TrainingTask, objective: Objective) -> None:
    """Take one step under the check, after a first step that initialises libraries."""
    task = replace(task, objective=objective)
    totals = torch.zeros(2, 2, dtype=torch.float64)
    step, draws = EagerStep(group, task, totals), task.augmentation(0)
    assert draws is not None
    with RefuseHostAccess():  # type: ignore[no-untyped-call]
        step(task.order(0)[:, :4], draws[:, :4], 0)


@pytest.mark.slow
@pytest.mark.parametrize("words", MODES)
@pytest.mark.parametrize("model", MODEL_CASES)
def test_a_step_of_every_loss_can_be_captured(model: str, words: str) -> None:
    made = problem(model)
    task, group = made.task(), made.group(Modes.parse(words, CPU))
    for branch in group.branches:
        branch.stack.train()
    take_step_eagerly(group, task)
    for name, objective in objectives().items():
        take_step(group, task, objective)
        # A loss depends on the model only through its logits.
        if model != "resnet-34" or name == "CE":
            planted = replace(objective, loss=with_item(objective.loss))
            with pytest.raises(HostAccessError, match=READ):
                take_step(group, task, planted)


def reading(*values: Tensor) -> None:
    """Read a value on the host, as an assertion or a log line does."""
    assert values[0].detach().max().item() < torch.inf


def plant_in_a_layer(group: FitGroup, task: TrainingTask) -> None:
    layers = [layer for layer in group.branches[0].stack.modules() if not list(layer.children())]
    layers[0].register_forward_hook(lambda _layer, _inputs, output: reading(output))
    del task


def plant_in_a_gradient(group: FitGroup, task: TrainingTask) -> None:
    next(group.branches[0].stack.parameters()).register_hook(reading)
    del task


def plant_in_the_inputs(group: FitGroup, task: TrainingTask) -> None:
    draw = task.inputs.drawn_batch

    def drawn_batch(batch: Tensor, draws: Tensor | None, pixels: Tensor | None = None) -> Tensor:
        reading(batch)
        return draw(batch, draws, pixels)

    task.inputs.drawn_batch = drawn_batch  # type: ignore[method-assign]
    del group


def plant_in_the_update(group: FitGroup, task: TrainingTask) -> None:
    optimizer = group.branches[0].optimizer
    optimizer.register_step_post_hook(lambda *_: reading(optimizer.param_groups[0]["params"][0]))
    del task


PLANTS = (plant_in_a_layer, plant_in_a_gradient, plant_in_the_inputs, plant_in_the_update)


@pytest.mark.parametrize("words", ["fp32", "bf16 channels-last branches", "fp32 grouped"])
@pytest.mark.parametrize("plant", PLANTS)
@pytest.mark.parametrize("model", MODEL_CASES)
def test_a_value_that_a_step_reads_is_found_wherever_it_is_read(
    model: str, plant: Callable[[FitGroup, TrainingTask], None], words: str
) -> None:
    made = problem(model)
    task, group = made.task(), made.group(Modes.parse(words, CPU))
    for branch in group.branches:
        branch.stack.train()
    take_step_eagerly(group, task)
    objective = objectives()["CE"]
    take_step(group, task, objective)
    plant(group, task)
    with pytest.raises(HostAccessError, match=READ):
        take_step(group, task, objective)


def splits(group: FitGroup, task: TrainingTask) -> list[str]:
    """Return why the compiler splits the forward pass."""
    stack, draws = group.branches[0].stack.train(), task.augmentation(0)
    assert draws is not None
    images = task.inputs.drawn_batch(task.order(0)[:, :4], draws[:, :4])
    torch.compiler.reset()
    explained = torch._dynamo.explain(stack)(images)
    assert explained.graph_count > 0
    return [reason.reason for reason in explained.break_reasons]


@pytest.mark.slow
@pytest.mark.parametrize("model", MODELS)
@pytest.mark.filterwarnings("ignore")  # the compiler warns of its own doings
def test_a_compiled_forward_pass_reads_no_values(model: str) -> None:
    """The compiler splits where a value is read. It also splits at dropout, at its generators."""
    made = problem(model)
    task, group = made.task(), made.group(Modes.parse("fp32 grouped", CPU))
    found = splits(group, task)
    assert all("Failed to convert args/kwargs to proxy" in reason for reason in found)
    assert MODELS[model].dropout or not found
    plant_in_a_layer(group, task)
    assert any("item" in reason for reason in splits(group, task))


def take_step_eagerly(group: FitGroup, task: TrainingTask) -> None:
    draws = task.augmentation(0)
    assert draws is not None
    EagerStep(group, task, torch.zeros(2, 2, dtype=torch.float64))(task.order(0)[:, :4], draws[:, :4], 0)


def with_item(loss: Callable[[Tensor, Tensor], Tensor]) -> Callable[[Tensor, Tensor], Tensor]:
    return lambda logits, targets: loss(logits, targets) * (1 + 0 * logits.detach().max().item())


def cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    return functional.cross_entropy(logits, targets, reduction="none")


def by_item(logits: Tensor, targets: Tensor) -> Tensor:
    return cross_entropy(logits, targets) * logits.detach().max().item()


def by_condition(logits: Tensor, targets: Tensor) -> Tensor:
    losses = cross_entropy(logits, targets)
    return losses if bool((losses > 1).any()) else 2 * losses


def by_nonzero(logits: Tensor, targets: Tensor) -> Tensor:
    losses = cross_entropy(logits, targets)
    return losses + 0 * (losses > 1).nonzero().sum()


def by_mask(logits: Tensor, targets: Tensor) -> Tensor:
    losses = cross_entropy(logits, targets)
    return losses + losses[losses > 1].sum()


def by_host(logits: Tensor, targets: Tensor) -> Tensor:
    return cross_entropy(logits.cpu(), targets.cpu()).to(logits.device)


def by_numpy(logits: Tensor, targets: Tensor) -> Tensor:
    return cross_entropy(logits, targets) * float(logits.detach().cpu().numpy().max())


def by_new_tensor(logits: Tensor, targets: Tensor) -> Tensor:
    return cross_entropy(logits, targets) * torch.tensor(2.0, device=logits.device)


class ReadingGradient(torch.autograd.Function):
    """Reads a value only in the backward pass."""

    @staticmethod
    def forward(ctx: object, losses: Tensor) -> Tensor:
        del ctx
        return losses.clone()

    @staticmethod
    def backward(ctx: object, gradient: Tensor) -> Tensor:  # type: ignore[override]
        del ctx
        return gradient * (1 + 0 * gradient.max().item())


def by_gradient(logits: Tensor, targets: Tensor) -> Tensor:
    return ReadingGradient.apply(cross_entropy(logits, targets))  # type: ignore[no-any-return,no-untyped-call]


def one_hot(logits: Tensor, targets: Tensor) -> Tensor:
    return -(functional.one_hot(targets, logits.shape[1]) * logits.log_softmax(1)).sum(1)


def where(logits: Tensor, targets: Tensor) -> Tensor:
    losses = cross_entropy(logits, targets)
    return torch.where(losses > 1, losses, 2 * losses)


def users(loss: Callable[[Tensor, Tensor], Tensor]) -> Objective:
    return Objective("module:loss", loss, delay=0, delta=0.0, batchwise=True)


@pytest.mark.parametrize(
    "loss",
    [by_item, by_condition, by_nonzero, by_mask, by_host, by_numpy, by_new_tensor, by_gradient],
)
def test_a_users_loss_that_reads_values_is_refused(loss: Callable[[Tensor, Tensor], Tensor]) -> None:
    assert refused_operation(users(loss), classes=10) is not None


@pytest.mark.parametrize("loss", [cross_entropy, one_hot, where])
def test_a_users_loss_that_reads_no_values_is_accepted(loss: Callable[[Tensor, Tensor], Tensor]) -> None:
    assert refused_operation(users(loss), classes=10) is None


def test_every_loss_of_the_catalogue_is_accepted() -> None:
    refused = {name: refused_operation(objective, classes=10) for name, objective in objectives().items()}
    assert refused == dict.fromkeys(refused)


@pytest.mark.parametrize("body", ["losses * losses.detach().max().item()", "losses * 2"])
def test_a_trial_records_why_its_loss_has_no_graph(
    body: str, tmp_path: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "graph_loss_of_a_test.py").write_text(  # type: ignore[operator]
        "import torch\n"
        "def f(logits, targets):\n"
        "    losses = torch.nn.functional.cross_entropy(logits, targets, reduction='none')\n"
        f"    return {body}\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr("noisebench.training.surrogate.default_modes", lambda *_: Modes(graph=True))
    # A CPU has no graphs, so every step stays eager.
    monkeypatch.setattr("noisebench.training.graph.CapturedStep._try_capture", lambda *_: None)
    trial = trial_of('"graph_loss_of_a_test:f"', training="{epochs: 1, batch_size: 64, precision: fast}")
    recorded = measure(trial, None, CPU).fast_path
    assert recorded is not None
    if "item" in body:
        assert recorded.startswith("fp32; no graph: the loss's ")
    else:
        assert recorded == "fp32 graph"
