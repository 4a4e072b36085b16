"""A plain training loop: an independent implementation to which every mode is compared.

One model, eager float32, `nn.Dropout`, batch by batch. It shares only pixel scaling and the objective.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from noisebench.errors import DivergedError
from noisebench.training.fit_group import optimizer_for, set_learning_rate
from noisebench.training.loop import BatchHook, EpochStatistics
from noisebench.training.task import TrainingTask


def train_alone(model: nn.Module, task: TrainingTask, hook: BatchHook | None = None) -> list[EpochStatistics]:
    """Train the first fit of `task`; `hook(epoch, logits, targets, indices)` sees every batch."""
    optimizer = optimizer_for(model, task.training)
    statistics = []
    for epoch in range(task.training.epochs):
        set_learning_rate(optimizer, task.training, epoch)
        statistics.append(_train_epoch(model, optimizer, task, epoch, hook))
    return statistics


def _train_epoch(
    model: nn.Module, optimizer: torch.optim.Optimizer, task: TrainingTask, epoch: int, hook: BatchHook | None
) -> EpochStatistics:
    fit, targets, indices = task.fits[0], task.targets[0], task.indices[0]
    model.train()
    shuffle = torch.Generator().manual_seed(task.seed_for("batches", fit, epoch))
    order = indices[torch.randperm(len(indices), generator=shuffle)]
    augmentation = torch.Generator().manual_seed(task.seed_for("augmentation", fit, epoch))
    torch.manual_seed(task.seed_for("dropout", fit, epoch))
    loss_sum, correct = 0.0, 0
    for batch in torch.split(order, task.training.batch_size):
        logits = model(_images(task, batch, augmentation))
        losses = task.objective.per_sample(logits, targets[batch], epoch)
        loss, penalty = losses.mean(), task.objective.penalty(model, epoch)
        optimizer.zero_grad(set_to_none=True)
        (loss if penalty is None else loss + penalty).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        loss_sum += float(losses.detach().sum())
        correct += int((logits.argmax(1) == targets[batch]).sum())
        if hook is not None:
            hook(epoch, logits.detach(), targets[batch], batch)
    if not torch.isfinite(torch.tensor(loss_sum)):
        raise DivergedError(epoch)
    return EpochStatistics(epoch, loss_sum / len(indices), correct / len(indices))


def _images(task: TrainingTask, batch: Tensor, generator: torch.Generator) -> Tensor:
    """Return scaled images [B, C, H, W], augmented if the task asks for it."""
    if not task.inputs.augments:
        return task.inputs.plain_batch(batch)
    pixels = task.inputs.images[batch]
    corners = torch.randint(0, 9, (2, len(batch), 1), generator=generator)
    mirrored = torch.randint(0, 2, (len(batch), 1), generator=generator).bool()
    padded = functional.pad(pixels, [4] * 4)
    height, width = pixels.shape[-2:]
    across = torch.arange(width)
    rows = corners[0] + torch.arange(height)
    columns = corners[1] + torch.where(mirrored, across.flip(0), across)
    samples = torch.arange(len(batch))[:, None, None]
    windows = padded[samples, :, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)
    shift, factor = task.inputs._affine
    return (windows.float() - shift) * factor
