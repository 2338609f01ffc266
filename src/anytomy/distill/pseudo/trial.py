"""A teacher on cases whose labels are known: `trial`, before it is believed where they are not.

A mask that lies a little beside its place can look right to a student that is not good yet; beside the label
it does not. A teacher that was tuned on these very labels does better here than elsewhere.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from anytomy.core.view import SliceView
from anytomy.distill.pseudo.asking import Asking
from anytomy.distill.pseudo.label import Judged, PseudoLabel, pseudo_label
from anytomy.distill.pseudo.proposals import parts
from anytomy.distill.pseudo.reliability import Evidence, Rules
from anytomy.evaluation.bench.table import packed, unpacked

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from anytomy.core.image import Image
    from anytomy.engine.model import PromptableModel

TRIAL = "trial"
"""What the round is called in which labelled cases are asked about."""
# Of the objects of labelled cases that a teacher must get right.
LEAST_TRUSTED = 0.5


def trial(
    image: Image,
    truth: NDArray[np.uint8],
    teacher: PromptableModel,
    classes: Sequence[str],
    *,
    axis: str = "z",
    **options: Any,
) -> PseudoLabel:
    """A pseudo-label whose student is the label: boxes are drawn around its objects, and it judges.

    A teacher with classes is asked about no object; those that it misses count as wrong answers.

    Args:
        image: With a label.
        truth: Class of each pixel `([z,] y, x)`, 0 the background.
        teacher: See `pseudo_label`.
        classes: Names in order; the first has the value 1.
        axis: The file's axis that slices run along.
        options: Of `pseudo_label`.
    """
    known = np.stack([truth == index for index in range(len(classes) + 1)]).astype(np.float32)
    found = pseudo_label(image, teacher, classes, student=known, axis=axis, **options)
    if not teacher.card.classes:
        return found
    return replace(found, objects=(*found.objects, *_missed(image, truth, classes, axis, found.objects)))


def _missed(
    image: Image, truth: NDArray[np.uint8], classes: Sequence[str], axis: str, found: Sequence[Judged]
) -> Iterator[Judged]:
    """Objects of a label that no answer touches."""
    view = SliceView.canonical(image.geometry, axis)
    for part in parts(view.apply(truth if image.is_volume else truth[None]), Asking()):
        x0, y0, x1, y1 = part.box
        whole = np.zeros(view.size[1::-1], dtype=bool)
        whole[y0:y1, x0:x1] = part.mask
        name = classes[part.index - 1]
        masks = [unpacked(j.mask) for j in found if j.slice == part.slice and j.structure == name]
        if not any((mask & whole).any() for mask in masks):
            yield Judged(
                structure=name,
                slice=part.slice,
                file_slice=view.slice_to_view(part.slice),
                source="classes",
                box=None,
                evidence=Evidence(0),
                reasons=Rules().against(Evidence(0)),
                mask=packed(np.zeros_like(whole)),
                student=packed(whole),
            )


def is_trusted(trials: Sequence[PseudoLabel]) -> bool:
    """Whether a teacher got enough objects of labelled cases right; one without an object is not refused."""
    asked = sum(len(each.objects) for each in trials)
    return sum(each.accepted for each in trials) >= LEAST_TRUSTED * asked
