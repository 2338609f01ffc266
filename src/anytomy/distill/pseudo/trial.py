"""A teacher on cases whose labels are known: `trial`, before it is believed where they are not.

A mask that lies a little beside its place can look right to a student that is not good yet; beside the label
it does not. A teacher that was tuned on these very labels does better here than elsewhere.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from anytomy.distill.pseudo.label import PseudoLabel, pseudo_label

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from anytomy.core.image import Image
    from anytomy.engine.model import PromptableModel

TRIAL = "trial"
"""What the round is called in which labelled cases are asked about."""
# Of the objects of labelled cases that a teacher must get right.
LEAST_TRUSTED = 0.5


def trial(
    image: Image, truth: NDArray[np.uint8], teacher: PromptableModel, classes: Sequence[str], **options: Any
) -> PseudoLabel:
    """A pseudo-label whose student is the label: boxes are drawn around its objects, and it judges.

    Args:
        image: With a label.
        truth: Class of each pixel `([z,] y, x)`, 0 the background.
        teacher: See `pseudo_label`.
        classes: Names in order; the first has the value 1.
        options: Of `pseudo_label`.
    """
    known = np.stack([truth == index for index in range(len(classes) + 1)]).astype(np.float32)
    return pseudo_label(image, teacher, classes, student=known, **options)


def is_trusted(trials: Sequence[PseudoLabel]) -> bool:
    """Whether a teacher got enough objects of labelled cases right; one without an object is not refused."""
    asked = sum(len(each.objects) for each in trials)
    return sum(each.accepted for each in trials) >= LEAST_TRUSTED * asked
