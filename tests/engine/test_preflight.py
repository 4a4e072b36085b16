"""Preflight checks report each problem with a fix."""

import gzip
import os
from pathlib import Path

import pytest
import torch

from noisebench.data.files import needed_files
from noisebench.engine.preflight import built_for, data_findings, machine_findings, results_findings
from noisebench.records.folders import ResultsFolder
from tests.trials import trial_of

SHIPPED = ["sm_75", "sm_80", "sm_86", "sm_90", "compute_90"]


@pytest.mark.parametrize(
    ("architectures", "capability", "runs"),
    [
        (SHIPPED, (7, 0), False),  # a V100 with a recent build
        (["sm_50", "sm_60", "sm_70"], (7, 0), True),
        (SHIPPED, (8, 9), True),  # by the code for 8.6
        (["sm_86"], (8, 0), False),
        (SHIPPED, (12, 0), True),  # by PTX
        (["sm_90a"], (9, 0), True),
        ([], (8, 0), False),
    ],
)
def test_a_build_supports_the_devices_of_its_architectures(
    architectures: list[str], capability: tuple[int, int], runs: bool
) -> None:
    assert built_for(architectures, capability) is runs


def test_this_machine_is_checked_for_python_torch_and_memory() -> None:
    assert {finding.check for finding in machine_findings()} == {"python", "torch", "memory"}
    (needed,) = (finding for finding in machine_findings(gpu=True) if finding.check == "torch")
    assert needed.ok == torch.cuda.is_available()


def test_a_writable_results_folder_passes_and_is_not_changed(tmp_path: Path) -> None:
    findings = results_findings(ResultsFolder(tmp_path / "not" / "yet"))
    assert [(finding.check, finding.ok) for finding in findings] == [("results", True), ("clock", True)]
    assert list(tmp_path.iterdir()) == []


def test_an_unwritable_results_folder_fails(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        folder = Path("/proc/noisebench")
    else:
        folder = tmp_path
        folder.chmod(0o500)
    (finding,) = results_findings(ResultsFolder(folder))
    assert finding.check == "results"
    assert finding.fix is not None
    assert "choose another folder with --results" in finding.fix


def test_absent_or_damaged_data_files_fail(tmp_path: Path) -> None:
    assert [finding.ok for finding in data_findings([], None)] == [True]
    files = needed_files([trial_of(dataset="MNIST", training="{}")])
    (nowhere,) = data_findings(files, None)
    assert "--data DIR" in (nowhere.fix or "")
    (tmp_path / "MNIST/raw").mkdir(parents=True)
    (tmp_path / "MNIST/raw/train-labels-idx1-ubyte.gz").write_bytes(gzip.compress(b"damaged"))
    findings = data_findings(files, tmp_path)
    assert len(findings) == 4
    assert sorted("missing" in finding.seen for finding in findings) == [False, True, True, True]
