"""A user's model: its function is called, and what the function returns is checked."""

import copy

import torch
from torch import Tensor, nn

from noisebench.errors import InputError
from noisebench.science.vision import Whole
from noisebench.sweep import reference

_IMAGES = 2


def own_model(name: str, shape: tuple[int, int, int], classes: int, source: str | None) -> nn.Module:
    """Return the model of a user's function `(shape (C, H, W), classes) -> nn.Module`, for [B, C, H, W].

    `source`: the hash that its module must have. Raises InputError where the function cannot be called, or
    where what it returns does not give finite logits [B, classes] in evaluation and in training.
    """
    model = _returned(name, shape, classes, source)
    # Evaluated first: it gives a lazy layer its weights.
    _check_logits(name, model.eval(), shape, classes)
    # A copy, for training changes the statistics of a batch norm.
    _check_logits(name, _copied(name, model).train(), shape, classes)
    if not any(parameter.requires_grad for parameter in model.parameters()):
        raise InputError(f"model {name} has no parameters to train")
    return Whole(model.train())


def _returned(name: str, shape: tuple[int, int, int], classes: int, source: str | None) -> nn.Module:
    # Importing its module may draw random numbers, but is done once in a process.
    with torch.random.fork_rng(devices=[]):
        function = reference.load(name, source)
    try:
        model = function(shape, classes)
    except MemoryError:
        raise
    except Exception as error:
        raise InputError(
            f"model {name}: {name.split(':')[1]}({shape}, {classes}) raised {_described(error)}"
        ) from error
    if not isinstance(model, nn.Module):
        raise InputError(f"model {name} returned a {type(model).__name__}; it must return a torch.nn.Module")
    return model


def _copied(name: str, model: nn.Module) -> nn.Module:
    try:
        return copy.deepcopy(model)
    except Exception as error:
        raise InputError(f"model {name} cannot be copied, as it must be: {_described(error)}") from error


def _check_logits(name: str, model: nn.Module, shape: tuple[int, int, int], classes: int) -> None:
    images = torch.rand(_IMAGES, *shape, generator=torch.Generator().manual_seed(0))
    state = "training" if model.training else "evaluation"
    when = f"model {name}, in {state}, for images {list(images.shape)},"
    try:
        with torch.no_grad():
            logits = model(images)
    except MemoryError:
        raise
    except Exception as error:
        raise InputError(f"{when} raised {_described(error)}") from error
    if not isinstance(logits, Tensor):
        raise InputError(f"{when} returned a {type(logits).__name__}; it must return a tensor of logits")
    if logits.shape != (_IMAGES, classes) or not logits.is_floating_point():
        raise InputError(
            f"{when} returned {logits.dtype} {list(logits.shape)}; it must return floating-point logits "
            f"[{_IMAGES}, {classes}]"
        )
    if not torch.isfinite(logits).all():
        raise InputError(f"{when} returned logits that are not finite")


def _described(error: Exception) -> str:
    return f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}"
