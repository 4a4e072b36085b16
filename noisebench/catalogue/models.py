"""The models that a sweep can name.

A sweep may also name a classifier of torchvision, or a function of a user's module.
An implementation is `(*arguments, shape (C, H, W), classes) -> nn.Module`, initialised from torch's global
generator; one with pretrained weights takes their state dict as a further argument.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from noisebench.catalogue.descriptor import OWN_FUNCTION, Descriptor, by_name, load
from noisebench.catalogue.files import RESNET_34, DataFile
from noisebench.catalogue.parameters import FROM_RECIPE, Parameter
from noisebench.errors import InputError


@dataclass(frozen=True)
class Rate:
    """Images a second that one device trains (forward and backward) and evaluates (forward)."""

    training: float
    evaluation: float


@dataclass(frozen=True, kw_only=True)
class Work:
    """The counted work of a model of ten classes on images of `shape` (C, H, W).

    `forward` and `training` (forward and backward) are FLOP an image, a multiplication and an addition being
    two; `operations` are those of torch in a step's forward and backward pass with CE, whatever the batch.
    """

    shape: tuple[int, int, int]
    forward: int
    training: int
    operations: int


@dataclass(frozen=True, kw_only=True)
class FastModes:
    """The execution modes of `precision: fast` by kind of device, as words of `noisebench.training.modes`.

    `benchmarks/results.md` has the figures for CPUs. On GPUs the defaults are not measured: `graph` because a
    step has many small operations, `branches` because one small model does not fill a GPU. `tiny_on_cpu` are
    those of images of a few pixels, where they differ.
    """

    cpu: str = "half channels-last"
    cuda: str = "half channels-last graph branches"
    tiny_on_cpu: str = ""


@dataclass(frozen=True, kw_only=True)
class ModelDescriptor(Descriptor):
    """A model.

    `cpu` and `v100` are its rates on one CPU thread and on a V100, by image height; `work` is counted.
    `arguments` are those that its implementation takes before the image shape. `weights` is the file of its
    pretrained weights, or the function of `arguments` that tells it; None where there are none. `min_pixels`:
    the least height and width of an image; 1 for models that also take feature vectors.
    `is_users_function`: its implementation is a user's function, whose source is part of a trial's identity.
    """

    cpu: Mapping[int, Rate]
    v100: Mapping[int, Rate]
    work: Work
    arguments: tuple[str, ...] = ()
    weights: DataFile | str | None = None
    min_pixels: int = 8
    dropout: bool = False
    modes: FastModes = FastModes()
    is_users_function: bool = False

    def weights_file(self) -> DataFile | None:
        """Return the file of its pretrained weights, None where there are none."""
        return load(self.weights)(*self.arguments) if isinstance(self.weights, str) else self.weights


# On feature vectors, half precision saves no time on a CPU.
_OF_FEATURES = FastModes(cpu="fp32", cuda="fp32 graph branches")

# One CPU thread: small-cnn measured on a 2-core AMD EPYC, the ResNets scaled by their operations (71.6 MFLOP
# an image forward and backward, 412, 6953). A V100 as in the appendix of arXiv 2511.16512: 5 minutes a trial
# on MNIST, 15 on CIFAR, 150 with AUM.
MODELS = by_name(
    ModelDescriptor(
        name="small-cnn",
        implementation="noisebench.science.models:small_cnn",
        dropout=True,
        # On tiny images the overhead of a step is as large as its arithmetic, so folds train faster grouped.
        # bfloat16 would be faster still, but it changes more flags on digits than the bound of
        # `benchmarks/equality.py` allows.
        modes=FastModes(tiny_on_cpu="fp32 channels-last grouped"),
        cpu={8: Rate(17_500, 60_000), 28: Rate(700, 2_100)},
        v100={28: Rate(8_150, 24_450)},
        work=Work(shape=(1, 28, 28), forward=23_984_896, training=71_565_312, operations=66),
        source="arXiv 2511.16512, the CNN for MNIST",
    ),
    ModelDescriptor(
        name="resnet-32",
        implementation="noisebench.science.resnet:resnet32",
        cpu={32: Rate(120, 360)},
        v100={32: Rate(1_668, 5_004)},
        work=Work(shape=(3, 32, 32), forward=137_725_184, training=412_290_816, operations=478),
        source="He et al. 2016, section 4.2",
    ),
    ModelDescriptor(
        name="resnet-34",
        implementation="noisebench.science.resnet:resnet34",
        cpu={32: Rate(7.2, 21)},
        v100={32: Rate(2_262, 6_786)},
        work=Work(shape=(3, 32, 32), forward=2_318_804_992, training=6_952_876_032, operations=513),
        weights=RESNET_34,
        source="He et al. 2016; torchvision, with a 3x3 stem",
    ),
    ModelDescriptor(
        name="linear",
        implementation="noisebench.science.models:linear",
        cpu={1: Rate(150_000, 2_000_000)},
        v100={1: Rate(600_000, 8_000_000)},
        work=Work(shape=(64, 1, 1), forward=1_280, training=2_560, operations=19),
        min_pixels=1,
        modes=_OF_FEATURES,
        source="logistic regression, for feature vectors",
    ),
    ModelDescriptor(
        name="mlp",
        implementation="noisebench.science.models:mlp",
        dropout=True,
        cpu={1: Rate(60_000, 500_000)},
        v100={1: Rate(400_000, 4_000_000)},
        work=Work(shape=(64, 1, 1), forward=37_888, training=80_896, operations=40),
        min_pixels=1,
        modes=_OF_FEATURES,
        source="one hidden layer, for feature vectors",
    ),
)

# The classifiers of torchvision, by the name that torchvision gives them.
TORCHVISION = "torchvision:"
MODEL = Parameter(
    "text",
    FROM_RECIPE,
    choices=tuple(MODELS),
    pattern=rf"{TORCHVISION}[a-z0-9_]+|(?!{TORCHVISION}){OWN_FUNCTION}",
    right=f"one of {', '.join(MODELS)}, or {TORCHVISION}NAME, such as {TORCHVISION}resnet18, or your own "
    "module:function",
)


# The rates and the work of torchvision's ResNet-18.
_RESNET_18 = ModelDescriptor(
    name="resnet-18",
    implementation="",
    cpu={64: Rate(55, 160)},
    v100={64: Rate(3_000, 9_000)},
    work=Work(shape=(3, 64, 64), forward=296_101_888, training=869_038_080, operations=293),
    # Layers that are not known cannot be trained together.
    modes=FastModes(cpu="fp32", cuda="half channels-last"),
)


def model_of(name: str) -> ModelDescriptor:
    """Return the descriptor of a model; raise InputError for an unknown name.

    The rates and the work of a model of torchvision, or of a user's, are not known: they are those of
    torchvision's ResNet-18.
    """
    if name in MODELS:
        return MODELS[name]
    if name.startswith(TORCHVISION):
        return replace(
            _RESNET_18,
            name=name,
            implementation="noisebench.science.vision:classifier",
            arguments=(name.removeprefix(TORCHVISION),),
            weights="noisebench.science.vision:weights_file",
            min_pixels=32,
            source="torchvision",
        )
    if re.fullmatch(OWN_FUNCTION, name):
        return replace(_RESNET_18, name=name, implementation=name, min_pixels=1, is_users_function=True)
    raise InputError(
        f"model {name!r} is unknown; known: {', '.join(MODELS)}, {TORCHVISION}NAME, module:function"
    )
