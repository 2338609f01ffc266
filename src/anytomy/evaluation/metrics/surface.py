"""How far apart the surfaces of two masks lie: NSD and HD95."""

from __future__ import annotations

from typing import TYPE_CHECKING

from anytomy.evaluation.metrics.empty import POLICY
from anytomy.evaluation.metrics.metric import LENGTH, Metric
from anytomy.evaluation.metrics.pair import DEFAULT_TOLERANCE, Pair

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike

    from anytomy.evaluation.metrics.elements import SurfaceDistances


def surface_distances(
    found: ArrayLike, truth: ArrayLike, spacing: Sequence[float] | None = None
) -> SurfaceDistances:
    """Surface elements of two masks with their areas, and the distance of each to the other surface.

    As in DeepMind's surface-distance (Nikolov et al. 2018, arXiv 1809.04430). A surface is closed where the
    object meets the border of the image; one slice as a volume has a surface on both sides, so a picture
    should come as `(y, x)`.

    Args:
        found: Mask `(z, y, x)` or `(y, x)`; whatever is not zero belongs to it.
        truth: Mask of the same shape.
        spacing: Distance of voxel centres along each array axis, `(z, y, x)` or `(y, x)`; None is one pixel.

    Raises:
        GeometryError: If the shapes differ or are neither 2D nor 3D.
        OptionError: For a spacing that does not fit the array or is not positive.
    """
    return Pair(found, truth, spacing).surfaces


def nsd(
    found: ArrayLike,
    truth: ArrayLike,
    spacing: Sequence[float] | None = None,
    tolerance: float = DEFAULT_TOLERANCE,
) -> float:
    """Normalised surface Dice: the share of both surfaces within a tolerance of the other one.

    (|S_A within t of S_B| + |S_B within t of S_A|) / (|S_A| + |S_B|) by area, in 2D by length (Nikolov et
    al. 2018). A distance equal to the tolerance is within. Both empty count as 1, one empty as 0.

    Args:
        found: Mask `(z, y, x)` or `(y, x)`.
        truth: Mask of the same shape.
        spacing: mm along each array axis, `(z, y, x)` or `(y, x)`; None is one pixel.
        tolerance: In mm; in pixels without a spacing.

    Raises:
        GeometryError: If the shapes differ or are neither 2D nor 3D.
        OptionError: For a spacing or a tolerance that cannot be used.

    Example:
        >>> nsd([[0, 1, 1, 0, 0, 0]], [[0, 0, 0, 1, 1, 0]], tolerance=2)
        1.0
    """
    return NSD(Pair(found, truth, spacing, tolerance=tolerance))


def hd95(found: ArrayLike, truth: ArrayLike, spacing: Sequence[float] | None = None) -> float:
    """95th percentile Hausdorff distance (Huttenlocher et al. 1993; areas as in Nikolov et al. 2018).

    The distance within which 95 % of the found surface lie from the true one, and the other way round; the
    larger of the two. Percentiles are taken by area and are distances that occur. MONAI's `HausdorffDistance`
    takes them over the centres of border voxels, each counting the same, and interpolates: it agrees where
    both surfaces are parallel planes and is up to about a voxel off elsewhere.

    Both empty count as 0; one empty as the diagonal of the image.

    Args:
        found: Mask `(z, y, x)` or `(y, x)`.
        truth: Mask of the same shape.
        spacing: mm along each array axis, `(z, y, x)` or `(y, x)`; None is one pixel.

    Returns:
        Millimetres; pixels without a spacing.

    Raises:
        GeometryError: If the shapes differ or are neither 2D nor 3D.
        OptionError: For a spacing that does not fit the array or is not positive.
    """
    return HD95(Pair(found, truth, spacing))


def _nsd(pair: Pair) -> float:
    return pair.surfaces.within(pair.tolerance)


def _hd95(pair: Pair) -> float:
    return pair.surfaces.percentile(95)


NSD = Metric(
    name="nsd",
    definition="share of both surfaces within the tolerance of the other one (Nikolov et al. 2018)",
    better="higher",
    function=_nsd,
    empty=POLICY["nsd"],
)
HD95 = Metric(
    name="hd95",
    definition="95th percentile of surface distances by area, the larger of both ways (Nikolov et al. 2018)",
    better="lower",
    function=_hd95,
    unit=LENGTH,
    empty=POLICY["hd95"],
)
