"""Adapting a model with few labels: `tune` a `TuneConfig` into an adapter folder.

    from anytomy.tuning import TuneConfig, tune
    result = tune(TuneConfig(model="litemedsam", data=("acdc",), mode="semantic"), "heart")

The way of the data: `cohort` (who trains, validates, tests) -> `samples` (slices on disk) -> `augment` ->
`embeddings` (frozen encoders run once) -> `tasks` (prompts, losses) -> `loop` -> `evaluate` (before, after).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from anytomy.tuning.config import TuneConfig
    from anytomy.tuning.run import TuneResult, tune

__all__ = ["TuneConfig", "TuneResult", "tune"]

_HOMES = {"TuneConfig": "config", "TuneResult": "run", "tune": "run"}


def __getattr__(name: str) -> Any:
    """Import public names when they are first used: the loop needs torch."""
    if name not in _HOMES:
        raise AttributeError(f"module 'anytomy.tuning' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"anytomy.tuning.{_HOMES[name]}"), name)
