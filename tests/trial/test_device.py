"""A process never silently uses a slower device than was granted."""

from pathlib import Path

import pytest
import torch

from noisebench.errors import EnvironmentFault, InputError
from noisebench.trial import device
from noisebench.trial.device import OVERRIDE, choose_device, memory_fraction, visible_device

CPU = torch.device("cpu")


@pytest.fixture
def _no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)


@pytest.mark.usefixtures("_no_gpu")
def test_a_granted_gpu_that_is_not_visible_is_an_environment_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3")
    with pytest.raises(EnvironmentFault, match=r"a GPU was granted, but torch .*CUDA_VISIBLE_DEVICES is '3'"):
        choose_device(gpu=True)
    assert choose_device(gpu=False) == visible_device(gpu=True) == CPU


def test_the_first_visible_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert choose_device(gpu=True) == visible_device(gpu=True) == torch.device("cuda:0")
    assert choose_device(gpu=False) == visible_device(gpu=False) == CPU


@pytest.mark.usefixtures("_no_gpu")
def test_the_cpu_can_be_forced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(OVERRIDE, "cpu")
    assert choose_device(gpu=True) == CPU
    monkeypatch.setenv(OVERRIDE, "gpu")
    with pytest.raises(InputError, match="NOISEBENCH_DEVICE: 'gpu' is no device; the only value is cpu"):
        choose_device(gpu=True)


def test_processes_that_share_a_gpu_leave_room_for_their_contexts() -> None:
    total_mb = 16_000.0
    for processes in (2, 4, 8):
        torch_mb = memory_fraction(total_mb, 1 / processes) * total_mb
        assert processes * (torch_mb + 600) <= 0.9 * total_mb + 1
    assert memory_fraction(1_000, 0.1) == 0.01


DRIVER = "NVRM version: NVIDIA UNIX x86_64 Kernel Module  570.86.15  Thu Jan 16 2025\nGCC version:  gcc 12"


def test_a_gpus_versions_are_recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gpu = torch.device("cuda:0")
    monkeypatch.setattr(torch.version, "cuda", "12.8")
    monkeypatch.setattr(torch.backends.cudnn, "version", lambda: 90701)
    monkeypatch.setattr(device, "_DRIVER", tmp_path / "version")
    assert device.gpu_versions(gpu) == {"cuda": "12.8", "cudnn": "90701"}
    (tmp_path / "version").write_text(DRIVER)
    assert device.gpu_versions(gpu) == {"cuda": "12.8", "cudnn": "90701", "driver": "570.86.15"}
    assert device.gpu_versions(CPU) == {}
    assert device.peak_memory_mb(CPU) is None


def test_between_trials_a_process_releases_the_memory_that_it_keeps(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: calls.append("empty"))
    monkeypatch.setattr(torch.cuda, "reset_peak_memory_stats", lambda _: calls.append("reset"))
    device.reset_peak_memory(CPU)
    assert calls == []
    device.reset_peak_memory(torch.device("cuda:0"))
    assert calls == ["empty", "reset"]
