"""A model with classes in the place of the first student: `guide_finder`.

A student of very few pictures draws wrong boxes, a teacher fills them, and both agree. A head on the
teacher's own image encoder, tuned on the same labels (`anytomy tune --mode semantic`), knows more of pictures
than a network that began with nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from anytomy.core.errors import OptionError
from anytomy.core.intensity import choose_policy
from anytomy.core.view import SliceView
from anytomy.distill.prior import prior_masks
from anytomy.distill.pseudo.asking import FLIPS, steps
from anytomy.distill.pseudo.teacher import Pictures
from anytomy.predict.student.run import student_view

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from anytomy.core.image import Image
    from anytomy.datasets.case import Case
    from anytomy.predict.model import Model
    from anytomy.zoo.card import ModelCard

_PLAIN = (False, False)


def check_guide(card: ModelCard, classes: Sequence[str], what: str = "guide") -> None:
    """Refuse a guide, or a teacher with classes, that does not find the classes.

    Raises:
        OptionError: With what is missing.
    """
    missing = [name for name in classes if name not in card.classes]
    if missing:
        raise OptionError(
            f"expected a {what} that finds {', '.join(classes)}, but {card.title} knows no {missing[0]}",
            hint="tune one on the same labels with `anytomy tune --mode semantic`",
        )


def guide_finder(
    guide: Model, classes: Sequence[str], *, flips: tuple[bool, bool], intensity: str, axis: str
) -> Callable[[Case, Image], NDArray[np.float32]]:
    """What a model finds of the classes, averaged over pictures that may be mirrored.

    Args:
        guide: Finds the classes without prompts.
        classes: In order.
        flips: Whether pictures may be mirrored along x and y.
        intensity: `auto` or a policy.
        axis: The file's axis that slices run along.

    Returns:
        For a case and its image the probabilities `(classes + 1, [z,] y, x)` on the file's grid.
    """
    along_x, along_y = flips
    looks = [_PLAIN, *(flip for flip in FLIPS if flip[0] <= along_y and flip[1] <= along_x)]

    def find(case: Case, image: Image) -> NDArray[np.float32]:
        view = SliceView.canonical(image.geometry, axis if image.is_volume else "z")
        if guide.card.student is not None:  # one of whole volumes sees axial slices, however they are stored
            view = student_view(guide.card.student.card, image, axis)
        grey = choose_policy(image, guide.card.intensity, intensity).policy.fit(image)
        pictures = Pictures(image, view, grey)
        found = np.zeros((len(classes) + 1, *(view.size[i] for i in (2, 1, 0))), np.float32)
        total = found[1:]
        for flip in looks:
            for number, masks in enumerate(prior_masks(guide, pictures.slices(flip), classes)):
                total[:, number] += masks[(slice(None), *steps(flip))]
        total /= len(looks)
        found[0] = 1 - total.sum(axis=0)
        layers = np.moveaxis(view.restore(np.moveaxis(found, 0, -1)), -1, 0)  # large, so not copied
        return layers if image.is_volume else layers[:, 0]

    return find
