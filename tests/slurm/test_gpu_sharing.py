"""Each pool's GPUs take as many trials as were measured on GPUs of their kind."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from noisebench.engine.node import GPU_COUNTS_VARIABLE, gpu_share
from noisebench.records.folders import ResultsFolder
from noisebench.slurm.gpu_sharing import calibrated, shared
from noisebench.slurm.site import Site, parse_site
from noisebench.slurm.submission import submission_for, unit_of
from noisebench.sweep.calibration import FILE, Calibration, Measured
from noisebench.sweep.trial import Trial
from tests.trials import sweep_of

V100, A100 = "Tesla V100-SXM2-32GB", "NVIDIA A100-SXM4-80GB"
POOLS = """\
site: x
driver: {minutes: 60}
workers:
  - {minutes: 30, count: 2, cpus: 16, gpu_request: "--gres=gpu:v100:4"}
  - {minutes: 30, count: 1, cpus: 64, gpu_request: "--gpus-per-node=8", constraint: a100}
"""


def measured(device: str, model: str, together: int, precision: str = "reference") -> Measured:
    return Measured(device, True, model, 8, precision, 1e5, 3e5, 900.0, together)


CALIBRATION = Calibration(
    (
        *(measured(V100, "small-cnn", 4), measured(A100, "small-cnn", 6)),
        *(measured(V100, "resnet-34", 1), measured(A100, "resnet-34", 2)),
    )
)


def sharing(site: Site) -> tuple[list[int], dict[str, int]]:
    return [job.trials_factor for job in site.workers], dict(site.trials_per_gpu)


def of_models(*models: str) -> list[Trial]:
    return list(sweep_of(training=f"{{model: [{', '.join(models)}]}}").trials())


def test_with_one_model_each_pool_has_its_own_number() -> None:
    factors, trials_per_gpu = sharing(
        calibrated(parse_site(POOLS, "x.yaml"), CALIBRATION, of_models("small-cnn"))
    )
    assert [factor * trials_per_gpu["small-cnn"] for factor in factors] == [4, 6]


def test_a_number_in_the_profile_has_priority() -> None:
    text = f"{POOLS}trials_per_gpu: {{small-cnn: 3}}\n"
    site = parse_site(text, "x.yaml")
    assert calibrated(site, CALIBRATION, of_models("small-cnn")) is site
    factors, trials_per_gpu = sharing(calibrated(site, CALIBRATION, of_models("small-cnn", "resnet-34")))
    assert (factors, trials_per_gpu) == ([1, 1], {"small-cnn": 3, "resnet-34": 1})


@pytest.mark.parametrize(
    "request_", ["--gres=gpu:4", "--gres=gpu:h100:4", "--gres=gpu:a100_1g.10gb:4", "--gpus-per-node=4"]
)
def test_gpus_of_a_kind_that_was_not_measured_are_as_the_profile_says(request_: str) -> None:
    text = POOLS[: POOLS.index("  - {minutes: 30, count: 1")].replace("--gres=gpu:v100:4", request_)
    site = parse_site(text, "x.yaml")
    assert calibrated(site, CALIBRATION, of_models("small-cnn")) is site


def test_a_pool_without_a_measurement_keeps_its_number_beside_a_measured_one() -> None:
    only = Calibration((measured(V100, "small-cnn", 4),))
    factors, trials_per_gpu = sharing(calibrated(parse_site(POOLS, "x.yaml"), only, of_models("small-cnn")))
    assert [factor * trials_per_gpu["small-cnn"] for factor in factors] == [4, 1]


def test_cpus_are_not_divided_by_the_number_for_gpus() -> None:
    site = parse_site(
        "site: x\ndriver: {minutes: 60}\nworkers: {minutes: 30, count: 1, constraint: a100}\n", "x"
    )
    assert calibrated(site, CALIBRATION, of_models("small-cnn")) is site


@pytest.mark.parametrize(
    ("numbers", "gpus", "factors", "parts"),
    [
        ([(4, 1), (12, 2)], (8, 8), (1, 2), (4, 1)),
        ([(4, 2), (8, 4)], (8, 8), (1, 2), (4, 2)),
        ([(6, 4), (4, 6)], (8, 8), (1, 1), (4, 4)),
        ([(3, 1), (2, 1)], (1, 1), (1, 1), (2, 1)),
    ],
)
def test_no_gpu_takes_more_trials_than_were_measured(
    numbers: Sequence[tuple[int, int]],
    gpus: tuple[int, int],
    factors: tuple[int, ...],
    parts: tuple[int, int],
) -> None:
    named = [dict(zip(("a", "b"), own, strict=True)) for own in numbers]
    found, trials_per_gpu = shared(named, gpus)
    assert (found, tuple(trials_per_gpu.values())) == (factors, parts)
    for own, factor in zip(named, found, strict=True):
        assert all(factor * trials_per_gpu[model] <= number for model, number in own.items())


def test_a_submission_reads_the_calibration_of_its_results_folder(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text(CALIBRATION.as_json())
    trials = list(sweep_of(seeds="40").trials())
    site = parse_site(POOLS, "x.yaml")
    submission = submission_for(ResultsFolder(tmp_path).sweep("test"), trials, site)
    # Two nodes of four V100s take 32 trials, the third has the rest.
    assert submission.workers == 3
    assert sharing(submission.site) == ([2, 3], {"small-cnn": 2})
    unit = unit_of(submission.site)
    # Of a V100's eight places each has 16/8 of the cores, of an A100's 24 places 64/24.
    assert (unit.gpus, unit.cpus) == (8, 16.0)


def test_a_gpu_that_counts_n_times_is_shared_by_n_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    assert gpu_share(0.5) == 0.5
    monkeypatch.setenv(GPU_COUNTS_VARIABLE, "2")
    assert gpu_share(0.5) == 0.25


def test_kinds_of_gpus_in_the_names_that_clusters_give_them() -> None:
    every = Calibration(tuple(measured(device, "small-cnn", 1) for device in (V100, A100)))
    names = {
        "v100": [V100],
        "tesla_v100-sxm2-32gb": [V100],
        "nvidia_a100_80gb_pcie": [A100],
        "a100_1g.10gb": [],
        "sxm2": [],
        "": [],
    }
    for name, devices in names.items():
        assert [own.device for own in every.of_gpus(name).measured] == devices
