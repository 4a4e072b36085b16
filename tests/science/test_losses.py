"""Every loss against its formula, computed independently in float64."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from noisebench.catalogue import losses as catalogue
from noisebench.errors import InputError
from tests.science.formulas import CASES, IDS, Formula, batch

LOSSES = {name: loss.load() for name, loss in catalogue.LOSSES.items()}
REQUIRED = {
    "BL": {"gamma": 0.4},
    "PZ": {"c": 0.04},
    "ANL-CE": {"alpha": 1.0, "beta": 1.0},
    "ANL-FL": {"alpha": 1.0, "beta": 1.0},
}
VARIANTS: list[tuple[str, dict[str, object]]] = [
    *[(name, dict(REQUIRED.get(name, {}))) for name in LOSSES],
    ("FL", {"gamma": 0.0}),
    ("FL", {"gamma": 0.0, "detach": False}),
    ("FL", {"gamma": 0.3, "detach": False}),
    ("FL", {"gamma": 5.0, "detach": False}),
    ("BL", {"gamma": 0.1, "form": "printed"}),
    ("BL", {"gamma": 0.1, "form": "clamped"}),
    ("GCE", {"q": 0.05}),
    ("PZ", {"c": 0.0}),
    ("AGCE", {"a": 4.0, "q": 0.2}),
    ("AGCE", {"a": 1.0, "q": 2.0}),
    ("Curriculum", {"epsilon": 0.4}),
]


@pytest.mark.parametrize("classes", [2, 10, 100])
@pytest.mark.parametrize(("name", "parameters", "formula"), CASES, ids=IDS)
def test_value_and_gradient_equal_the_formula(
    name: str, parameters: dict[str, object], formula: Formula, classes: int
) -> None:
    logits, targets = batch(classes)
    ours = logits.clone().requires_grad_()
    loss = LOSSES[name](ours, targets, **parameters)
    loss.sum().backward()

    # The softmax's Jacobian by hand: dL/dz = p * (dL/dp - sum_k p_k dL/dp_k).
    p = logits.softmax(1).requires_grad_()
    expected = formula(p, torch.nn.functional.one_hot(targets, classes).bool(), p.detach())
    (slope,) = torch.autograd.grad(expected.sum(), p)
    gradient = p * (slope - (p * slope).sum(1, keepdim=True))

    assert loss.shape == targets.shape
    assert loss.dtype == torch.float64
    torch.testing.assert_close(loss, expected, rtol=1e-9, atol=1e-12)
    assert ours.grad is not None
    torch.testing.assert_close(ours.grad, gradient.detach(), rtol=1e-6, atol=1e-11)


DERIVATIVES: list[tuple[str, dict[str, object], Callable[[Tensor], Tensor]]] = [
    ("CE", {}, lambda p: -1 / p),
    ("FL", {"gamma": 2.0}, lambda p: -((1 - p) ** 2) / p),
    ("FL", {"gamma": 2.0, "detach": False}, lambda p: 2 * (1 - p) * p.log() - (1 - p) ** 2 / p),
    ("GCE", {"q": 0.7}, lambda p: -(p**-0.3)),
    ("BL", {"gamma": 0.4}, lambda p: -(p**-0.6)),
    ("BL", {"gamma": 0.4, "form": "printed"}, lambda p: -(p**-0.6) * (1 + 0.4 * p.log())),
    ("PZ", {"c": 0.04}, lambda p: torch.where(p > 0.04, -1 / p, 0.0)),
    ("MAE", {}, lambda p: -torch.ones_like(p)),
    ("SCE", {"alpha": 6.0, "beta": 0.1}, lambda p: -6 / p - 0.1 * math.log(1e4)),
    ("PHuber-CE", {"tau": 10.0}, lambda p: -1 / p.clamp(min=0.1)),
    ("AGCE", {"a": 0.6, "q": 0.6}, lambda p: -((0.6 + p) ** -0.4)),
]


@pytest.mark.parametrize(
    ("name", "parameters", "derivative"), DERIVATIVES, ids=[f"{n}-{p}" for n, p, _ in DERIVATIVES]
)
def test_gradient_is_the_analytic_derivative(
    name: str, parameters: dict[str, object], derivative: Callable[[Tensor], Tensor]
) -> None:
    logits, targets = batch(10)
    logits.requires_grad_()
    LOSSES[name](logits, targets, **parameters).sum().backward()
    assert logits.grad is not None
    label = targets[:, None]
    p = logits.detach().softmax(1).gather(1, label).squeeze(1)
    # dp/dz of the label's own logit is p (1 - p).
    torch.testing.assert_close(
        logits.grad.gather(1, label).squeeze(1), derivative(p) * p * (1 - p), rtol=1e-8, atol=1e-14
    )


@pytest.mark.parametrize("classes", [2, 10, 100])
@pytest.mark.parametrize(("name", "parameters"), VARIANTS, ids=[f"{n}-{p}" for n, p in VARIANTS])
def test_huge_logits_stay_finite(name: str, parameters: dict[str, object], classes: int) -> None:
    generator = torch.Generator().manual_seed(classes)
    scales = torch.tensor([0.0, 1.0, 30.0, 90.0, 1e3, 1e4]).repeat_interleave(20)
    logits = (torch.rand(len(scales), classes, generator=generator) * 2 - 1).sign() * scales[:, None]
    one_winner = torch.full((2 * classes, classes), -1e4)
    one_winner[torch.arange(2 * classes), torch.arange(2 * classes) % classes] = 1e4
    logits = torch.cat([logits, one_winner]).requires_grad_()
    targets = torch.arange(len(logits)) // 2 % classes
    loss = LOSSES[name](logits, targets, **parameters)
    assert loss.isfinite().all()
    assert (loss >= 0).all()
    loss.mean().backward()
    assert logits.grad is not None
    assert logits.grad.isfinite().all()


@pytest.mark.parametrize(("name", "parameters"), VARIANTS, ids=[f"{n}-{p}" for n, p in VARIANTS])
def test_half_precision_is_computed_in_fp32(name: str, parameters: dict[str, object]) -> None:
    logits = torch.randn(8, 10, generator=torch.Generator().manual_seed(0)).bfloat16()
    targets = torch.arange(8)
    loss = LOSSES[name](logits, targets, **parameters)
    assert loss.dtype == torch.float32
    torch.testing.assert_close(loss, LOSSES[name](logits.float(), targets, **parameters), rtol=0, atol=0)


@pytest.mark.parametrize(("dtype", "precision"), [(torch.float64, 1e-12), (torch.float32, 1e-5)])
@pytest.mark.parametrize("strength", [0.1, 0.5, 0.7, 1.0])
def test_detached_bl_has_the_gradient_of_gce(strength: float, dtype: torch.dtype, precision: float) -> None:
    logits, targets = batch(10)
    # At p near 1 the softmax itself cancels; what must not be lost are the small probabilities.
    logits, targets = logits[:9].to(dtype), targets[:9]
    gradients = []
    for name, parameters in (("BL", {"gamma": strength}), ("GCE", {"q": strength})):
        z = logits.clone().requires_grad_()
        LOSSES[name](z, targets, **parameters).sum().backward()
        gradients.append(z.grad)
    torch.testing.assert_close(*gradients, rtol=precision, atol=0)


def test_special_cases_coincide() -> None:
    logits, targets = batch(10)
    reference = LOSSES["CE"](logits, targets)
    for name, parameters in (
        ("BL", {"gamma": 0.0}),
        ("FL", {"gamma": 0.0}),
        ("PZ", {"c": 0.0}),
        ("SCE", {"alpha": 1.0, "beta": 0.0}),
        ("PHuber-CE", {"tau": 1e15}),
    ):
        torch.testing.assert_close(LOSSES[name](logits, targets, **parameters), reference)
    torch.testing.assert_close(LOSSES["GCE"](logits, targets, q=1.0), LOSSES["MAE"](logits, targets))
    torch.testing.assert_close(LOSSES["GCE"](logits, targets, q=1e-6), reference, rtol=1e-4, atol=1e-9)


def test_pz_gradient_is_exactly_zero_where_the_loss_is() -> None:
    logits, targets = batch(10)
    z = logits.float().requires_grad_()
    LOSSES["PZ"](z, targets, c=0.04).sum().backward()
    assert z.grad is not None
    assert (z.grad[:6] == 0).all()
    assert (z.grad[6:9] != 0).all()


def test_pz_drops_a_probability_equal_to_the_cut() -> None:
    assert LOSSES["PZ"](torch.zeros(1, 2), torch.tensor([0]), c=0.5) == 0


@pytest.mark.parametrize(("name", "key"), [("FL", "gamma"), ("BL", "gamma"), ("GCE", "q"), ("PZ", "c")])
def test_a_parameter_may_differ_by_sample(name: str, key: str) -> None:
    logits, targets = batch(10)
    values = torch.linspace(0.1, 0.9, len(targets), dtype=torch.float64)
    together = LOSSES[name](logits, targets, **{key: values})
    alone = [
        LOSSES[name](logits[i : i + 1], targets[i : i + 1], **{key: float(values[i])})
        for i in range(len(targets))
    ]
    torch.testing.assert_close(together, torch.cat(alone))


def _best_selection_by_trying_all(losses: Tensor, ceiling: float) -> float:
    count = len(losses)
    masks = (torch.arange(2**count)[:, None] >> torch.arange(count)) & 1
    return float(torch.maximum((masks * losses).sum(1), ceiling - masks.sum(1)).min())


@pytest.mark.parametrize("epsilon", [0.0, 0.4])
@pytest.mark.parametrize("seed", range(10))
def test_curriculum_selects_the_optimal_subset(seed: int, epsilon: float) -> None:
    generator = torch.Generator().manual_seed(seed)
    logits = 2 * torch.randn(9, 4, generator=generator, dtype=torch.float64)
    targets = torch.randint(4, (9,), generator=generator)
    hard, soft, mistaken = [], [], 0
    for row, target in zip(logits, targets, strict=True):
        rival = max(float(row[k]) for k in range(4) if k != target)
        hard.append(max(0.0, 1 - float(row[target]) + rival))
        wrong = rival > float(row[target])
        soft.append(1 - float(row[target]) + math.log(sum(math.exp(z) for z in row)) if wrong else hard[-1])
        mistaken += wrong
    losses = LOSSES["Curriculum"](logits, targets, epsilon=epsilon)
    base, selected = torch.tensor(hard, dtype=torch.float64), losses > 0
    torch.testing.assert_close(losses[selected], torch.tensor(soft, dtype=torch.float64)[selected])
    ceiling = (1 - epsilon) ** 2 * 9 + (1 - epsilon) * mistaken
    count = int(selected.sum() + (base == 0).sum())
    objective = max(float(base[selected].sum()), ceiling - count)
    assert objective == pytest.approx(_best_selection_by_trying_all(base, ceiling))


def test_curriculum_leaves_out_the_hardest_samples() -> None:
    logits = torch.tensor([[3.0, 0.0], [0.5, 0.0], [0.0, 30.0]], requires_grad=True)
    losses = LOSSES["Curriculum"](logits, torch.zeros(3, dtype=torch.int64))
    assert losses.tolist() == [0.0, 0.5, 0.0]
    losses.mean().backward()
    assert logits.grad is not None
    assert logits.grad[2].tolist() == [0.0, 0.0]


def test_an_unknown_form_names_the_known_ones() -> None:
    with pytest.raises(InputError, match="form 'blurred' is unknown; known: detached, printed, clamped"):
        LOSSES["BL"](torch.zeros(1, 2), torch.tensor([0]), gamma=0.4, form="blurred")
