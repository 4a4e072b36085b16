"""`noisebench doctor`: check this machine or a cluster for problems that would stop a sweep."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from noisebench.cli.options import Data, Json

if TYPE_CHECKING:
    from noisebench.engine.preflight import Finding
    from noisebench.sweep.sweep import Sweep


def doctor(
    site: Annotated[
        Path | None,
        typer.Option("--site", help="Check this cluster, by its profile; default: this machine."),
    ] = None,
    spec: Annotated[
        Path | None,
        typer.Option("--spec", help="Check also the data files and the time that this sweep needs."),
    ] = None,
    results: Annotated[
        Path | None,
        typer.Option(
            "--results", envvar="NOISEBENCH_RESULTS", file_okay=False, help="Folder of all results."
        ),
    ] = None,
    data: Data = None,
    wait_minutes: Annotated[
        float,
        typer.Option("--wait-minutes", min=0, help="Minutes to wait for the probe jobs; 0: send none."),
    ] = 5,
    as_json: Json = False,
) -> None:
    """Check this machine or a cluster for problems that would stop a sweep, with a fix for each.

    Exit code 3 if there is a problem."""
    from noisebench.sweep.sweep import load_sweep

    sweep = None if spec is None else load_sweep(spec)
    if site is None:
        findings = _here(sweep, results, data)
    else:
        findings = _on_site(site, sweep, results, data, wait_minutes)
    if as_json:
        print(json.dumps([{**asdict(finding), "ok": finding.ok} for finding in findings]))
    else:
        _print(findings)
    if not all(finding.ok for finding in findings):
        raise typer.Exit(3)


def _print(findings: list[Finding]) -> None:
    for finding in findings:
        print(f"{'ok' if finding.ok else 'problem':8}{finding.check}: {finding.seen}")
        if finding.fix is not None:
            print(f"{'':8}{finding.fix}")


def _here(sweep: Sweep | None, results: Path | None, data: Path | None) -> list[Finding]:
    from noisebench.cli.options import DEFAULT_RESULTS
    from noisebench.data.files import needed_files
    from noisebench.engine.preflight import data_findings, machine_findings, results_findings
    from noisebench.records.folders import ResultsFolder

    files = [] if sweep is None else needed_files(list(sweep.trials()))
    return [
        *machine_findings(),
        *results_findings(ResultsFolder((results or DEFAULT_RESULTS).absolute())),
        *data_findings(files, data),
    ]


def _on_site(
    site: Path, sweep: Sweep | None, results: Path | None, data: Path | None, wait_minutes: float
) -> list[Finding]:
    from noisebench.cli.slurm import shared_data, shared_results
    from noisebench.data.files import needed_files
    from noisebench.engine.preflight import results_findings
    from noisebench.slurm.doctor import cluster_findings
    from noisebench.slurm.site import load_site
    from noisebench.slurm.survey import probe_findings

    def on_wait(roles: list[str]) -> None:
        if sys.stderr.isatty():
            print(f"\rwaiting for the probe as {' and '.join(roles)} ", end="", file=sys.stderr, flush=True)

    profile = load_site(site)
    folder = shared_results(results, profile)
    trials = [] if sweep is None else list(sweep.trials())
    findings = [*cluster_findings(profile, folder, trials), *results_findings(folder)]
    # With a known problem, the probe jobs would only wait.
    if all(finding.ok for finding in findings) and wait_minutes:
        files = tuple(needed_files(trials))
        findings += probe_findings(profile, folder, files, shared_data(data, profile), wait_minutes, on_wait)
    return findings
