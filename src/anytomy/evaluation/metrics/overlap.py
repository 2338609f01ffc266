"""How much of two masks is the same: Dice, IoU, volumes, and slices in which nothing was to be found."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from anytomy.core.errors import GeometryError
from anytomy.evaluation.metrics.empty import POLICY
from anytomy.evaluation.metrics.metric import Metric
from anytomy.evaluation.metrics.pair import Pair

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike


def dice(found: ArrayLike, truth: ArrayLike) -> float:
    """Dice coefficient, 2 |A and B| / (|A| + |B|) (Dice 1945).

    Both empty count as agreement, 1; one of them empty is 0.

    Args:
        found: Mask of any shape; whatever is not zero belongs to it.
        truth: Mask of the same shape.

    Raises:
        GeometryError: If the shapes differ.

    Example:
        >>> dice([[1, 1, 0]], [[0, 1, 1]])
        0.5
    """
    return DICE(Pair(found, truth))


def iou(found: ArrayLike, truth: ArrayLike) -> float:
    """Intersection over union, |A and B| / |A or B| (Jaccard 1912).

    Both empty count as agreement, 1; one of them empty is 0.

    Raises:
        GeometryError: If the shapes differ.
    """
    return IOU(Pair(found, truth))


def volume_error(found: ArrayLike, truth: ArrayLike) -> float:
    """Signed error of the volume (in 2D: of the area) relative to the truth, (|A| - |B|) / |B|.

    Nothing found is -1, both empty 0. Something found where the truth is empty has no relative error: NaN;
    `volume_error_ml` says how much it was.

    Raises:
        GeometryError: If the shapes differ.
    """
    return VOLUME_ERROR(Pair(found, truth))


def volume_error_ml(found: ArrayLike, truth: ArrayLike, spacing: Sequence[float]) -> float:
    """Signed error of the volume in ml; with an empty truth the volume that was found.

    Args:
        found: Mask `(z, y, x)`.
        truth: Mask of the same shape.
        spacing: mm along `(z, y, x)`.

    Raises:
        GeometryError: If the shapes differ or are not 3D.
        OptionError: For a spacing that is not three positive numbers.
    """
    pair = Pair(found, truth, spacing)
    if pair.found.ndim != 3:
        raise GeometryError(f"expected masks (z, y, x) for a volume, got the shape {pair.found.shape}")
    return VOLUME_ERROR_ML(pair)


def false_positive_slices(found: ArrayLike, truth: ArrayLike, axis: int = 0) -> tuple[int, int]:
    """Slices in which something was found and nothing was to be found.

    Args:
        found: Mask `(z, y, x)`; a picture `(y, x)` is one slice.
        truth: Mask of the same shape.
        axis: Array axis that slices are counted along.

    Returns:
        How many there are, and in how many slices the truth is empty.

    Raises:
        GeometryError: If the shapes differ.
        OptionError: If there is no such axis.
    """
    pair = Pair(found, truth, axis=axis)
    return int(FP_SLICES(pair)), pair.empty_slices


def _dice(pair: Pair) -> float:
    return 2 * pair.shared_voxels / (pair.found_voxels + pair.truth_voxels)


def _iou(pair: Pair) -> float:
    return pair.shared_voxels / (pair.found_voxels + pair.truth_voxels - pair.shared_voxels)


def _volume_error(pair: Pair) -> float:
    return (pair.found_voxels - pair.truth_voxels) / pair.truth_voxels


def _volume_error_ml(pair: Pair) -> float:
    return (pair.found_voxels - pair.truth_voxels) * pair.voxel_ml


def _false_positive_slices(pair: Pair) -> float:
    found, truth = pair.slices
    return float(np.count_nonzero(found & ~truth))


DICE = Metric(
    name="dice",
    definition="2 |A and B| / (|A| + |B|) (Dice 1945)",
    better="higher",
    function=_dice,
    empty=POLICY["dice"],
)
IOU = Metric(
    name="iou",
    definition="|A and B| / |A or B| (Jaccard 1912)",
    better="higher",
    function=_iou,
    empty=POLICY["iou"],
)
VOLUME_ERROR = Metric(
    name="volume_error",
    definition="(found - truth) / truth, of volumes or areas, signed",
    better="zero",
    function=_volume_error,
    empty=POLICY["volume_error"],
)
VOLUME_ERROR_ML = Metric(
    name="volume_error_ml",
    definition="found - truth in ml, signed; not defined for pictures and without spacing",
    better="zero",
    function=_volume_error_ml,
    unit="ml",
)
FP_SLICES = Metric(
    name="fp_slices",
    definition="slices in which something was found and the truth is empty",
    better="lower",
    function=_false_positive_slices,
    unit="slices",
)
