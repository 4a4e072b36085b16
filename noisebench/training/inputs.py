"""Scaling and augmentation: from stored pixels to a model's input."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import psutil
import torch
from torch import Tensor
from torch.nn import functional

from noisebench.errors import InputError

CROP_PADDING = 4
# Positions of a window in each direction.
_CORNERS = 2 * CROP_PADDING + 1
# Histograms are counted in parts: as integers, pixels take four times the memory of the images.
_HISTOGRAM_IMAGES = 4096
# Images that take more than this share of a device's free memory stay in the memory of the host.
DEVICE_SHARE = 0.6
# Batches that a thread reads ahead of the one in use.
_BATCHES_AHEAD = 2


class InputPipeline:
    """The images of one data set on a device, uint8 [N, C, H, W], read by index; or features float32 [N, D,
    1, 1].

    `scale` is unit (0..1), raw (0..255) or normalised (zero mean and unit variance per channel, by the
    statistics of these images or, if given, of `like`). `augmentation` is none or crop-flip: pad with black
    by 4, crop at random, mirror with probability 1/2 (He et al. 2016). Features
    are unit (zero mean, one common factor that makes their mean variance 1), raw or normalised, and cannot be
    augmented: that raises InputError.

    `device`: that of the batches; if it is None, that of the images. Images are moved there if they take at
    most `DEVICE_SHARE` of its free memory. Else they are `gathered` batch by batch, and batches are the same.
    """

    def __init__(
        self,
        images: Tensor,
        scale: str,
        augmentation: str = "none",
        like: InputPipeline | None = None,
        device: torch.device | None = None,
    ) -> None:
        if images.is_floating_point() and augmentation != "none":
            raise InputError(
                f"training: features cannot be augmented; augmentation must be none, not {augmentation}"
            )
        self.device = images.device if device is None else device
        self.gathered = device is not None and images.nbytes > DEVICE_SHARE * _free_bytes(device)
        self.images = images if self.gathered else images.to(self.device)
        self._augmentation = augmentation
        affine: tuple[Tensor, Tensor] = like._affine if like else _affine(self.images, scale)
        self._affine: tuple[Tensor, Tensor] = affine[0].to(self.device), affine[1].to(self.device)

    def plain_batch(self, indices: Tensor, pixels: Tensor | None = None) -> Tensor:
        """Return the scaled images at `indices` as float32 [n, C, H, W]; `pixels` as `read_ahead` yields."""
        return self._scaled(self._at(indices) if pixels is None else pixels)

    def read_ahead(self, batches: Sequence[Tensor]) -> Iterator[Tensor | None]:
        """Yield the images at the indices of each batch, on the device, while a thread reads the next ones.

        Yield None for each batch if the images are on the device.
        """
        if not self.gathered:
            yield from (None for _ in batches)
            return
        # All indices in one transfer.
        on_host = torch.cat([batch.flatten() for batch in batches]).cpu()
        pending: deque[Future[Tensor]] = deque()
        # One thread: batches are copied as fast as the file is read.
        with ThreadPoolExecutor(1, "read-ahead") as pool:
            for batch in torch.split(on_host, [batch.numel() for batch in batches]):
                pending.append(pool.submit(self._read, batch))
                if len(pending) > _BATCHES_AHEAD:
                    yield pending.popleft().result().to(self.device, non_blocking=True)
            while pending:
                yield pending.popleft().result().to(self.device, non_blocking=True)

    @property
    def augments(self) -> bool:
        """Whether training images are augmented; augmented batches have memory layout [n, H, W, C]."""
        return self._augmentation != "none"

    def epoch_draws(self, seed: int, samples: int, batch_size: int) -> Tensor:
        """Return an epoch's augmentation, int64 [samples, 3]: top row, left column, whether mirrored.

        The draws are made on the host, batch by batch.
        """
        generator = torch.Generator().manual_seed(seed)
        # torch takes the next random number modulo the number of choices, so one call draws what one call for
        # each batch and part of it would draw.
        drawn = torch.randint(0, _CORNERS * 2, (3 * samples,), generator=generator, dtype=torch.uint8)
        whole = samples - samples % batch_size
        full, rest = drawn[: 3 * whole].view(-1, 3, batch_size), drawn[3 * whole :].view(1, 3, -1)
        parts = torch.cat([part.transpose(1, 2).flatten(0, 1) for part in (full, rest)])
        return torch.cat([parts[:, :2] % _CORNERS, parts[:, 2:] % 2], 1).long()

    def drawn_batch(self, indices: Tensor, draws: Tensor | None, pixels: Tensor | None = None) -> Tensor:
        """Return the scaled images at `indices` [M, B], augmented by `draws` [M, B, 3] unless None.

        Float32 [M, B, C, H, W]. `pixels` [M * B, C, H, W]: these images, if they were read ahead.
        """
        if pixels is None:
            pixels = self._at(indices.flatten())
        if draws is not None:
            pixels = _windows(pixels, draws.flatten(0, 1))
        scaled = self._scaled(pixels)
        # Convolutions choose kernels by strides, and `view` changes the strides of one-channel images.
        return scaled[None] if len(indices) == 1 else scaled.view(*indices.shape, *scaled.shape[1:])

    def _at(self, indices: Tensor) -> Tensor:
        return self._read(indices.cpu()).to(self.device) if self.gathered else self.images[indices]

    def _read(self, indices: Tensor) -> Tensor:
        """Return the images at `indices`, both on the host; pinned if they go to a GPU."""
        to_gpu = self.device.type == "cuda"
        shape = (len(indices), *self.images.shape[1:])
        batch = torch.empty(shape, dtype=self.images.dtype, pin_memory=to_gpu)
        # With numpy: torch would copy with as many threads as there are cores. Other modes copy twice.
        np.take(self.images.numpy(), indices.numpy(), axis=0, out=batch.numpy(), mode="clip")
        return batch

    def _scaled(self, pixels: Tensor) -> Tensor:
        shift, factor = self._affine
        return (pixels.float() - shift) * factor


def _free_bytes(device: torch.device) -> float:
    """Return the bytes that this process can still allocate on a device."""
    if device.type != "cuda":
        return float(psutil.virtual_memory().available)
    free, total = torch.cuda.mem_get_info(device)
    # torch 2.6 cannot tell the limit that was set for this process.
    share_of = getattr(torch.cuda, "get_per_process_memory_fraction", lambda _: 1.0)
    return float(min(free, share_of(device) * total - torch.cuda.memory_reserved(device)))


def _windows(pixels: Tensor, draws: Tensor) -> Tensor:
    """Return a window of each padded image [n, C, H, W], placed and mirrored by `draws` [n, 3]."""
    count, _, height, width = pixels.shape
    padded = functional.pad(pixels, [CROP_PADDING] * 4)
    top, left, mirrored = draws[:, :1], draws[:, 1:2], draws[:, 2:].bool()
    across = torch.arange(width, device=pixels.device)
    rows = top + torch.arange(height, device=pixels.device)
    columns = left + torch.where(mirrored, across.flip(0), across)
    samples = torch.arange(count, device=pixels.device)[:, None, None]
    return padded[samples, :, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)


def _affine(images: Tensor, scale: str) -> tuple[Tensor, Tensor]:
    """Return (shift, factor), each [1, C, 1, 1], so that an input is (pixel - shift) * factor."""
    channels = images.shape[1]
    zeros = torch.zeros(1, channels, 1, 1, device=images.device)
    if scale == "raw":
        return zeros, torch.ones_like(zeros)
    if images.is_floating_point():
        return _affine_of_features(images, scale)
    if scale == "unit":
        return zeros, torch.full_like(zeros, 1 / 255)
    # From the histogram of each channel: exact, and no float copy of the whole data set.
    levels = torch.arange(256, dtype=torch.float64)
    shift, factor = [], []
    for channel in range(channels):
        counts = torch.zeros(256, dtype=torch.int64, device=images.device)
        for begin in range(0, len(images), _HISTOGRAM_IMAGES):
            part = images[begin : begin + _HISTOGRAM_IMAGES, channel].flatten().int()
            counts += torch.bincount(part, minlength=256)
        counts = counts.double().cpu()
        mean = (counts * levels).sum() / counts.sum()
        deviation = ((counts * (levels - mean) ** 2).sum() / counts.sum()).sqrt()
        shift.append(mean)
        factor.append(1 / deviation.clamp_min(1e-6))
    to = {"device": images.device, "dtype": torch.float32}
    return torch.stack(shift).to(**to).view(1, -1, 1, 1), torch.stack(factor).to(**to).view(1, -1, 1, 1)  # type: ignore[call-overload]


def _affine_of_features(features: Tensor, scale: str) -> tuple[Tensor, Tensor]:
    """Return (shift, factor), each [1, D, 1, 1], for features [N, D, 1, 1]."""
    mean, deviation = features.double().mean((0, 2, 3)), features.double().std((0, 2, 3), correction=0)
    if scale == "unit":
        factor = 1 / deviation.square().mean().sqrt().clamp_min(1e-30).expand_as(deviation)
    else:
        # A feature that is constant but for rounding says nothing, and must not become large.
        factor = torch.where(deviation > 1e-6 * mean.abs(), 1 / deviation, 0)
    return mean.float().view(1, -1, 1, 1), factor.float().reshape(1, -1, 1, 1)
