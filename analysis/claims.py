"""`python -m analysis.claims`: each claim of the papers as paired tests in each setting, with its verdict."""

import json
import math
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from analysis.claim_sql import (
    claim_blocks,
    claim_differences,
    claim_names,
    claim_text,
    is_about_single_settings,
    settings_by_recipe,
)
from analysis.feeding import Feed, feed
from analysis.items import BLOCK_SPECS
from analysis.listing import Listing
from analysis.options import existing, parser, run
from analysis.significance import PairedMean, paired_means

HEADS = ("claim", "part", "setting", "pairs", "mean difference [95%]", "effect size", "p (Holm)", "verdict")
VERDICTS = ("holds", "contradicted", "undecided", "too few seeds")
_NOTE = (
    "Two-sided paired t-tests over seeds, one a setting, corrected over the tests of a claim (Holm), at .05. "
    "Effect size: mean over deviation of the differences. A claim holds where every test does; it is mixed "
    "where some hold and some are contradicted, and holds in part where the rest is undecided or was not "
    "measured."
)


@dataclass(frozen=True)
class SettingTest:
    """One paired difference of a claim in one setting, above 0 where the claim is right.

    Its p-value is corrected over the claim.
    """

    part: str
    setting: str
    difference: PairedMean

    @property
    def verdict(self) -> str:
        """Return holds, contradicted, undecided or too few seeds."""
        return self.difference.verdict("holds", "contradicted", few="too few seeds")


@dataclass(frozen=True)
class Claim:
    """A claim with its tests; `missing` are the papers' blocks that no sweep here has.

    Tests of other sweeps' blocks may then still stand for some of the settings.
    """

    name: str
    text: str
    tests: tuple[SettingTest, ...]
    missing: tuple[str, ...]

    @property
    def counts(self) -> Counter[str]:
        """How many tests have each verdict."""
        return Counter(test.verdict for test in self.tests)

    @property
    def verdict(self) -> str:
        """Return one verdict over all settings: see the note below the listing."""
        verdicts = set(self.counts)
        if not verdicts:
            return "no data"
        if "contradicted" in verdicts:
            return "mixed" if "holds" in verdicts else "contradicted"
        if "holds" in verdicts:
            return "holds in part" if self.missing or len(verdicts) > 1 else "holds"
        return "undecided" if "undecided" in verdicts else "too few seeds"

    @property
    def summary(self) -> str:
        """How many tests hold, or the command that would give the data."""
        specs = dict.fromkeys(f"sweeps/{BLOCK_SPECS[block]}" for block in self.missing)
        command = f"run {' and '.join(specs)}"
        if not self.tests:
            return f"no data: {command}"
        words = {"holds": "hold"}
        counts = [f"{self.counts[name]} {words.get(name, name)}" for name in VERDICTS if self.counts[name]]
        counted = f"{', '.join(counts)} of {len(self.tests)}"
        return f"{counted}; for the other settings {command}" if specs else counted


def evaluate_claims(source: Feed) -> list[Claim]:
    """Return every claim, tested in each of its settings; the papers' main claim comes first."""
    names = sorted(claim_names(), key=lambda name: (not name.startswith("proposed-"), name))
    return [_evaluate(source, name) for name in names]


def listings(claims: list[Claim]) -> tuple[Listing, Listing]:
    """Return each claim with its verdict, then every test."""
    heads = ("claim", "tests", "verdict")
    rows = [[claim.text, claim.summary, claim.verdict] for claim in claims]
    details = [[claim.name, *_test_row(test)] for claim in claims for test in claim.tests]
    return (
        Listing("claims", "The papers' claims", heads, rows, [_NOTE]),
        Listing("claim-tests", "Every test", HEADS, details),
    )


def claim_tests(claim: Claim) -> Listing:
    """Return the tests of one claim."""
    return Listing(f"claim-{claim.name}", "", HEADS[1:], [_test_row(test) for test in claim.tests])


def main(arguments: list[str]) -> int:
    """Print the claims; return the exit code, 0 whatever the verdicts: they are findings, not failures."""
    options = parser("claims", __doc__, out=False)
    options.add_argument("--json", action="store_true", help="print JSON")
    options.add_argument("--out", type=Path, help="folder to write claims.md to")
    chosen = options.parse_args(arguments)
    claims = evaluate_claims(feed(existing(chosen.results), chosen.sweep))
    text = "\n".join(listing.markdown() for listing in listings(claims))
    if chosen.out is not None:
        chosen.out.mkdir(parents=True, exist_ok=True)
        (chosen.out / "claims.md").write_text(text, encoding="utf-8")
    if chosen.json:
        print(json.dumps([_plain(claim) for claim in claims]))
    else:
        print(text, end="")
    return 0


def _evaluate(source: Feed, name: str) -> Claim:
    differences = _differences(source, name)
    means = paired_means([np.array(values) for values in differences.values()])
    tests = tuple(SettingTest(*key, mean) for key, mean in zip(differences, means, strict=True))
    missing = tuple(block for block in claim_blocks(name) if source.sweep(block) is None)
    return Claim(name, claim_text(name), tests, missing if missing or tests else tuple(claim_blocks(name)))


def _differences(source: Feed, name: str) -> dict[tuple[str, str], list[float]]:
    """Return the differences from the papers' blocks, then those that only other blocks have."""
    sweeps = {block: sweep for block in claim_blocks(name) if (sweep := source.sweep(block))}
    whole = len(sweeps) == len(claim_blocks(name))
    differences = claim_differences(source.store, name, sweeps) if whole else {}
    if not is_about_single_settings(name):
        return differences
    elsewhere = {
        (part, f"{setting} (sweep {sweep})"): values
        for (part, setting), (sweep, values) in _measured_elsewhere(source, name).items()
        if (part, setting) not in differences
    }
    return differences | elsewhere


def _measured_elsewhere(source: Feed, name: str) -> dict[tuple[str, str], tuple[str, list[float]]]:
    """Return the differences from other blocks than the papers', each with the sweep of the most pairs."""
    fullest: dict[tuple[str, str], tuple[str, list[float]]] = {}
    (papers_block,) = claim_blocks(name)
    for sweep, block in source.blocks:
        if (sweep, block) == (source.sweep(papers_block), papers_block):  # read as the papers' block
            continue
        for setting in settings_by_recipe(source.store, sweep, block):
            differences = claim_differences(source.store, name, {papers_block: sweep}, [setting], block)
            for key, values in differences.items():
                if key not in fullest or len(values) > len(fullest[key][1]):
                    fullest[key] = sweep, values
    return fullest


def _test_row(test: SettingTest) -> list[str]:
    difference = test.difference
    return [test.part, test.setting, str(difference.pairs), *difference.cells(), test.verdict]


def _plain(claim: Claim) -> dict[str, Any]:
    """Return the claim for JSON, which has no NaN and no infinity."""
    tests = [
        {"part": test.part, "setting": test.setting}
        | {
            name: None if isinstance(value, float) and not math.isfinite(value) else value
            for name, value in asdict(test.difference).items()
        }
        | {"verdict": test.verdict}
        for test in claim.tests
    ]
    return {**asdict(claim), "verdict": claim.verdict, "summary": claim.summary, "tests": tests}


if __name__ == "__main__":
    run(main)
