"""All wanted numbers of a case as one row of a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from anytomy.evaluation.metrics.instances import average_precision_of, panoptic_quality_of
from anytomy.evaluation.metrics.objects import Overlaps
from anytomy.evaluation.metrics.pair import DEFAULT_TOLERANCE, Pair
from anytomy.evaluation.metrics.registry import METRICS, metrics_by_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import ArrayLike

    from anytomy.evaluation.metrics.metric import Metric
    from anytomy.evaluation.metrics.objects import Instances
    from anytomy.evaluation.metrics.pair import Unit


def measure(
    found: ArrayLike,
    truth: ArrayLike,
    *,
    metrics: Iterable[Metric | str] = tuple(METRICS),
    spacing: Sequence[float] | None = None,
    unit: Unit | None = None,
    tolerance: float = DEFAULT_TOLERANCE,
    axis: int = 0,
) -> dict[str, float | str | int]:
    """Compare one found mask with one true mask.

    Args:
        found: Mask `(z, y, x)` or `(y, x)`; whatever is not zero belongs to it.
        truth: Mask of the same shape.
        metrics: Metrics or their names; all that come with Anytomy if not given.
        spacing: Distance of voxel centres along each array axis, `(z, y, x)` or `(y, x)`; None is one pixel.
        unit: "mm" or "px"; "mm" with a spacing and "px" without one if not given.
        tolerance: Of NSD, in `unit`; the structure's own where it has one.
        axis: Array axis that slices are counted along.

    Returns:
        The value of each metric under its name, and what belongs to every row: `empty` (which mask is empty:
        "both", "truth", "found" or "none"), `found_voxels`, `truth_voxels`, `empty_slices` (slices in which
        the truth is empty), `tolerance` and `unit` (of distances and tolerance). NaN where a value is not
        defined.

    Raises:
        GeometryError: If the shapes differ.
        OptionError: For an unknown metric, or a spacing, unit, tolerance or axis that cannot be used.

    Example:
        >>> row = measure([[1, 1, 0]], [[0, 1, 1]], metrics=["dice"])
        >>> row["dice"], row["empty"], row["unit"]
        (0.5, 'none', 'px')
    """
    wanted = [metrics_by_name([metric])[0] if isinstance(metric, str) else metric for metric in metrics]
    pair = Pair(found, truth, spacing, unit=unit, tolerance=tolerance, axis=axis)
    return {
        **{metric.name: metric(pair) for metric in wanted},
        "empty": pair.empty.value,
        "found_voxels": pair.found_voxels,
        "truth_voxels": pair.truth_voxels,
        "empty_slices": pair.empty_slices,
        "tolerance": pair.tolerance,
        "unit": pair.unit,
    }


def measure_instances(found: Instances, truth: Instances) -> dict[str, float | str | int]:
    """Compare the objects found in one image with the true ones; see `average_precision` for the arguments.

    Returns:
        `ap` (mean over IoU 0.5 to 0.95), `ap50`, `ap75`, `pq`, `sq`, `dq`, counts at an IoU of 0.5 (`tp`,
        `fp`, `fn`), `empty`, `found_objects`, `truth_objects`, and `found_without_pixels` and
        `truth_without_pixels`: masks that are no objects.

    Raises:
        GeometryError: If shapes differ, or something is neither a label map nor a list of masks.
    """
    overlaps = Overlaps.between(found, truth)
    ap, pq = average_precision_of(overlaps), panoptic_quality_of(overlaps)
    half = ap.matchings[0.5]
    return {
        "ap": ap.mean,
        "ap50": ap.values[0.5],
        "ap75": ap.values[0.75],
        "pq": pq.pq,
        "sq": pq.sq,
        "dq": pq.dq,
        "tp": half.true_positives,
        "fp": half.false_positives,
        "fn": half.false_negatives,
        "empty": overlaps.empty.value,
        "found_objects": len(overlaps.found_ids),
        "truth_objects": len(overlaps.truth_ids),
        "found_without_pixels": overlaps.found_without_pixels,
        "truth_without_pixels": overlaps.truth_without_pixels,
    }
