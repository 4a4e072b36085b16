"""Classification of errors."""

import pytest
import torch

from noisebench.errors import DataError
from noisebench.trial.failures import MAX_ERROR_CHARACTERS, classify

# The texts are those of torch 2.6 to 2.13.
LIBRARY_OUT_OF_MEMORY = [
    "CUDA error: out of memory\nCompile with `TORCH_USE_CUDA_DSA` to enable device-side assertions.",
    "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`",
    "cuDNN error: CUDNN_STATUS_ALLOC_FAILED",
    "cuDNN error: CUDNN_STATUS_INTERNAL_ERROR",
    "GET was unable to find an engine to execute this computation",
]
STICKY = [
    "CUDA error: device-side assert triggered",
    "CUDA error: an illegal memory access was encountered",
    "CUDA error: unspecified launch failure",
    "CUDA error: operation failed due to a previous error during capture",
    "CUDA error: CUBLAS_STATUS_EXECUTION_FAILED when calling `cublasSgemm( handle, opa, opb)`",
    "cuDNN error: CUDNN_STATUS_EXECUTION_FAILED",
    "Offset increment outside graph capture encountered unexpectedly.",
]


@pytest.mark.parametrize("text", LIBRARY_OUT_OF_MEMORY)
def test_failed_allocations_of_libraries_are_gpu_memory(text: str) -> None:
    failure = classify(RuntimeError(text))
    assert (failure.end.status, failure.end.error_kind) == ("failed", "gpu-memory")
    assert failure.ends_process


@pytest.mark.parametrize("text", STICKY)
def test_other_cuda_errors_end_the_process_and_leave_the_trial_pending(text: str) -> None:
    failure = classify(RuntimeError(text))
    assert (failure.end.status, failure.end.error_kind) == ("interrupted", "gpu-error")
    assert failure.ends_process


@pytest.mark.parametrize("text", STICKY[:2])
def test_under_mps_a_cuda_error_is_no_trials_fault_alone(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_MPS_PIPE_DIRECTORY", "/tmp/pipe")
    failure = classify(RuntimeError(text))
    assert (failure.end.status, failure.end.error_kind) == ("interrupted", "node-lost")
    assert text in str(failure.end.error)
    assert failure.ends_process


def test_an_accelerator_error_is_classified_by_its_code() -> None:
    kinds = {}
    for code in (2, 700, 710, 719):
        error = torch.AcceleratorError("CUDA error: some new text")
        error.error_code = code  # type: ignore[attr-defined]
        kinds[code] = classify(error).end.error_kind
    assert kinds == {2: "gpu-memory", 700: "gpu-error", 710: "gpu-error", 719: "gpu-error"}


def test_out_of_memory_in_torchs_allocator_keeps_the_process() -> None:
    failure = classify(torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"))
    assert (failure.end.status, failure.end.error_kind) == ("failed", "gpu-memory")
    assert not failure.ends_process


def test_a_cuda_error_behind_another_exception_is_detected() -> None:
    def hide() -> None:
        try:
            raise RuntimeError("CUDA error: device-side assert triggered")
        except RuntimeError:
            raise ValueError("the loss could not be computed") from None

    with pytest.raises(ValueError, match="could not be computed") as hidden:
        hide()
    assert classify(hidden.value).end.error_kind == "gpu-error"


@pytest.mark.parametrize("error", [ValueError("CUDA error: in words alone"), DataError("x"), KeyError("a")])
def test_other_errors_keep_the_process(error: Exception) -> None:
    failure = classify(error)
    assert failure.end.status == "failed"
    assert not failure.ends_process


def test_long_messages_are_truncated() -> None:
    assert len(str(classify(ValueError("x" * 10_000)).end.error)) == MAX_ERROR_CHARACTERS
