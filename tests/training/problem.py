"""Trainings that are done by the reference and fast, on the same draws."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor, nn

from noisebench.catalogue.component import Component
from noisebench.data.datasets import load_dataset
from noisebench.science.models import build
from noisebench.sweep.trial import Training
from noisebench.training.fast_fit import FastFit, start_fast_fit
from noisebench.training.fast_path import FastPath
from noisebench.training.fast_training import train_together
from noisebench.training.inputs import InputPipeline
from noisebench.training.loop import start_fit, train
from noisebench.training.objective import Objective
from tests.trials import trial_of

CPU = torch.device("cpu")
CE = Component.of("CE", delay=0)


@dataclass
class Problem:
    """Runs on one set of images, each with a training part and labels of its own."""

    images: Tensor
    targets: Tensor
    indices: Tensor
    training: Training
    loss: Component = CE
    model: str = "small-cnn"
    logits: list[list[Tensor]] = field(default_factory=list)

    @classmethod
    def small(cls, runs: int = 3, loss: Component = CE, **training: object) -> "Problem":
        generator = torch.Generator().manual_seed(0)
        images = torch.randint(0, 256, (150, 1, 8, 8), generator=generator, dtype=torch.uint8)
        targets = torch.randint(0, 10, (runs, 150), generator=generator)
        indices = torch.stack([torch.randperm(150, generator=generator)[:100] for _ in range(runs)])
        return cls(images, targets, indices, training_of(**training), loss)

    @classmethod
    def digits(cls) -> "Problem":
        """Two runs of 20 steps on real digits, by the paper's batch size and learning rate."""
        data = load_dataset(Component.of("digits"), None)
        targets = torch.from_numpy(data.judged.labels).expand(2, -1)
        indices = torch.stack([torch.arange(1280), torch.arange(1280).flip(0)])
        training = training_of(epochs=1, batch_size=64, learning_rate=1e-4)
        return cls(data.judged.images, targets, indices, training)

    def models(self) -> list[nn.Module]:
        models = []
        for run in range(len(self.targets)):
            torch.manual_seed(run)
            models.append(build(self.model, tuple(self.images.shape[1:]), 10))  # type: ignore[arg-type]
        return models

    def pipeline(self) -> InputPipeline:
        return InputPipeline(self.images, "unit", self.training.augmentation)

    def seed_for(self, *parts: object) -> int:
        return trial_of().seed_for(*parts)  # type: ignore[arg-type]

    def reference(self) -> list[nn.Module]:
        """Train the runs one after another; their logits are kept, run by run."""
        models = self.models()
        for run, model in enumerate(models):
            self.logits.append([])
            train(
                start_fit(model, self.training, run),
                self.pipeline(),
                self.targets[run],
                self.indices[run],
                Objective.of(self.loss),
                self.training,
                self.seed_for,
                self.keep(run),
            )
        return models

    def fit(self, path: FastPath) -> FastFit:
        runs = range(len(self.targets))
        return start_fast_fit(self.models(), self.training, runs, CPU, path)

    def fast(self, path: FastPath, fit: FastFit | None = None) -> FastFit:
        """Train the runs side by side."""
        fit = fit or self.fit(path)
        self.logits = [[] for _ in fit.runs]
        train_together(
            fit,
            self.pipeline(),
            self.targets,
            self.indices,
            Objective.of(self.loss),
            self.training,
            self.seed_for,
            [self.keep(run) for run in fit.runs],
        )
        return fit

    def keep(self, run: int) -> Callable[..., None]:
        return lambda _epoch, logits, _targets, _batch: self.logits[run].append(logits.clone())


def training_of(**changes: object) -> Training:
    return replace(trial_of().training, **{"epochs": 2, "batch_size": 32, **changes})  # type: ignore[arg-type]


def differences(ours: Problem, theirs: Problem) -> Tensor:
    """How far the logits of each run lie apart, step by step: [runs, steps], the largest of a batch."""
    return torch.tensor(
        [
            [float((own - other).abs().max()) for own, other in zip(*run, strict=True)]
            for run in zip(ours.logits, theirs.logits, strict=True)
        ]
    )
