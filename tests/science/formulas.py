"""The formulas of the losses as functions of the probabilities, and a batch to evaluate them on."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

Formula = Callable[[Tensor, Tensor, Tensor], Tensor]
"""(p [N, K], one-hot [N, K], p with no gradient [N, K]) -> loss [N]"""

M = 1e-7


def _label(values: Tensor, hot: Tensor) -> Tensor:
    return torch.where(hot, values, torch.zeros_like(values)).sum(1)


def _nce(p: Tensor, hot: Tensor) -> Tensor:
    return _label(p.log(), hot) / p.log().sum(1)


def _anl_ce(p: Tensor, hot: Tensor) -> Tensor:
    ceiling = -math.log(M)
    q = torch.maximum(p, torch.full_like(p, M))
    return 5 * _nce(p, hot) + 2 * (1 - (ceiling + _label(q.log(), hot)) / (ceiling + q.log()).sum(1))


def _anl_fl(p: Tensor, hot: Tensor, held: Tensor) -> Tensor:
    f = -torch.sqrt(1 - held) * p.log()
    q, q_held = torch.maximum(p, torch.full_like(p, M)), held.clamp(min=M)
    g = -torch.sqrt(1 - q_held) * q.log()
    ceiling = -math.sqrt(1 - M) * math.log(M)
    classes = p.shape[1]
    negative = 1 - (ceiling - _label(g, hot)) / (classes * ceiling - g.sum(1))
    return 5 * _label(f, hot) / f.sum(1) + 2 * negative


def _negative(p: Tensor, hot: Tensor) -> Tensor:
    """1 - p of a class as the sum of the others, which keeps its digits near p = 1."""
    classes = range(p.shape[1])
    rest = torch.stack([p[:, [j for j in classes if j != k]].sum(1) for k in classes], dim=1)
    return -torch.where(hot, torch.ones_like(p), rest).log().sum(1) / (p.shape[1] - 1)


def _curriculum(p: Tensor, hot: Tensor, epsilon: float) -> Tensor:
    """One sample at a time; log p serves as the logits, whose logsumexp is then 0."""
    label, rival = _label(p.log(), hot), p.log().masked_fill(hot, -math.inf).amax(1)
    margins = (label - rival).tolist()
    hard = [max(0.0, 1 - margin) for margin in margins]
    mistaken = sum(margin < 0 for margin in margins)
    ceiling = (1 - epsilon) ** 2 * len(hard) + (1 - epsilon) * mistaken
    losses, total = [torch.zeros((), dtype=p.dtype)] * len(hard), 0.0
    for position, sample in enumerate(sorted(range(len(hard)), key=hard.__getitem__)):
        total += hard[sample]
        if total > ceiling - position:
            break
        excess = 1 - label[sample]
        losses[sample] = excess if margins[sample] < 0 else (excess + rival[sample]).clamp(min=0)
    return torch.stack(losses)


CASES: list[tuple[str, dict[str, object], Formula]] = [
    ("CE", {}, lambda p, y, _: -_label(p.log(), y)),
    ("FL", {}, lambda p, y, held: -((1 - _label(held, y)) ** 2) * _label(p.log(), y)),
    (
        "FL",
        {"gamma": 0.5, "detach": False},
        lambda p, y, _: -torch.sqrt(1 - _label(p, y)) * _label(p.log(), y),
    ),
    ("FL", {"gamma": 3.0, "detach": False}, lambda p, y, _: -((1 - _label(p, y)) ** 3) * _label(p.log(), y)),
    ("GCE", {}, lambda p, y, _: (1 - _label(p, y) ** 0.7) / 0.7),
    ("ANL-CE", {"alpha": 5.0, "beta": 2.0}, lambda p, y, _: _anl_ce(p, y)),
    ("ANL-FL", {"alpha": 5.0, "beta": 2.0}, _anl_fl),
    ("BL", {"gamma": 0.4}, lambda p, y, held: -(_label(held, y) ** 0.4) * _label(p.log(), y)),
    ("BL", {"gamma": 0.4, "form": "printed"}, lambda p, y, _: -(_label(p, y) ** 0.4) * _label(p.log(), y)),
    (
        "BL",
        {"gamma": 0.4, "form": "clamped"},
        lambda p, y, _: -(_label(p, y).clamp(min=1e-8) ** 0.4) * _label(p.log(), y),
    ),
    ("PZ", {"c": 0.04}, lambda p, y, _: torch.where(_label(p, y) <= 0.04, 0.0, -_label(p.log(), y))),
    ("MAE", {}, lambda p, y, _: 1 - _label(p, y)),
    (
        "SCE",
        {},
        lambda p, y, _: -0.1 * _label(p.log(), y) - (p * y.double().clamp(min=1e-4).log()).sum(1),
    ),
    ("SCE", {"A": -4.0}, lambda p, y, _: -0.1 * _label(p.log(), y) + 4 * (1 - _label(p, y))),
    (
        "PHuber-CE",
        {"tau": 5.0},
        lambda p, y, _: torch.where(
            _label(p, y) <= 0.2, -5 * _label(p, y) + math.log(5) + 1, -_label(p.log(), y)
        ),
    ),
    ("NCE+MAE", {"alpha": 2.0}, lambda p, y, _: 2 * _nce(p, y) + 1 - _label(p, y)),
    (
        "NCE+RCE",
        {"beta": 0.1},
        lambda p, y, _: _nce(p, y) - 0.1 * (p * y.double().clamp(min=1e-4).log()).sum(1),
    ),
    ("AGCE", {}, lambda p, y, _: (1.6**0.6 - (0.6 + _label(p, y)) ** 0.6) / 0.6),
    ("NL", {}, lambda p, y, _: _negative(p, y)),
    ("Curriculum", {}, lambda p, y, _: _curriculum(p, y, 0.0)),
    ("Curriculum", {"epsilon": 0.4}, lambda p, y, _: _curriculum(p, y, 0.4)),
]
IDS = [f"{name}-{'-'.join(str(value) for value in parameters.values())}" for name, parameters, _ in CASES]


def _logits_with_label_probability(p: float, classes: int, generator: torch.Generator) -> Tensor:
    """Random logits [K] whose softmax puts p on class 0."""
    others = torch.randn(classes - 1, generator=generator, dtype=torch.float64)
    label = math.log(p) - math.log1p(-p) + torch.logsumexp(others, 0)
    return torch.cat([label[None], others])


def batch(classes: int) -> tuple[Tensor, Tensor]:
    """Logits [N, K] that put probabilities from 1e-12 to 1 - 1e-12 on their targets [N]."""
    generator = torch.Generator().manual_seed(classes)
    low = [1e-12, 2e-9, 1.1e-8, 1e-6, 1e-3, 0.039, 0.041, 0.3]
    rows = [_logits_with_label_probability(p, classes, generator) for p in [*low, 0.5, *(1 - q for q in low)]]
    targets = torch.arange(len(rows)) % classes
    logits = torch.stack([row.roll(int(target)) for row, target in zip(rows, targets, strict=True)])
    return logits, targets
