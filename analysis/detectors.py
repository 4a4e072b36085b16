"""`python -m analysis.detectors`: detectors ranked for each loss, and whether BL or PZ helps each of them."""

import json
from collections import Counter, defaultdict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from analysis.feeding import Feed, feed
from analysis.items import DETECTOR_BLOCKS
from analysis.listing import Listing
from analysis.options import existing, parser, run
from analysis.significance import LEVEL, PairedMean, average_ranks, holm, paired_means, paired_test
from noisebench.store.blocks import BlockTrial, block_configs, block_trials
from noisebench.store.columns import differing, plain

METRICS = {"auroc": "AUROC", "average_precision": "average precision", "f1": "F1"}
# Metrics of the flags: a flag rule that is told the rate makes them better than any user can.
OF_FLAGS = ("f1",)
BASELINE, PROPOSED = "CE", ("BL", "PZ")
_RANKS = (
    "Mean over corruptions and seeds; ¹ the best detector of a loss, = those that a two-sided paired t-test "
    "over corruptions and seeds leaves undecided from it at .05, corrected over the detectors (Holm). Mean "
    "rank: over losses, corruptions and seeds, 1 is best."
)
_TOLD = (
    "F1 of a detector that is told the rate must not be compared with that of others, so each kind has ranks "
    "and marks of its own; AUROC and average precision may be compared."
)
_HELP = (
    "Loss minus CE on the same wrong labels; two-sided paired t-tests over corruptions and seeds, corrected "
    "over the detectors and losses (Holm), at .05. Effect size: mean over deviation of the differences."
)


@dataclass(frozen=True)
class Judged:
    """A completed trial: what the detector made of one training; `pair` names wrong labels and training."""

    detector: str
    loss: str
    pair: Hashable
    auroc: float | None
    average_precision: float | None
    f1: float | None
    knows_rate: bool


@dataclass(frozen=True)
class Help:
    """The difference of a metric between a loss and CE for one detector, above 0 where the loss is higher."""

    detector: str
    loss: str
    difference: PairedMean

    @property
    def verdict(self) -> str:
        """Return helps, hurts, undecided or too few pairs."""
        return self.difference.verdict("helps", "hurts", few="too few pairs")


def listings(source: Feed) -> list[Listing]:
    """Return for each block of detectors and each metric the rankings, then the help of BL and PZ."""
    tables = []
    for block in DETECTOR_BLOCKS:
        sweep = source.sweep(block)
        trials = [] if sweep is None else judged(source, sweep, block)
        for metric, title in METRICS.items() if trials else ():
            tables += [*rankings(trials, block, metric, title), help_listing(trials, block, metric, title)]
    return [each for each in tables if each.rows]


def judged(source: Feed, sweep: str, block: str) -> list[Judged]:
    """Return the completed trials of a block; a detector's label has the parameters that tell it apart."""
    configs = {key: json.loads(text) for key, text in block_configs(source.store, sweep, block).items()}
    labels = _labels({key: config["detector"] for key, config in configs.items()})
    return [
        Judged(
            labels[trial.config_id],
            _loss(trial),
            _pair(trial),
            trial.auroc,
            trial.average_precision,
            trial.f1,
            bool(trial.knows_rate),
        )
        for trial in block_trials(source.store, sweep, block)
        if trial.f1 is not None or trial.auroc is not None
    ]


def rankings(trials: Sequence[Judged], block: str, metric: str, title: str) -> list[Listing]:
    """Return the ranking of all detectors.

    By a metric of the flags, those that are told the rate are in a second one.
    """
    told = [trial for trial in trials if trial.knows_rate]
    if metric not in OF_FLAGS or not told:
        return [ranking(trials, block, metric, title)]
    others = ranking([trial for trial in trials if not trial.knows_rate], block, metric, title)
    apart = ranking(told, block, metric, title)
    named = f"{block}: detectors that are told the rate, by {title}"
    return [
        replace(others, notes=[*others.notes, _TOLD]),
        replace(apart, name=f"{apart.name}-told", title=named, notes=[*apart.notes, _TOLD]),
    ]


def ranking(trials: Sequence[Judged], block: str, metric: str, title: str) -> Listing:
    """Return a row for each detector with its mean for each loss, in the order of the mean rank."""
    values = _values(trials, metric)
    detectors, losses = list(dict.fromkeys(key[0] for key in values)), _losses(trials)
    told = {trial.detector for trial in trials if trial.knows_rate}
    cells = {loss: _column(values, detectors, loss) for loss in losses}
    ranks, note = _ranks(values, detectors, losses)
    order = sorted(detectors, key=lambda name: (ranks.get(name, np.inf), name))
    rows = [
        [
            name,
            "yes" if name in told else "",
            *(cells[loss].get(name, "–") for loss in losses),
            f"{ranks[name]:.1f}" if name in ranks else "–",
        ]
        for name in order
    ]
    heads = ["detector", "told the rate", *losses, "mean rank"]
    notes = [_RANKS, *([note] if note else [])]
    return Listing(f"{block}-{metric}", f"{block}: detectors by {title}", heads, rows, notes)


def help_of(trials: Sequence[Judged], metric: str) -> list[Help]:
    """Compare each form of BL and PZ with CE for each detector, corrected over all of them."""
    values = _values(trials, metric)
    every = {}
    for (detector, loss), of_loss in values.items():
        if loss.split(" ")[0] in PROPOSED and (detector, BASELINE) in values:
            base = values[detector, BASELINE]
            common = [pair for pair in of_loss if pair in base]
            if common:
                differences = [of_loss[pair] - base[pair] for pair in common]
                every[detector, loss] = np.array(differences, dtype=float)
    means = paired_means(list(every.values()))
    return [Help(*key, mean) for key, mean in zip(every, means, strict=True)]


def help_listing(trials: Sequence[Judged], block: str, metric: str, title: str) -> Listing:
    """Return the answers of `help_of` as rows of text, and below them how many detectors each loss helps."""
    helps = help_of(trials, metric)
    rows = [
        [
            each.detector,
            each.loss,
            str(each.difference.pairs),
            *each.difference.cells(),
            each.verdict,
        ]
        for each in helps
    ]
    heads = ["detector", "loss", "pairs", "loss - CE [95%]", "effect size", "p (Holm)", "verdict"]
    named = f"{block}: does BL or PZ help? {title}"
    return Listing(f"{block}-{metric}-help", named, heads, rows, [*_counts(helps), _HELP])


def _counts(helps: Sequence[Help]) -> list[str]:
    """Return for each loss how many detectors have each verdict, such as `BL 0.4: helps 2, undecided 3.`."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for each in helps:
        counts[each.loss][each.verdict] += 1
    return [
        f"{loss}: {', '.join(f'{verdict} {count}' for verdict, count in sorted(of_loss.items()))}."
        for loss, of_loss in counts.items()
    ]


def main(arguments: list[str]) -> int:
    """Print the listings; return the exit code."""
    options = parser("detectors", __doc__, out=False)
    options.add_argument("--out", type=Path, help="folder to write detectors.md to")
    chosen = options.parse_args(arguments)
    text = "\n".join(each.markdown() for each in listings(feed(existing(chosen.results), chosen.sweep)))
    text = text or "No block of detectors has results: noisebench run sweeps/detectors.yaml\n"
    if chosen.out is not None:
        chosen.out.mkdir(parents=True, exist_ok=True)
        (chosen.out / "detectors.md").write_text(text, encoding="utf-8")
    print(text, end="")
    return 0


def _values(trials: Sequence[Judged], metric: str) -> dict[tuple[str, str], dict[Hashable, float]]:
    """Return the metric by detector and loss, then by pair, without trials that lack it."""
    values: dict[tuple[str, str], dict[Hashable, float]] = defaultdict(dict)
    for trial in trials:
        value = getattr(trial, metric)
        if value is not None:
            values[trial.detector, trial.loss][trial.pair] = value
    return dict(values)


def _column(
    values: dict[tuple[str, str], dict[Hashable, float]], detectors: Sequence[str], loss: str
) -> dict[str, str]:
    """Return the means under a loss as text, the best and what is tied with it marked."""
    here = {name: values[name, loss] for name in detectors if (name, loss) in values}
    means = {name: float(np.mean(list(of_pair.values()))) for name, of_pair in here.items()}
    if len(means) < 2:
        return {name: f"{mean:.4f}" for name, mean in means.items()}
    best = max(means, key=lambda name: means[name])
    others = [name for name in here if name != best]
    raw = [
        paired_test(
            np.array([here[best][pair] - here[name][pair] for pair in here[name] if pair in here[best]])
        )
        for name in others
    ]
    tied = {name for name, p in zip(others, holm(raw), strict=True) if not p <= LEVEL}
    marks = {best: "¹"} | dict.fromkeys(tied, " =")
    return {name: f"{mean:.4f}{marks.get(name, '')}" for name, mean in means.items()}


def _ranks(
    values: dict[tuple[str, str], dict[Hashable, float]], detectors: Sequence[str], losses: Sequence[str]
) -> tuple[dict[str, float], str]:
    """Return mean ranks over the trainings that all detectors judged, and what tests say of them."""
    if len(detectors) < 3:
        return {}, ""
    rows = [
        [values[name, loss][pair] for name in detectors]
        for loss in losses
        for pair in values.get((detectors[0], loss), {})
        if all(pair in values.get((name, loss), {}) for name in detectors)
    ]
    if len(rows) < 2:
        return {}, ""
    scores = np.array(rows, dtype=float)
    if not np.ptp(scores, axis=1).any():
        return {}, ""  # all are equal everywhere, for which Friedman's test has no value
    ranking = average_ranks(detectors, scores)
    note = (
        f"Friedman's test over {ranking.rows} trainings: p = {ranking.friedman_p:.2g}; mean ranks that "
        f"differ by less than {ranking.critical_difference:.2f} are tied (Nemenyi, .05)."
    )
    return dict(zip(ranking.methods, ranking.ranks.tolist(), strict=True)), note


def _labels(detectors: dict[str, dict[str, object]]) -> dict[str, str]:
    """Return by config_id the detector's name, with the parameters that differ among those of its name.

    A parameter without a value, or left out because it has its default, is not shown.
    """
    by_name: dict[object, list[dict[str, object]]] = defaultdict(list)
    for fields in detectors.values():
        by_name[fields["name"]].append(fields)
    keys = {name: differing(group) for name, group in by_name.items()}
    labels = {}
    for config_id, fields in detectors.items():
        shown = [key for key in keys[fields["name"]] if fields.get(key) is not None]
        labels[config_id] = " ".join([str(fields["name"]), *(f"{key} {plain(fields[key])}" for key in shown)])
    return labels


def _loss(trial: BlockTrial) -> str:
    return trial.loss if trial.value is None or trial.loss == BASELINE else f"{trial.loss} {trial.value:g}"


def _losses(trials: Sequence[Judged]) -> list[str]:
    """Return the losses in the order in which they come, BL and PZ last."""
    once = dict.fromkeys(trial.loss for trial in trials)
    return sorted(once, key=lambda loss: loss.split(" ")[0] in PROPOSED)


def _pair(trial: BlockTrial) -> Hashable:
    """The hash of the given labels tells corruption and seed; other settings of training do not pair."""
    return (
        trial.noise_hash,
        trial.corruption,
        trial.eta,
        trial.seed,
        trial.model,
        trial.epochs,
        trial.arithmetic,
    )


if __name__ == "__main__":
    run(main)
