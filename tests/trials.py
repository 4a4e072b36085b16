"""Small real trials for tests: digits, few epochs."""

from functools import cache
from pathlib import Path

from noisebench.sweep.cost import Budget, budgets
from noisebench.sweep.sweep import Sweep, load_sweep, parse_sweep
from noisebench.sweep.trial import Trial

QUICK = "{epochs: 2, batch_size: 128}"


PARTS = {
    "name": "test",
    "seeds": "1",
    "rate": "0.2",
    "detector": "{name: confident-learning, folds: 2}",
    "dataset": "{name: digits, samples: 400}",
    "training": QUICK,
    "corruption": "",
    "more": "",
}


def sweep_text(loss: str = "CE", **parts: str) -> str:
    """Return a sweep of one block; every part is YAML, by default as in `PARTS`."""
    unknown = parts.keys() - PARTS.keys()
    assert not unknown, f"no part of a sweep: {', '.join(sorted(unknown))}"
    part = PARTS | parts
    return f"""\
sweep: {part["name"]}
blocks:
  grid:
    dataset: {part["dataset"]}
    corruption: {part["corruption"] or f"{{kind: uniform, rate: {part['rate']}}}"}
    loss: {loss}
    detector: {part["detector"]}
    training: {part["training"]}
    seeds: {part["seeds"]}
    {part["more"]}
"""


def sweep_of(loss: str = "CE", **parts: str) -> Sweep:
    """Return that sweep, parsed."""
    return parse_sweep(sweep_text(loss, **parts), "test.yaml")


def trial_of(loss: str = "CE", **parts: str) -> Trial:
    """Return its first trial."""
    return next(sweep_of(loss, **parts).trials())


@cache
def budgets_of_the_grid() -> dict[str, Budget]:
    """Return what each block of the papers' whole grid costs, and the total: thousands of trials."""
    grid = load_sweep(Path(__file__).parents[1] / "sweeps" / "paper.yaml")
    return {budget.block: budget for budget in budgets(grid, set())}
