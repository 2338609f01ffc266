"""A model with tuning methods in it: attach them, read and load what they train, merge them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, TypeVar

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from anytomy.core.errors import ModelError, OptionError
from anytomy.models.adapters.lora import plain_name
from anytomy.models.adapters.method import PROMPTABLE, SEMANTIC, TuningMethod
from anytomy.models.adapters.semantic import SemanticSam

if TYPE_CHECKING:
    from anytomy.models.sam import Sam

_Model = TypeVar("_Model", bound="Sam | SemanticSam")
_SHOWN = 3


def head_of(methods: Sequence[TuningMethod]) -> str:
    """The semantic head that methods ask for; `sam` where none does.

    Raises:
        OptionError: They ask for two.
    """
    asked = [method for method in methods if method.head]
    if len(asked) > 1:
        names = " and ".join(method.name for method in asked)
        raise OptionError(f"{names} stand for different heads", hint="choose one of them")
    return asked[0].head if asked else "sam"


def check_modes(methods: Sequence[TuningMethod], mode: str) -> None:
    """Refuse methods that have no meaning in a mode.

    Raises:
        OptionError: With the modes that there are.
    """
    for method in methods:
        if mode not in method.modes:
            raise OptionError(
                f"the method {method.name} is for {' and '.join(method.modes)} models, not for {mode} ones",
                hint="choose another method, or another mode",
            )


def attach(model: _Model, methods: Sequence[TuningMethod]) -> _Model:
    """Freeze a model and let some methods put into it what they train.

    The head of a semantic model is new and is trained whatever the methods are.

    Args:
        model: With the base's weights.
        methods: As `registry.parse` gives them.

    Returns:
        The same object.

    Raises:
        OptionError: A method does not suit the model. Nothing was changed then.
    """
    _check(model, methods)
    model.requires_grad_(False)
    for method in methods:
        method.attach(model)
    if isinstance(model, SemanticSam):
        model.head.requires_grad_(True)
    _remember(model, methods)
    return model


def set_training(model: nn.Module) -> None:
    """`train()`, but batch normalisation keeps its statistics unless a method trains them.

    With those of a small batch the model would be trained as one that it is not in use.
    """
    model.train()
    if not _trains_statistics(model):
        for norm in _batch_norms(model).values():
            norm.eval()


def trained(model: nn.Module) -> dict[str, Tensor]:
    """What the methods train: all that an adapter has to hold.

    Returns:
        Parameters, and the statistics of batch normalisation where they are trained; the tensors themselves,
        not copies. Names do not depend on how a training library wraps layers.
    """
    found: dict[str, Tensor] = {
        plain_name(name): parameter for name, parameter in model.named_parameters() if parameter.requires_grad
    }
    if _trains_statistics(model):
        for name, norm in _batch_norms(model).items():
            found |= {
                plain_name(f"{name}.{key}"): value
                for key, value in norm.named_buffers()
                if value.is_floating_point()  # not the number of batches, which decides nothing
            }
    return found


def load_trained(model: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Load what `trained` gave, in place.

    Args:
        model: With the same methods attached.
        state: Tensors of any floating type; they are converted.

    Raises:
        ModelError: A tensor is missing, superfluous or of another shape. The model is unchanged then.
    """
    wanted = trained(model)
    groups = {
        "missing": [key for key in wanted if key not in state],
        "unexpected": [key for key in state if key not in wanted],
        "of another shape": [
            f"{key} {tuple(state[key].shape)} instead of {tuple(wanted[key].shape)}"
            for key in wanted
            if key in state and state[key].shape != wanted[key].shape
        ],
    }
    problems = [_brief(name, keys) for name, keys in groups.items() if keys]
    if problems:
        raise ModelError(
            f"the adapter's weights do not fit the model: {'; '.join(problems)}",
            hint="check that base, method and classes are those that the adapter was trained with",
        )
    with torch.no_grad():
        for key, tensor in wanted.items():
            tensor.copy_(state[key])


def restore(model: _Model, methods: Sequence[TuningMethod], state: Mapping[str, Tensor]) -> _Model:
    """Bring a model into the state that its methods were trained to, to run it.

    Unlike `attach` and `load_trained` it needs no training library; what can be folded into the weights is.

    Args:
        model: With the base's weights.
        methods: Those that were trained.
        state: What `trained` gave.

    Returns:
        The same object, in `eval()` mode and frozen.

    Raises:
        OptionError: A method does not suit the model.
        ModelError: The tensors do not fit.
    """
    _check(model, methods)
    model.requires_grad_(False)
    left = dict(state)
    for method in methods:
        left = method.restore(model, left)
    if isinstance(model, SemanticSam):
        model.head.requires_grad_(True)
    _remember(model, methods)
    load_trained(model, left)
    model.requires_grad_(False)
    model.eval()
    return model


def merge(model: _Model) -> _Model:
    """Fold what methods inserted into the plain architecture; the model answers as before.

    Returns:
        The same object.

    Raises:
        ModelError: A method's modules have no place in the plain architecture. The model is unchanged then.
    """
    methods = _methods(model)
    for method in sorted(methods, key=lambda each: each.folds):  # those that refuse come first
        method.merge(model)
    return model


def _check(model: _Model, methods: Sequence[TuningMethod]) -> None:
    check_modes(methods, SEMANTIC if isinstance(model, SemanticSam) else PROMPTABLE)
    if isinstance(model, SemanticSam):
        head_of(methods)
    for method in methods:
        method.check(model)


def _remember(model: nn.Module, methods: Sequence[TuningMethod]) -> None:
    model._methods = tuple(methods)  # type: ignore[assignment]


def _methods(model: nn.Module) -> tuple[TuningMethod, ...]:
    found: tuple[TuningMethod, ...] = getattr(model, "_methods", ())
    return found


def _trains_statistics(model: nn.Module) -> bool:
    return any(method.trains_statistics for method in _methods(model))


def _batch_norms(model: nn.Module) -> dict[str, _BatchNorm]:
    return {name: part for name, part in model.named_modules() if isinstance(part, _BatchNorm)}


def _brief(name: str, keys: list[str]) -> str:
    more = f" and {len(keys) - _SHOWN} more" if len(keys) > _SHOWN else ""
    return f"{len(keys)} {name} ({', '.join(keys[:_SHOWN])}{more})"
