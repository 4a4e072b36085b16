"""Classification of exceptions in a trial."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass

import torch

from noisebench.errors import DataError, DivergedError
from noisebench.records import provenance
from noisebench.records.attempts import End, ErrorKind, Status
from noisebench.records.durable import is_storage_error

MAX_ERROR_CHARACTERS = 2_000

_CUDA_OUT_OF_MEMORY = 2
# Failed allocations of CUDA's libraries outside torch's allocator. cuDNN reports them as "unable to find an
# engine", and as an internal error while it loads kernels.
_LIBRARY_OUT_OF_MEMORY = (
    "CUDA error: out of memory",
    "CUBLAS_STATUS_ALLOC_FAILED",
    "CUDNN_STATUS_ALLOC_FAILED",
    "CUDNN_STATUS_INTERNAL_ERROR",
    "unable to find an engine to execute this computation",
)
_CUDA_ERRORS = (
    "CUDA error",
    "CUBLAS_STATUS_",
    "CUDNN_STATUS_",
    "cuDNN error",
    "CUSOLVER_STATUS_",
    "CUSPARSE_STATUS_",
    "CUFFT_",
    "Offset increment outside graph capture",
)
# Only torch 2.8 and later have this class.
_ACCELERATOR_ERROR: type[BaseException] | None = getattr(torch, "AcceleratorError", None)


@dataclass(frozen=True)
class Failure:
    """How an attempt ended, and whether its process may run another trial."""

    end: End
    ends_process: bool = False


def classify(error: BaseException) -> Failure:
    """Return the failure of an attempt that raised `error`."""
    text = f"{type(error).__name__}: {error}"[:MAX_ERROR_CHARACTERS]
    if any(is_storage_error(cause) for cause in _chain(error)):
        return Failure(End(Status.INTERRUPTED, ErrorKind.STORAGE, text))
    if isinstance(error, DivergedError):
        return Failure(End(Status.FAILED, ErrorKind.DIVERGED, text))
    if isinstance(error, torch.OutOfMemoryError):
        return Failure(End(Status.FAILED, ErrorKind.GPU_MEMORY, text))
    if any(_is_library_out_of_memory(cause) for cause in _chain(error)):
        return Failure(End(Status.FAILED, ErrorKind.GPU_MEMORY, text), ends_process=True)
    if any(_is_cuda_error(cause) for cause in _chain(error)):
        return gpu_error(text)
    if isinstance(error, MemoryError) or "DefaultCPUAllocator: " in str(error):
        return Failure(End(Status.FAILED, ErrorKind.HOST_MEMORY, text))
    if isinstance(error, DataError):
        return Failure(End(Status.FAILED, ErrorKind.DATA, text))
    return Failure(End(Status.FAILED, ErrorKind.EXCEPTION, text))


def gpu_error(text: str) -> Failure:
    """Return the failure of a process that lost its CUDA context; a new process can run the trial.

    Under MPS a fatal error of one process hits all that share its GPU, as the loss of a node does.
    """
    if provenance.MPS_VARIABLE in os.environ:
        message = (
            f"an error on a GPU that is shared through MPS; any of its trials may have caused it: {text}"
        )
        end = End(Status.INTERRUPTED, ErrorKind.NODE_LOST, message[:MAX_ERROR_CHARACTERS])
        return Failure(end, ends_process=True)
    return Failure(End(Status.INTERRUPTED, ErrorKind.GPU_ERROR, text), ends_process=True)


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield `error` and its causes, including those hidden by `raise ... from None`."""
    seen: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        yield cause
        cause = cause.__cause__ or cause.__context__


def _is_library_out_of_memory(error: BaseException) -> bool:
    if getattr(error, "error_code", None) == _CUDA_OUT_OF_MEMORY and _is_cuda_error(error):
        return True
    return isinstance(error, RuntimeError) and any(text in str(error) for text in _LIBRARY_OUT_OF_MEMORY)


def _is_cuda_error(error: BaseException) -> bool:
    if isinstance(error, torch.OutOfMemoryError):
        return False
    if _ACCELERATOR_ERROR is not None and isinstance(error, _ACCELERATOR_ERROR):
        return True
    return isinstance(error, RuntimeError) and any(text in str(error) for text in _CUDA_ERRORS)
