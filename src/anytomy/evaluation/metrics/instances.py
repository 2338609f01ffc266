"""Found objects (cells, nuclei, glands) matched with true ones: AP at IoU thresholds, panoptic quality."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from anytomy.core.errors import OptionError
from anytomy.evaluation.metrics.empty import POLICY, Emptiness
from anytomy.evaluation.metrics.objects import Overlaps

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from anytomy.evaluation.metrics.objects import Indices, Instances

THRESHOLDS = tuple(round(0.5 + 0.05 * step, 2) for step in range(10))


@dataclass(frozen=True)
class Matching:
    """Found and true objects paired one to one.

    Attributes:
        pairs: For each true positive the found object, the true object and their IoU. Objects go by their
            label in a label map, by their place in a sequence of masks (from 0).
        false_positives: Found objects without a partner.
        false_negatives: True objects without a partner.
    """

    pairs: tuple[tuple[int, int, float], ...]
    false_positives: int
    false_negatives: int

    @property
    def true_positives(self) -> int:
        """Pairs."""
        return len(self.pairs)

    @property
    def empty(self) -> Emptiness:
        """On which side there is no object."""
        found, truth = (len(self.pairs) + rest for rest in (self.false_positives, self.false_negatives))
        return Emptiness.of(found, truth)


@dataclass(frozen=True)
class AveragePrecision:
    """AP at each threshold.

    Attributes:
        values: AP by IoU threshold.
        matchings: What each is computed from; counts can be pooled over images.
    """

    values: dict[float, float]
    matchings: dict[float, Matching]

    @property
    def mean(self) -> float:
        """Mean over the thresholds."""
        return math.fsum(self.values.values()) / len(self.values)


@dataclass(frozen=True)
class PanopticQuality:
    """Panoptic quality and its two factors.

    Attributes:
        pq: Sum of the IoU of pairs / (TP + FP / 2 + FN / 2).
        sq: Segmentation quality: mean IoU of pairs; 0 if there are none.
        dq: Detection quality (also RQ, or F1): TP / (TP + FP / 2 + FN / 2).
        matching: The pairs.
    """

    pq: float
    sq: float
    dq: float
    matching: Matching


def average_precision(
    found: Instances, truth: Instances, thresholds: Iterable[float] = THRESHOLDS
) -> AveragePrecision:
    """TP / (TP + FP + FN) at each IoU threshold, for one image.

    This is the "average precision" of the 2018 Data Science Bowl and of StarDist (Schmidt et al. 2018), also
    called threat score; not the area under a precision-recall curve (COCO), as masks that are prompted one by
    one have no ranking. An IoU equal to the threshold is a match, as in StarDist. No object on either side is
    1, on one side only 0.

    Args:
        found: A label map of integers, where 0 is background; or a sequence (or a bool array whose first axis
            counts objects) of masks of one shape, which may overlap, as masks prompted one by one do. A mask
            without pixels is no object.
        truth: Likewise, of the same shape.
        thresholds: IoU thresholds in (0, 1].

    Raises:
        GeometryError: If shapes differ, or something is neither a label map nor a sequence of masks.
        OptionError: If there is no threshold, or one that is not in (0, 1].

    Example:
        >>> truth = np.array([[1, 1, 0, 2, 2]])
        >>> average_precision(np.array([[1, 1, 0, 0, 2]]), truth, [0.5, 0.75]).values
        {0.5: 1.0, 0.75: 0.3333333333333333}
    """
    return average_precision_of(Overlaps.between(found, truth), thresholds)


def panoptic_quality(found: Instances, truth: Instances) -> PanopticQuality:
    """Panoptic quality of one class in one image (Kirillov et al. 2019, arXiv 1801.00868).

    Pairs have an IoU above 0.5. Objects that do not overlap their own kind have at most one such partner;
    masks that do are paired as in `match`. No object on either side is 1, on one side only 0.

    Args:
        found: A label map or a sequence of masks; see `average_precision`.
        truth: Likewise.

    Raises:
        GeometryError: If shapes differ, or something is neither a label map nor a sequence of masks.
    """
    return panoptic_quality_of(Overlaps.between(found, truth))


def average_precision_of(overlaps: Overlaps, thresholds: Iterable[float] = THRESHOLDS) -> AveragePrecision:
    """`average_precision` of objects whose overlaps are known."""
    matchings = {float(threshold): match(overlaps, threshold) for threshold in thresholds}
    if not matchings:
        raise OptionError("expected at least one IoU threshold, got none")
    return AveragePrecision({threshold: _ap(pairing) for threshold, pairing in matchings.items()}, matchings)


def panoptic_quality_of(overlaps: Overlaps) -> PanopticQuality:
    """`panoptic_quality` of objects whose overlaps are known."""
    matching = match(overlaps, math.nextafter(0.5, 1))  # above 0.5
    if matching.empty is not Emptiness.NONE:
        value = POLICY["pq"].value(matching.empty)
        return PanopticQuality(value, value, value, matching)
    tp, total = matching.true_positives, math.fsum(iou for _, _, iou in matching.pairs)
    weight = tp + (matching.false_positives + matching.false_negatives) / 2
    return PanopticQuality(total / weight, total / tp if tp else 0.0, tp / weight, matching)


def match(overlaps: Overlaps, threshold: float = 0.5) -> Matching:
    """Pair found with true objects whose IoU is at least `threshold`, one to one.

    As many pairs as there can be, and of such pairings the one with the largest sum of IoU.

    Raises:
        OptionError: If the threshold is not in (0, 1].
    """
    if not 0 < threshold <= 1:
        raise OptionError(f"expected an IoU threshold above 0 and at most 1, got {threshold}")
    enough = overlaps.iou >= threshold
    found, truth, iou = overlaps.found[enough], overlaps.truth[enough], overlaps.iou[enough]
    pairs = tuple(
        (overlaps.found_ids[found[pair]], overlaps.truth_ids[truth[pair]], float(iou[pair]))
        for pair in _one_to_one(found, truth, iou)
    )
    return Matching(pairs, len(overlaps.found_ids) - len(pairs), len(overlaps.truth_ids) - len(pairs))


def _ap(matching: Matching) -> float:
    if matching.empty is not Emptiness.NONE:
        return POLICY["ap"].value(matching.empty)
    tp = matching.true_positives
    return tp / (tp + matching.false_positives + matching.false_negatives)


def _one_to_one(found: Indices, truth: Indices, iou: NDArray[np.float64]) -> Indices:
    """Which of the possible pairs are taken: as many as can be, then the largest sum of IoU."""
    alone = _once(found) & _once(truth)
    rest = np.flatnonzero(~alone)
    if not rest.size:
        return np.flatnonzero(alone)
    from scipy.optimize import linear_sum_assignment

    rows, row = np.unique(found[rest], return_inverse=True)
    columns, column = np.unique(truth[rest], return_inverse=True)
    index = np.full((rows.size, columns.size), -1)
    index[row, column] = rest
    worth = np.zeros(index.shape)
    # One pair more is worth more than all IoU that there can be.
    worth[row, column] = 1 + iou[rest] / (2 * min(index.shape))
    chosen = index[linear_sum_assignment(worth, maximize=True)]
    return np.sort(np.concatenate([np.flatnonzero(alone), chosen[chosen >= 0]]))


def _once(values: Indices) -> NDArray[np.bool_]:
    """Whether each value occurs only once."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    return np.asarray(counts[inverse] == 1)
