"""Every loss in a whole training, against the same training written again in float64."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from noisebench.catalogue.component import Component
from noisebench.sweep.trial import Training
from noisebench.training.fit_group import start_group
from noisebench.training.inputs import InputPipeline
from noisebench.training.loop import train
from noisebench.training.modes import Modes
from noisebench.training.objective import Objective
from noisebench.training.task import TrainingTask
from tests.science.formulas import CASES, IDS, Formula
from tests.trials import trial_of

SAMPLES, CLASSES, DELAY, RATE = 40, 4, 1, 0.5
TRAINING = Training(
    **{
        **{name: getattr(trial_of().training, name) for name in Training.__dataclass_fields__},
        **{"optimizer": "sgd", "learning_rate": RATE, "epochs": 3, "batch_size": 16},
    }
)


def problem() -> tuple[Tensor, Tensor, nn.Module]:
    """Return images uint8, random targets, and a linear model with uncertain, often wrong predictions."""
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (SAMPLES, 1, 4, 4), generator=generator).to(torch.uint8)
    targets = torch.randint(0, CLASSES, (SAMPLES,), generator=generator)
    model = nn.Sequential(nn.Flatten(), nn.Linear(16, CLASSES))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(1.5 * torch.randn(parameter.shape, generator=generator))
    return images, targets, model


def expected(formula: Formula, delta: float, batches: list[tuple[int, Tensor]]) -> list[Tensor]:
    """Plain gradient descent in float64 on the mean over each batch, with CE during the delay."""
    images, targets, model = problem()
    weights = [parameter.detach().double().requires_grad_() for parameter in model.parameters()]
    pixels = images.flatten(1).double() / 255
    for epoch, batch in batches:
        p = (pixels[batch] @ weights[0].T + weights[1]).softmax(1)
        hot = functional.one_hot(targets[batch], CLASSES).bool()
        if epoch < DELAY:
            loss = -p[hot].log().sum() / len(batch)
        else:
            norm = sum(weight.abs().sum() for weight in weights)
            loss = formula(p, hot, p.detach()).sum() / len(batch) + delta * norm
        for weight, slope in zip(weights, torch.autograd.grad(loss, weights), strict=True):
            weight.data -= RATE * slope
    return [weight.detach().float() for weight in weights]


@pytest.mark.parametrize(("name", "parameters", "formula"), CASES, ids=IDS)
def test_training_with_delay(name: str, parameters: dict[str, object], formula: Formula) -> None:
    delta = 1e-3 if name.startswith("ANL") else 0.0
    fixed = {"gamma": 0.5} if name == "ANL-FL" else {}
    more = {"delta": delta} if delta else {}
    objective = Objective.of(Component.of(name, **parameters, **fixed, **more, delay=DELAY))  # type: ignore[arg-type]
    images, targets, model = problem()
    batches: list[tuple[int, Tensor]] = []
    task = TrainingTask(
        inputs=InputPipeline(images, "unit"),
        targets=targets[None],
        indices=torch.arange(SAMPLES)[None],
        objective=objective,
        training=TRAINING,
        fits=(0,),
        seed_for=trial_of().seed_for,
    )
    group = start_group([model], task, Modes())
    train(group, task, [lambda epoch, _logits, _targets, batch: batches.append((epoch, batch))])
    (trained,) = group.models()
    assert [(epoch, len(batch)) for epoch, batch in batches] == [
        (epoch, size) for epoch in range(3) for size in (16, 16, 8)
    ]
    for ours, theirs in zip(trained.parameters(), expected(formula, delta, batches), strict=True):
        torch.testing.assert_close(ours.detach()[0], theirs, rtol=1e-4, atol=1e-5)


def test_samples_with_zero_pz_loss_count_in_the_mean() -> None:
    objective = Objective.of(Component.of("PZ", c=0.3, delay=0))
    logits, targets = torch.tensor([[0.0, 0.0], [2.0, 0.0], [-2.0, 0.0]]), torch.zeros(3, dtype=torch.int64)
    losses = objective.per_sample(logits, targets, epoch=0)
    kept = -logits[:2].double().softmax(1)[:, 0].log()
    assert losses.tolist()[2] == 0
    assert losses.mean().item() == pytest.approx(kept.sum().item() / 3, rel=1e-6)


def test_the_norm_applies_only_after_the_delay() -> None:
    objective = Objective.of(Component.of("ANL-CE", alpha=1.0, beta=1.0, delta=0.5, delay=2))
    model = nn.Linear(2, 2)
    assert objective.penalty(model, epoch=1) is None
    assert objective.penalty(model, epoch=2) is not None
