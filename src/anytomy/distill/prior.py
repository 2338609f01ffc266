"""The teacher's masks as further input channels: `prior_masks`, in training and in use alike.

A teacher that finds classes gives the probability of each. One that takes points gives what SAMAug adds to a
picture (Zhang et al., arXiv 2304.11332): the sum of its automatic masks, each by its stability, and their
boundaries.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from anytomy.core.errors import OptionError
from anytomy.core.intensity import choose_policy
from anytomy.predict.student.grid import resized
from anytomy.predict.student.run import StudentModel
from anytomy.predict.student.windows import softmax
from anytomy.volumes.slices import Slices

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from anytomy.core.image import Image
    from anytomy.distill.config import DistillConfig
    from anytomy.distill.gridding import Sight
    from anytomy.predict.model import Model
    from anytomy.zoo.card import ModelCard

_SAMAUG = 2


def prior_channels(teacher: ModelCard, classes: int) -> int:
    """How many masks a teacher gives.

    Raises:
        OptionError: It finds nothing without prompts.
    """
    if teacher.classes:
        return classes
    if "points" in teacher.prompts:
        return _SAMAUG
    raise OptionError(
        f"the recipe prior needs a teacher that finds things by itself, and {teacher.title} waits for boxes",
        hint="choose one that takes points (litemedsam-click), or tune one with --mode semantic",
    )


def prior_masks(teacher: Model, slices: Slices, classes: Sequence[str]) -> Iterator[NDArray[np.float32]]:
    """The masks `(extra, y, x)`, 0 to 1, of each slice in turn."""
    if teacher.card.classes:
        channels = [1 + teacher.card.classes.index(name) for name in classes]
        for logits in teacher.classify_slices(slices):
            yield softmax(logits)[channels]
        return
    for index in range(len(slices)):
        yield _automatic(teacher, slices[index])


def prior_levels(
    teacher: Model, image: Image, sight: Sight, config: DistillConfig, classes: Sequence[str]
) -> NDArray[np.uint8]:
    """The masks of an image on the student's grid, `(extra, z, y, x)`, 0 to 255."""
    view = sight.grid.view(image, config.axis if image.is_volume else "z")
    slices = Slices.of(image, view, _grey(teacher, image, config.intensity))
    found = np.stack(list(prior_masks(teacher, slices, classes)), axis=1)
    shape = sight.grid.shape((len(slices), *slices.shape), slices.spacing)
    return np.asarray(np.rint(255 * resized(found, shape)).clip(0, 255), dtype=np.uint8)


class GuidedStudent(StudentModel):
    """A student with its teacher, for the test: the teacher's masks are made as in training.

    Args:
        student: Needs masks of a teacher.
        teacher: Makes them.
    """

    def __init__(self, student: StudentModel, teacher: Model) -> None:
        card = student.card
        assert card.student is not None
        # It brings its masks itself: nobody has to give them.
        alone = replace(card.student, card=replace(card.student.card, extra=0))
        super().__init__(replace(card, student=alone), student.engine, weights_sha256=student.weights_sha256)
        self._teacher = teacher

    def classify_slices(  # type: ignore[override]  # as `StudentModel`
        self, slices: Slices, extra: NDArray[np.float32] | None = None
    ) -> Iterator[NDArray[np.float32]]:
        """See `StudentModel`; slices become grey levels by the teacher's policy, which is the student's."""
        masks = np.stack(list(prior_masks(self._teacher, slices, self.student.classes)), axis=1)
        return super().classify_slices(slices, masks)


def _automatic(teacher: Model, picture: NDArray[np.uint8]) -> NDArray[np.float32]:
    from scipy.ndimage import binary_erosion

    from anytomy.predict.automatic.everything import find_objects
    from anytomy.predict.automatic.settings import AutomaticSettings

    found = np.zeros((_SAMAUG, *picture.shape[:2]), np.float32)
    for each in find_objects(teacher, picture, AutomaticSettings()):
        window = (slice(each.box.top, each.box.bottom), slice(each.box.left, each.box.right))
        found[0][window] += each.stability * each.mask
        rim = each.mask & ~binary_erosion(each.mask)
        found[1][window] = np.maximum(found[1][window], rim)
    found[0] /= max(float(found[0].max()), 1.0)
    return found


def _grey(teacher: Model, image: Image, intensity: str) -> Any:
    return choose_policy(image, teacher.card.intensity, intensity).policy.fit(image)
