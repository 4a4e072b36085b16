"""Training problems for the oracle and for every mode, with the same random draws."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor, nn

from noisebench.catalogue.component import Component
from noisebench.data.datasets import load_dataset
from noisebench.science.models import build
from noisebench.sweep.trial import Training
from noisebench.training.fit_group import FitGroup, start_group
from noisebench.training.inputs import InputPipeline
from noisebench.training.loop import train
from noisebench.training.modes import Modes
from noisebench.training.objective import Objective
from noisebench.training.task import TrainingTask
from tests.training.oracle import train_alone
from tests.trials import trial_of

CPU = torch.device("cpu")
CE = Component.of("CE", delay=0)


@dataclass
class Problem:
    """Runs on one set of images, each with its own training part and labels."""

    images: Tensor
    targets: Tensor
    indices: Tensor
    training: Training
    loss: Component = CE
    model: str = "small-cnn"
    device: torch.device = CPU
    logits: list[list[Tensor]] = field(default_factory=list)

    @classmethod
    def small(cls, fits: int = 3, loss: Component = CE, channels: int = 1, **training: object) -> "Problem":
        generator = torch.Generator().manual_seed(0)
        images = torch.randint(0, 256, (150, channels, 8, 8), generator=generator, dtype=torch.uint8)
        targets = torch.randint(0, 10, (fits, 150), generator=generator)
        indices = torch.stack([torch.randperm(150, generator=generator)[:100] for _ in range(fits)])
        return cls(images, targets, indices, training_of(**training), loss)

    @classmethod
    def digits(cls) -> "Problem":
        """Two fits of 20 steps on real digits, with the paper's batch size and learning rate."""
        data = load_dataset(Component.of("digits"), None)
        targets = torch.from_numpy(data.judged.labels).expand(2, -1)
        indices = torch.stack([torch.arange(1280), torch.arange(1280).flip(0)])
        training = training_of(epochs=1, batch_size=64, learning_rate=1e-4)
        return cls(data.judged.images, targets, indices, training)

    def models(self) -> list[nn.Module]:
        models = []
        for fit in range(len(self.targets)):
            torch.manual_seed(fit)
            models.append(build(self.model, tuple(self.images.shape[1:]), 10).to(self.device))  # type: ignore[arg-type]
        return models

    def task(self) -> TrainingTask:
        return TrainingTask(
            inputs=InputPipeline(self.images.to(self.device), "unit", self.training.augmentation),
            targets=self.targets.to(self.device),
            indices=self.indices.to(self.device),
            objective=Objective.of(self.loss),
            training=self.training,
            fits=tuple(range(len(self.targets))),
            seed_for=trial_of().seed_for,
        )

    def alone(self, fit: int) -> "Problem":
        """Return the training of one fit alone, with the same draws."""
        return replace(
            self, targets=self.targets[fit : fit + 1], indices=self.indices[fit : fit + 1], logits=[]
        )

    def oracle(self) -> list[nn.Module]:
        """Train the fits one after another in the plain loop; collect the logits of each fit."""
        models, task = self.models(), self.task()
        self.logits = [[] for _ in models]
        for fit, model in enumerate(models):
            part = slice(fit, fit + 1)
            single = replace(
                task, targets=task.targets[part], indices=task.indices[part], fits=task.fits[part]
            )
            train_alone(model, single, self.collect(fit))
        return models

    def group(self, modes: Modes) -> FitGroup:
        return start_group(self.models(), self.task(), modes)

    def train(self, modes: Modes, group: FitGroup | None = None) -> FitGroup:
        """Train the fits together; without `grouped`, each is a separate branch."""
        group = group or self.group(modes)
        self.logits = [[] for _ in self.targets]
        train(group, self.task(), [self.collect(fit) for fit in range(len(self.targets))])
        return group

    def collect(self, fit: int) -> Callable[..., None]:
        return lambda _epoch, logits, _targets, _batch: self.logits[fit].append(logits.clone())


def training_of(**changes: object) -> Training:
    return replace(trial_of().training, **{"epochs": 2, "batch_size": 32, **changes})  # type: ignore[arg-type]


def differences(ours: Problem, theirs: Problem) -> Tensor:
    """Return the largest difference of logits in each batch, [fits, steps]."""
    return torch.tensor(
        [
            [float((first - second).abs().max()) for first, second in zip(*fit, strict=True)]
            for fit in zip(ours.logits, theirs.logits, strict=True)
        ]
    )


def parameters_differ(ours: list[nn.Module], theirs: list[nn.Module]) -> bool:
    """Whether any parameter or buffer of the models differs in any bit."""
    return not all(
        torch.equal(first.view(second.shape), second)
        for our_model, their_model in zip(ours, theirs, strict=True)
        for first, second in zip(
            our_model.state_dict().values(), their_model.state_dict().values(), strict=True
        )
    )
