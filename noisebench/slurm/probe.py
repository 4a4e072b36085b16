"""A look at a node from within, in the place of a driver or a worker."""

from __future__ import annotations

import json
import platform
from dataclasses import asdict, dataclass
from pathlib import Path

from noisebench.catalogue.files import DataFile
from noisebench.engine.preflight import Finding, data_findings, machine_findings, results_findings
from noisebench.errors import EnvironmentFault
from noisebench.records import provenance
from noisebench.records.durable import write_durably
from noisebench.records.folders import ResultsFolder
from noisebench.slurm.allocation import own_address


@dataclass(frozen=True)
class Probe:
    """What a node is to look at: `folder` is shared, and holds a file `word` with the word."""

    role: str
    folder: Path
    word: str
    results: ResultsFolder
    interface: str | None
    gpu: bool
    data_dir: Path | None
    files: tuple[DataFile, ...]

    @property
    def answer(self) -> Path:
        """Where the node writes what it found."""
        return self.folder / f"{self.role}.json"


def look(probe: Probe) -> None:
    """Look around on a node; runs inside a job."""
    seen = (probe.folder / "word").read_text()
    try:
        address = Finding("address", own_address(probe.interface))
    except EnvironmentFault as fault:
        address = Finding("address", str(fault), "correct `interface:` in the site")
    found = [
        address,
        *machine_findings(gpu=probe.gpu),
        *results_findings(probe.results),
        *data_findings(probe.files, probe.data_dir),
    ]
    answer = {
        "word": seen,
        "host": provenance.host(),
        "python": platform.python_version(),
        "source": provenance.source_hash(),
        "findings": [asdict(finding) for finding in found],
    }
    write_durably(probe.answer, json.dumps(answer).encode())
