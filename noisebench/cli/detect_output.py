"""What `noisebench detect` prints on stdout: counts of suspects and the losses compared."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict

from noisebench.cli.suspects import DetectReport
from noisebench.cli.terminal import printable
from noisebench.review.candidates import Candidate, Rule, as_report, chosen
from noisebench.review.summary import ClassCount

MAX_PAIRS = 10
MAX_CLASSES = 20


def print_report(name: str, report: DetectReport, as_json: bool) -> None:
    """Print how many labels are suspected, by class and by pair, and where the files are."""
    summary = report.summary
    if as_json:
        candidates = [asdict(candidate) for candidate in report.candidates]
        answer = {"sweep": name, "notes": report.notes, "candidates": candidates, "bracket": report.bracket}
        answer["flag_rules"] = [asdict(rule) for rule in report.rules]
        answer |= summary.as_fields()
        print(json.dumps(answer, ensure_ascii=False))
        return
    if len(report.candidates) > 1 or report.bracket:
        _print_candidates(report.candidates)
    if report.rules:
        _print_rules(report.rules, report.leading)
    share = summary.suspects / summary.samples
    print(f"{summary.suspects:,} of {summary.samples:,} labels are suspected ({share:.1%})")
    if report.bracket:
        low, high = report.bracket
        print(
            f"estimate from planted errors: {low:,} to {high:,} labels are wrong "
            f"({low / summary.samples:.1%} to {high / summary.samples:.1%})"
        )
    _print_classes(summary.by_class)
    if summary.pairs:
        print("most confused (given -> suggested):")
    for pair in summary.pairs[:MAX_PAIRS]:
        print(f"  {printable(pair.given)} -> {printable(pair.suggested)}  {pair.count:,}")
    for path in summary.files:
        print(path)


def _print_classes(by_class: Sequence[ClassCount]) -> None:
    """Print the suspects of each class; of many classes, only those with the most suspects."""
    shown = by_class
    if len(by_class) > MAX_CLASSES:
        shown = sorted(by_class, key=lambda each: -each.suspects)[:MAX_CLASSES]
        print(f"the {MAX_CLASSES} classes with the most suspects, of {len(by_class):,}:")
    width = max(len(printable(each.name)) for each in shown)
    for each in shown:
        print(f"  {printable(each.name):{width}}  {each.suspects:>6,} of {each.samples:,}")


def _print_rules(rules: tuple[Rule, ...], leading: str) -> None:
    width = max(len(rule.detector) for rule in rules)
    used = ", of which the first was used" if rules[0].detector == leading else ""
    print(f"detectors and flag rules on planted errors{used}:")
    for each in rules:
        print(
            f"  {each.detector:{width}}  AUROC {each.auroc:.3f}  flags {each.uniform:.0%} of uniform, "
            f"{each.likely:.0%} of likely, {each.others:.1%} of all other labels"
        )


def _print_candidates(candidates: tuple[Candidate, ...]) -> None:
    used, width = chosen(candidates), max(len(candidate.loss) for candidate in candidates)
    report = as_report(candidates)
    print(f"losses (* used: {report['rule']}):")
    for each in candidates:
        line = f"{each.loss:{width}}  accuracy {each.accuracy:.4f}  flags {each.flagged:,}"
        if each.auroc is not None:
            line += f"  plants: AUROC {each.auroc:.3f}, "
            line += f"flags {each.uniform:.0%} of uniform, {each.likely:.0%} of likely"
        print(f"{'*' if each in used else ' '} {line}{'  failed' if each.failed else ''}")
    print(report["limits"])
