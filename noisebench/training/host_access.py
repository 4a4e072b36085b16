"""Detect operations that make the host wait for the device; a captured step must not contain them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor
from torch._ops import OpOverload
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode

from noisebench.training.objective import Objective

_READS = "reads a value on the host"
_SIZES = "its result's size depends on values"
# By the operation's name in ATen.
_FORBIDDEN = {
    "_local_scalar_dense": _READS,
    "is_nonzero": _READS,
    "equal": _READS,
    "nonzero": _SIZES,
    "masked_select": _SIZES,
    "_unique2": _SIZES,
    "unique_dim": _SIZES,
    "unique_consecutive": _SIZES,
    "bincount": _SIZES,
    "lift_fresh": "copies a new tensor from the host",
}
_SAMPLES = 64


class HostAccessError(RuntimeError):
    """A step contains an operation that cannot be captured."""


class RefuseHostAccess(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Raises HostAccessError at operations that read values, or copy to or from the host."""

    def __torch_dispatch__(
        self,
        func: OpOverload,
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """Run the operation unless it is refused."""
        del types
        kwargs = kwargs or {}
        name = func.overloadpacket.__name__
        reason = _FORBIDDEN.get(name)
        if name in ("index", "index_put", "index_put_", "_index_put_impl_") and _has_mask(args[1]):
            reason = f"selects by a mask: {_SIZES}"
        elif name in ("_to_copy", "copy_") and _changes_device(name, args, kwargs):
            reason = "copies between host and device"
        elif name == "repeat_interleave" and isinstance(args[0], Tensor) and "output_size" not in kwargs:
            reason = _SIZES
        if reason is not None:
            raise HostAccessError(f"{name}: {reason}")
        return func(*args, **kwargs)


def refused_operation(objective: Objective, classes: int) -> str | None:
    """Return why a loss cannot be captured, None if it can.

    The loss is computed on fake CUDA tensors, which have no values and reveal copies to the host; its
    gradient on the CPU. Operations that depend on the values of the logits may not be detected.
    """
    targets = torch.arange(_SAMPLES) % classes
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(1, _SAMPLES, classes, generator=generator).requires_grad_()
    try:
        with FakeTensorMode(), torch.no_grad():
            fake_logits = torch.empty(1, _SAMPLES, classes, device="cuda")
            fake_targets = torch.empty(1, _SAMPLES, device="cuda", dtype=torch.int64)
            with RefuseHostAccess():  # type: ignore[no-untyped-call]
                _loss(objective, fake_logits, fake_targets)
        loss = _loss(objective, logits, targets[None])
        with RefuseHostAccess():  # type: ignore[no-untyped-call]
            loss.backward()  # type: ignore[no-untyped-call]
    except Exception as error:  # a user's loss may raise anything
        return f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}"
    return None


def _loss(objective: Objective, logits: Tensor, targets: Tensor) -> Tensor:
    return objective.per_model(logits, targets, objective.delay).mean()


def _has_mask(indices: Sequence[Tensor | None]) -> bool:
    return any(index is not None and index.dtype in (torch.bool, torch.uint8) for index in indices)


def _changes_device(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    devices = {tensor.device.type for tensor in _tensors(args[:2] if name == "copy_" else args[:1])}
    if kwargs.get("device") is not None:
        devices.add(torch.device(kwargs["device"]).type)
    return len(devices) > 1


def _tensors(values: Sequence[Any]) -> Iterator[Tensor]:
    return (value for value in values if isinstance(value, Tensor))
