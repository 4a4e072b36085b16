"""Write the tables of `docs/sweeps.md` from the descriptors: `python -m noisebench.catalogue.document`.

A table stands between `<!-- table: NAME -->` and `<!-- end of table -->`; the text around it is written by
hand. With `--check` nothing is written, and the exit code is 1 where a table is out of date.
"""

from __future__ import annotations

import argparse
import math
import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from noisebench.catalogue.component import Component
from noisebench.catalogue.corruptions import CORRUPTIONS
from noisebench.catalogue.datasets import DATASETS, FOLDER, DatasetDescriptor
from noisebench.catalogue.detectors import DETECTORS
from noisebench.catalogue.losses import LOSSES, LossDescriptor
from noisebench.catalogue.models import MODELS, Rate
from noisebench.catalogue.parameters import FROM_RECIPE, REQUIRED, Parameter
from noisebench.catalogue.plans import Plan
from noisebench.catalogue.training import SCHEDULES, TRAINING

_TABLE = re.compile(r"(<!-- table: ([a-z]+) -->\n).*?(<!-- end of table -->)", re.DOTALL)

Rows = Iterable[Sequence[str]]


def with_tables(text: str) -> str:
    """Return a document with new tables; raise KeyError for an unknown table."""
    return _TABLE.sub(lambda mark: mark[1] + _markdown(*TABLES[mark[2]]()) + mark[3], text)


def _losses() -> tuple[Sequence[str], Rows]:
    return ("name", "formula", "parameters", "source"), (
        (f"`{loss.name}`", f"`{loss.formula}`", _of_loss(loss), loss.source) for loss in LOSSES.values()
    )


def _of_loss(loss: LossDescriptor) -> str:
    delay = {"delay": loss.fields["delay"]} if loss.delay else {}
    return _parameters({**loss.parameters, **delay})


def _corruptions() -> tuple[Sequence[str], Rows]:
    return ("kind", "parameters", "source"), (
        (f"`{kind.name}`", _parameters(kind.parameters), kind.source) for kind in CORRUPTIONS.values()
    )


def _detectors() -> tuple[Sequence[str], Rows]:
    return ("name", "parameters", "models", "passes an epoch", "source"), (
        (f"`{one.name}`", _parameters(one.parameters), *_cost(one.training), one.source)
        for one in DETECTORS.values()
    )


def _cost(plan: Plan) -> tuple[str, str]:
    """Return how many models a plan trains and how often an epoch of all sees each sample."""
    if plan.fits is None:
        return str(plan.models), str(plan.models)
    fits = f"`{plan.fits}`"
    return fits, f"{fits} - 1" if plan.held_out else fits


def _datasets() -> tuple[Sequence[str], Rows]:
    return ("name", "samples", "test", "classes", "image", "parameters", "source"), (
        _of_dataset(dataset) for dataset in DATASETS.values()
    )


def _of_dataset(dataset: DatasetDescriptor) -> Sequence[str]:
    channels, height, width = dataset.shape
    return (
        f"`{dataset.name}`",
        f"{dataset.samples:,}",
        f"{dataset.test_samples:,}" if dataset.test_samples else "",
        str(dataset.classes),
        f"{channels} x {height} x {width}",
        _parameters(dataset.parameters),
        dataset.source,
    )


def _folder() -> tuple[Sequence[str], Rows]:
    return ("field of `{folder: PATH}`", "value", "default"), (
        row for row in _fields(FOLDER.parameters) if row[0] != "`path`"
    )


def _training() -> tuple[Sequence[str], Rows]:
    schedule = Parameter("text", FROM_RECIPE, choices=tuple(SCHEDULES))
    return ("field", "value", "default"), _fields({**TRAINING, "schedule": schedule})


def _schedules() -> tuple[Sequence[str], Rows]:
    return ("name", "parameters"), (
        (f"`{one.name}`", _parameters(one.parameters)) for one in SCHEDULES.values()
    )


def _models() -> tuple[Sequence[str], Rows]:
    return ("name", "pretrained weights", "images/s, V100", "images/s, one CPU thread", "source"), (
        (f"`{one.name}`", "yes" if one.weights else "", _rates(one.v100), _rates(one.cpu), one.source)
        for one in MODELS.values()
    )


def _rates(rates: Mapping[int, Rate]) -> str:
    return ", ".join(f"{rate.training:,g} at {height}x{height}" for height, rate in rates.items())


def _recipes() -> tuple[Sequence[str], Rows]:
    """Return one row for each recipe, and one for each detector that it trains differently."""
    users: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for dataset in [*DATASETS.values(), FOLDER]:
        name = "your own" if dataset is FOLDER else dataset.name
        recipe = dataset.recipe
        losses = ", ".join(_value(value) for value in recipe.losses.values())
        for detector in ("", *recipe.by_detector):
            row = (*_recipe(recipe.training_for(detector)), losses)
            users.setdefault((detector, row), []).append(name)
    heads = ("data set", "detector", "model", "optimizer", "epochs", "schedule", "input", "ANL parameters")
    return heads, (
        (", ".join(names), f"`{detector}`" if detector else "", *row)
        for (detector, row), names in users.items()
    )


def _recipe(training: Mapping[str, Any]) -> tuple[str, ...]:
    extra = [
        f"{name.replace('_', ' ')} {training[name]:g}"
        for name in ("momentum", "weight_decay")
        if training[name]
    ]
    schedule: Component = training["schedule"]
    inside = ", ".join(f"{name} {_value(value)}" for name, value in schedule.parameters)
    return (
        training["model"] + (", pretrained" if training["pretrained"] else ""),
        ", ".join([f"{training['optimizer']} {training['learning_rate']:g}", *extra]),
        f"{training['epochs']} of batch {training['batch_size']}",
        f"{schedule.name}: {inside}" if inside else schedule.name,
        training["input_scale"]
        + ("" if training["augmentation"] == "none" else f", {training['augmentation']}"),
    )


TABLES: Mapping[str, Callable[[], tuple[Sequence[str], Rows]]] = {
    "losses": _losses,
    "corruptions": _corruptions,
    "detectors": _detectors,
    "datasets": _datasets,
    "folder": _folder,
    "training": _training,
    "schedules": _schedules,
    "models": _models,
    "recipes": _recipes,
}


def _parameters(parameters: Mapping[str, Parameter]) -> str:
    return "; ".join(f"`{name}` {_default(one)}{_limits(one)}" for name, one in parameters.items())


def _limits(parameter: Parameter) -> str:
    """Return the other choices or the range of a parameter in brackets, nothing where there are none."""
    others = [choice for choice in parameter.choices if choice != parameter.default]
    if others:
        return f" (or {', '.join(others)})"
    if parameter.kind == "matrix":
        return " (rows of probabilities)"
    low, high = parameter.low, parameter.high
    if math.isinf(low) and math.isinf(high):
        return ""
    if math.isinf(high):
        return f" ({'>' if parameter.open_low else '>='} {low:g})"
    if math.isinf(low):
        return f" ({'<' if parameter.open_high else '<='} {high:g})"
    return f" (in {'(' if parameter.open_low else '['}{low:g}, {high:g}{')' if parameter.open_high else ']'})"


def _fields(parameters: Mapping[str, Parameter]) -> Rows:
    return ((f"`{name}`", one.describe(), _default(one)) for name, one in parameters.items())


def _default(parameter: Parameter) -> str:
    if parameter.default is REQUIRED:
        return "required"
    if parameter.default is FROM_RECIPE:
        return "from the recipe"
    return "optional" if parameter.default is None else _value(parameter.default)


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)


def _markdown(head: Sequence[str], rows: Rows) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |\n" for line in lines)


def main(arguments: Sequence[str]) -> int:
    """Write the tables of a document, or check them; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m noisebench.catalogue.document", description=__doc__)
    parser.add_argument("document", type=Path, nargs="?", default=Path("docs/sweeps.md"))
    parser.add_argument(
        "--check", action="store_true", help="write nothing; exit code 1 where it is out of date"
    )
    options = parser.parse_args(arguments)
    before = options.document.read_text(encoding="utf-8")
    after = with_tables(before)
    if options.check and after != before:
        command = f"python -m noisebench.catalogue.document {options.document}"
        print(f"{options.document}: its tables are out of date; run `{command}`", file=sys.stderr)
        return 1
    if not options.check:
        options.document.write_text(after, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
