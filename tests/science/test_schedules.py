"""Learning-rate schedules by hand, and as the optimizer gets them."""

import pytest
import torch

from noisebench.catalogue.component import Component
from noisebench.catalogue.training import DIGITS_RECIPE
from noisebench.science import schedules
from noisebench.sweep.trial import Training
from noisebench.training.fit_group import set_learning_rate


def test_cyclic_rates_are_those_of_o2u_net() -> None:
    # (1 - s) 0.01 + s 0.001 with s = 0.1, 0.2, ..., 1, over two periods of ten epochs.
    expected = [(1 - s / 10) * 0.01 + s / 10 * 0.001 for s in [*range(1, 11), *range(1, 11)]]
    found = [0.01 * schedules.cyclic(epoch, period=10, low=0.1, start=0) for epoch in range(20)]
    assert found == pytest.approx(expected)


def test_the_cycles_begin_at_the_start() -> None:
    found = [schedules.cyclic(epoch, period=2, low=0.5, start=3) for epoch in range(7)]
    assert found == [1, 1, 1, 0.75, 0.5, 0.75, 0.5]


def test_steps_by_hand() -> None:
    assert [schedules.step(epoch, every=2, factor=0.5) for epoch in range(5)] == [1, 1, 0.5, 0.5, 0.25]


@pytest.mark.parametrize(
    ("schedule", "rates"),
    [
        (Component("constant"), [0.01, 0.01, 0.01]),
        (Component.of("step", every=1, factor=0.1), [0.01, 0.01 * 0.1, 0.01 * 0.1**2]),
        (Component.of("cyclic", period=2, low=0.5, start=1), [0.01, 0.01 * 0.75, 0.01 * 0.5]),
    ],
    ids=lambda value: value.name if isinstance(value, Component) else "",
)
def test_the_optimizer_gets_the_rate_of_the_epoch(schedule: Component, rates: list[float]) -> None:
    training = Training(**{**DIGITS_RECIPE.training, "schedule": schedule, "learning_rate": 0.01})
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], 1.0)
    for epoch, rate in enumerate(rates):
        set_learning_rate(optimizer, training, epoch)
        assert optimizer.param_groups[0]["lr"] == rate
