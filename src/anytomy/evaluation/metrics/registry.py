"""Metrics by name."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from anytomy.core.errors import OptionError
from anytomy.evaluation.metrics.metric import Metric
from anytomy.evaluation.metrics.overlap import DICE, FP_SLICES, IOU, VOLUME_ERROR, VOLUME_ERROR_ML
from anytomy.evaluation.metrics.surface import HD95, NSD

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

GROUP = "anytomy.metrics"

METRICS: Mapping[str, Metric] = MappingProxyType(
    {metric.name: metric for metric in (DICE, IOU, NSD, HD95, VOLUME_ERROR, VOLUME_ERROR_ML, FP_SLICES)}
)


def metric_names() -> tuple[str, ...]:
    """Names of all metrics: those that come with Anytomy, then those of third parties."""
    return (*METRICS, *sorted(set(_added()) - set(METRICS)))


def metrics_by_name(names: Iterable[str]) -> tuple[Metric, ...]:
    """Metrics in the order of their names; those of third parties are loaded when they are asked for.

    Raises:
        OptionError: If there is none of that name, or it cannot be loaded.
    """
    return tuple(_metric(name) for name in ([names] if isinstance(names, str) else names))


def _metric(name: str) -> Metric:
    if name in METRICS:
        return METRICS[name]
    added = _added()
    if name not in added:
        close = difflib.get_close_matches(name.lower(), metric_names(), n=1)
        raise OptionError(
            f"expected a metric of {', '.join(metric_names())}, got {name!r}",
            hint=f"did you mean {close[0]}?" if close else None,
        )
    point = added[name]
    try:
        metric = point.load()
    except (ImportError, AttributeError) as error:
        raise OptionError(f"the metric {name} ({point.value}) cannot be loaded: {error}") from error
    if not isinstance(metric, Metric):
        raise OptionError(f"expected {point.value} to be a Metric, got {type(metric).__name__}")
    if metric.name != name:
        raise OptionError(f"expected {point.value} to be named {name} as its entry point, got {metric.name}")
    return metric


def _added() -> dict[str, EntryPoint]:
    from importlib.metadata import entry_points

    return {point.name: point for point in entry_points(group=GROUP)}
