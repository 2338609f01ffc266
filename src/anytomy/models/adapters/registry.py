"""Tuning methods by name, and combinations of them: `lora:4+decoder`."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from anytomy.core.errors import OptionError
from anytomy.models.adapters.autosam import AutoSamCnn, AutoSamDecoder, AutoSamLinear
from anytomy.models.adapters.bottleneck import MedSaBottleneck
from anytomy.models.adapters.full import Full
from anytomy.models.adapters.lora import Lora
from anytomy.models.adapters.method import TuningMethod
from anytomy.models.adapters.projection import Decoder, PromptDecoder
from anytomy.models.adapters.selective import Bias, Norm

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

GROUP = "anytomy.tuning_methods"

_OURS: tuple[TuningMethod, ...] = (
    Decoder(),
    PromptDecoder(),
    AutoSamDecoder(),
    AutoSamCnn(),
    AutoSamLinear(),
    Lora(),
    MedSaBottleneck(),
    Bias(),
    Norm(),
    Full(),
)
METHODS: Mapping[str, TuningMethod] = MappingProxyType({method.name: method for method in _OURS})
"""The methods that come with Anytomy."""


def methods() -> Mapping[str, TuningMethod]:
    """All methods by name, third parties' (entry points of `anytomy.tuning_methods`) behind ours.

    Raises:
        OptionError: A third party's cannot be loaded.
    """
    added = {name: _load(point) for name, point in sorted(_added().items()) if name not in METHODS}
    return MappingProxyType({**METHODS, **added})


def parse(text: str) -> tuple[TuningMethod, ...]:
    """The methods that a text names.

    Args:
        text: Names joined by `+`, each with a parameter behind a colon where it takes one: `lora:4+decoder`.

    Raises:
        OptionError: There is no such method, a parameter does not suit it, or it is named twice.
    """
    found = tuple(_method(part.strip()) for part in text.split("+"))
    names = [method.name for method in found]
    twice = [name for name in dict.fromkeys(names) if names.count(name) > 1]
    if twice:
        raise OptionError(f"the method {twice[0]} stands twice in {text!r}", hint="name it once")
    return found


def spelled(chosen: tuple[TuningMethod, ...]) -> str:
    """The text of some methods; `parse` inverts it."""
    return "+".join(method.text for method in chosen)


def _method(text: str) -> TuningMethod:
    name, colon, parameter = text.partition(":")
    wanted = name.strip().lower()
    method = METHODS.get(wanted)
    if method is None:
        added = _added()
        if wanted not in added:
            known = [*METHODS, *sorted(added)]
            close = difflib.get_close_matches(wanted, known, n=1)
            raise OptionError(
                f"expected a tuning method of {', '.join(known)}, got {name!r}",
                hint=f"did you mean {close[0]}?" if close else "join several by +, as in lora:4+decoder",
            )
        method = _load(added[wanted])
    return method.configured(parameter.strip()) if colon else method


def _load(point: EntryPoint) -> TuningMethod:
    try:
        method = point.load()
    except (ImportError, AttributeError) as error:
        raise OptionError(
            f"the tuning method {point.name} ({point.value}) cannot be loaded: {error}"
        ) from error
    if not isinstance(method, TuningMethod):
        raise OptionError(f"expected {point.value} to be a TuningMethod, got {type(method).__name__}")
    return method


def _added() -> dict[str, EntryPoint]:
    from importlib.metadata import entry_points

    return {point.name: point for point in entry_points(group=GROUP)}
