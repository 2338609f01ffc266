"""Metrics with one written policy; docs/metrics.md says the same in words."""

from anytomy.evaluation.metrics.clicks import (
    Clicks,
    area_under_curve,
    at_k,
    cvpr25_auc,
    number_of_clicks,
)
from anytomy.evaluation.metrics.empty import POLICY, Emptiness, EmptyRule
from anytomy.evaluation.metrics.instances import (
    THRESHOLDS,
    AveragePrecision,
    Matching,
    PanopticQuality,
    average_precision,
    match,
    panoptic_quality,
)
from anytomy.evaluation.metrics.measure import measure, measure_instances
from anytomy.evaluation.metrics.metric import Metric
from anytomy.evaluation.metrics.objects import Overlaps
from anytomy.evaluation.metrics.overlap import (
    dice,
    false_positive_slices,
    iou,
    volume_error,
    volume_error_ml,
)
from anytomy.evaluation.metrics.pair import DEFAULT_TOLERANCE, Pair
from anytomy.evaluation.metrics.registry import METRICS, metric_names, metrics_by_name
from anytomy.evaluation.metrics.surface import hd95, nsd, surface_distances

__all__ = [
    "DEFAULT_TOLERANCE",
    "METRICS",
    "POLICY",
    "THRESHOLDS",
    "AveragePrecision",
    "Clicks",
    "Emptiness",
    "EmptyRule",
    "Matching",
    "Metric",
    "Overlaps",
    "Pair",
    "PanopticQuality",
    "area_under_curve",
    "at_k",
    "average_precision",
    "cvpr25_auc",
    "dice",
    "false_positive_slices",
    "hd95",
    "iou",
    "match",
    "measure",
    "measure_instances",
    "metric_names",
    "metrics_by_name",
    "nsd",
    "number_of_clicks",
    "panoptic_quality",
    "surface_distances",
    "volume_error",
    "volume_error_ml",
]
