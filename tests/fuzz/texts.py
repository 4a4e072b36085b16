"""Sweeps and profiles of sites with damage: each is read or refused with one message."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import yaml

from noisebench.errors import InputError
from noisebench.slurm.site import parse_site
from noisebench.sweep.sweep import parse_sweep
from tests.fuzz.inputs import damaged, replaced

ROOT = Path(__file__).parents[2]
SPECS = sorted((ROOT / "sweeps").glob("*.yaml"))
PROFILES = sorted((ROOT / "slurm").rglob("*.yaml"))


@cache
def _members(text: str) -> dict[str, Any]:
    """Return the mapping of a YAML text; not to be changed."""
    members: dict[str, Any] = yaml.safe_load(text)
    return members


def changed(random: Random, files: list[Path]) -> str:
    """Return the text of one of the files with a value or some bytes changed."""
    text = random.choice(files).read_text()
    if random.random() < 0.5:
        return damaged(random, text.encode()).decode(errors="replace")
    members, _ = replaced(random, _members(text))
    return yaml.safe_dump(members, allow_unicode=random.random() < 0.5, sort_keys=False)


@contextmanager
def specs(_: Path) -> Iterator[Callable[[Random], Counter[str]]]:
    """Yield the check of one sweep: parsed, also a second time from its own text, or an InputError."""

    def check(random: Random) -> Counter[str]:
        text = changed(random, SMALL_SPECS)
        try:
            sweep = parse_sweep(text, str(SPECS[0]))
        except InputError:
            return Counter(["refused"])
        assert parse_sweep(sweep.text, str(SPECS[0])).blocks == sweep.blocks
        return Counter(["parsed"])

    yield check


@contextmanager
def profiles(_: Path) -> Iterator[Callable[[Random], Counter[str]]]:
    """Yield the check of one profile: parsed, or an InputError."""

    def check(random: Random) -> Counter[str]:
        try:
            parse_site(changed(random, PROFILES), "site.yaml")
        except InputError:
            return Counter(["refused"])
        return Counter(["parsed"])

    yield check


# Large grids take a second each and have no other syntax.
SMALL_SPECS = [path for path in SPECS if path.stat().st_size < 4000] or SPECS
