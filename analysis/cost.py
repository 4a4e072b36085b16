"""`python -m analysis.cost`: minutes and memory per trial, hours per table, beside the published ones."""

from dataclasses import dataclass
from pathlib import Path

from analysis.listing import Listing
from analysis.options import existing, parser, run
from noisebench.catalogue.datasets import DATASETS
from noisebench.catalogue.training import CIFAR_10_RECIPE, CIFAR_100_RECIPE, MNIST_RECIPE
from noisebench.store.store import Store, open_store
from noisebench.store.summaries import BlockHours, TrialCost, block_hours, trial_costs


@dataclass(frozen=True)
class Published:
    """What the paper states for a trial on a V100; None where it states nothing."""

    minutes: float | None
    memory_gb: float | None


# arXiv 2511.16512, A.1.
_MNIST, _CIFAR, _AUM, _CLEANED = Published(5, 6), Published(15, 6), Published(150, 7), Published(None, 3)
_MNIST_DYNAMICS, _CIFAR_DYNAMICS = Published(60, 3), Published(240, 6)  # with gradients stored

PUBLISHED_HOURS = 1_800  # of a V100, for everything; no paper divides it
# Inferred: trials of each block times the minutes above; for the cleaned set 3.75 minutes.
INFERRED_HOURS = {
    "table1": 1_280.0,
    "table3": 15.75,
    "table4": 90.0,
    "table5": 90.0,
    "fig2": 12.0,
    "fig5": 320.0,
}
_HOURS_NOTE = (
    f"Of the published hours only the total is printed, {PUBLISHED_HOURS:,} V100-hours. Those of a block are "
    "inferred from its trials and the printed minutes of a trial."
)


def published_cost(dataset: str, detector: str, dynamics: bool) -> Published | None:
    """Return what the paper states for such a trial, None where it has no such trial."""
    if detector == "aum":
        return _AUM if dataset == "CIFAR-100" else None
    if detector != "confident-learning":
        return None
    entry = DATASETS.get(dataset)
    if entry is None:
        return None
    if entry.training_samples:
        return _CLEANED
    if entry.recipe is MNIST_RECIPE:
        return _MNIST_DYNAMICS if dynamics else _MNIST
    if entry.recipe in (CIFAR_10_RECIPE, CIFAR_100_RECIPE):
        return _CIFAR_DYNAMICS if dynamics else _CIFAR
    return None


def listings(store: Store) -> tuple[Listing, Listing]:
    """Return the cost of trials, then of blocks; a dash where nothing is published or recorded."""
    heads = ["data set", "detector", "model", "hardware", "trials", "minutes a trial", "published minutes"]
    trials = Listing(
        "trial-cost",
        "Cost of a trial",
        [*heads, "GiB", "published GB"],
        [_trial_row(row) for row in trial_costs(store)],
    )
    heads = ["sweep", "block", "completed", "GPU-hours", "V100-hours, inferred", "CPU-thread hours"]
    rows = [_hours_row(row) for row in block_hours(store)]
    hours = Listing("hours", "Hours, all attempts", heads, rows, [_HOURS_NOTE])
    return trials, hours


def main(arguments: list[str]) -> int:
    """Print the cost; return the exit code."""
    options = parser("cost", __doc__, out=False)
    options.add_argument("--out", type=Path, help="folder to write cost.md to")
    chosen = options.parse_args(arguments)
    with open_store(existing(chosen.results)) as store:
        text = "\n".join(listing.markdown() for listing in listings(store))
    if chosen.out is not None:
        chosen.out.mkdir(parents=True, exist_ok=True)
        (chosen.out / "cost.md").write_text(text, encoding="utf-8")
    print(text, end="")
    return 0


def _trial_row(row: TrialCost) -> list[str]:
    published = published_cost(row.dataset, row.detector, row.dynamics)
    model = f"{row.model}, dynamics" if row.dynamics else row.model
    named = [row.dataset, row.detector, model, row.hardware, str(row.trials)]
    minutes = [_number(row.minutes), _number(published.minutes if published else None)]
    return [*named, *minutes, _number(row.memory_gb), _number(published.memory_gb if published else None)]


def _hours_row(row: BlockHours) -> list[str]:
    named = [row.sweep, row.block, f"{row.completed}/{row.trials}"]
    inferred = INFERRED_HOURS.get(row.block)
    return [*named, _number(row.gpu_hours), _number(inferred), _number(row.cpu_thread_hours)]


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:,.2f}" if value < 100 else f"{value:,.0f}"


if __name__ == "__main__":
    run(main)
