"""`python -m analysis.claims`: each claim of the papers as paired tests, with its verdict."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from analysis.feeding import Feed, feed
from analysis.items import BLOCK_SPECS
from analysis.listing import Listing
from analysis.options import existing, parser, run
from analysis.significance import bootstrap_interval, holm, paired_test
from noisebench.store.claims import claim_blocks, claim_differences, claim_names, claim_text

LEVEL = 0.05
HEADS = ("claim", "part", "pairs", "mean difference [95%]", "p (Holm)", "verdict")


@dataclass(frozen=True)
class Part:
    """One paired difference of a claim, above 0 where it is right; `p` is two-sided, corrected over all."""

    name: str
    pairs: int
    mean: float
    low: float
    high: float
    p: float

    @property
    def verdict(self) -> str:
        """Return holds, contradicted, undecided or too few seeds."""
        if self.pairs < 2:
            return "too few seeds"
        if not self.p <= LEVEL:
            return "undecided"
        return "holds" if self.mean > 0 else "contradicted"


@dataclass(frozen=True)
class Claim:
    """A claim with its parts; `missing` are the blocks without which nothing can be said."""

    name: str
    text: str
    parts: tuple[Part, ...]
    missing: tuple[str, ...]

    @property
    def verdict(self) -> str:
        """Return holds where all parts do, else the worst that can be said of it."""
        verdicts = {part.verdict for part in self.parts}
        worst = ("contradicted", "too few seeds", "undecided", "holds")
        return next((verdict for verdict in worst if verdict in verdicts), "no data")

    @property
    def absence(self) -> str:
        """The command that would give the data, where there are none."""
        specs = " and ".join(f"sweeps/{BLOCK_SPECS[block]}" for block in self.missing)
        return f"no data: run {specs}"


def judged_claims(source: Feed) -> list[Claim]:
    """Return every claim, tested; p-values are corrected together (Holm)."""
    found = {name: _differences(source, name) for name in claim_names()}
    tests = [paired_test(np.array(values)) for parts in found.values() for values in parts.values()]
    corrected = iter(holm(tests))
    return [
        Claim(
            name,
            claim_text(name),
            tuple(_part(part, np.array(values), next(corrected)) for part, values in parts.items()),
            tuple(block for block in claim_blocks(name) if not parts and block in BLOCK_SPECS),
        )
        for name, parts in found.items()
    ]


def listing(claims: list[Claim]) -> Listing:
    """Return the claims in words, their parts below each."""
    rows = []
    for claim in claims:
        rows.append([claim.text, "", "", "", "", claim.verdict])
        rows += [_part_row(part) for part in claim.parts]
        if claim.missing:
            rows.append(["", claim.absence, "", "", "", ""])
    return Listing("claims", "The papers' claims", HEADS, rows)


def parts_listing(claim: Claim) -> Listing:
    """Return the parts of one claim with their tests."""
    rows = [_part_row(part)[1:] for part in claim.parts]
    return Listing(f"claim-{claim.name}", "", HEADS[1:], rows)


def main(arguments: list[str]) -> int:
    """Print the claims; return the exit code, 0 whatever the verdicts: they are findings, not failures."""
    options = parser("claims", __doc__, out=False)
    options.add_argument("--json", action="store_true", help="print JSON")
    options.add_argument("--out", type=Path, help="folder to write claims.md to")
    given = options.parse_args(arguments)
    claims = judged_claims(feed(existing(given.results), given.sweep))
    if given.out is not None:
        given.out.mkdir(parents=True, exist_ok=True)
        (given.out / "claims.md").write_text(listing(claims).markdown(), encoding="utf-8")
    if given.json:
        print(json.dumps([_plain(claim) for claim in claims]))
    else:
        print(listing(claims).markdown(), end="")
    return 0


def _part_row(part: Part) -> list[str]:
    known = part.pairs > 1
    interval = f" [{part.low:+.4f}, {part.high:+.4f}]" if known else ""
    p = f"{part.p:.2g}" if known else ""
    return ["", part.name, str(part.pairs), f"{part.mean:+.4f}{interval}", p, part.verdict]


def _plain(claim: Claim) -> dict[str, Any]:
    """Return the claim for JSON, which has no NaN."""
    parts = [
        {name: None if value != value else value for name, value in asdict(part).items()}
        | {"verdict": part.verdict}
        for part in claim.parts
    ]
    return {**asdict(claim), "verdict": claim.verdict, "parts": parts}


def _differences(source: Feed, name: str) -> dict[str, list[float]]:
    sweeps = {block: sweep for block in claim_blocks(name) if (sweep := source.sweep(block))}
    if len(sweeps) < len(claim_blocks(name)):
        return {}
    return claim_differences(source.results, name, sweeps)


def _part(name: str, differences: np.ndarray, p: float) -> Part:
    low, high = bootstrap_interval(differences)
    return Part(name, len(differences), float(differences.mean()), low, high, p)


if __name__ == "__main__":
    run(main)
