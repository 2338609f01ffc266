"""A student that is ready to run: `StudentModel`, a `Model` that takes no prompts."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from anytomy.core.errors import AnytomyWarning, ModelError, OptionError, UnsupportedPromptError
from anytomy.core.intensity import choose_policy
from anytomy.engine.resample import triangle_kernel
from anytomy.predict.model import Model
from anytomy.predict.student.grid import StudentGrid, resized
from anytomy.predict.student.windows import Network, in_windows, softmax

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from anytomy.core.image import Image
    from anytomy.core.view import SliceView
    from anytomy.engine.model import Embedding
    from anytomy.models.students.folder import StudentCard
    from anytomy.predict.result import Result
    from anytomy.volumes.slices import Slices


class StudentModel(Model):
    """A student: `segment(image)` gives its classes, as a model with a semantic adapter does.

    Example:
        >>> student = anytomy.load("runs/student")  # doctest: +SKIP
        >>> student.segment(anytomy.read("scan.nii.gz")).save("organs.nii.gz")  # doctest: +SKIP
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        assert self.card.student is not None, "the card is not a student's"
        self.student: StudentCard = self.card.student.card
        self.grid = StudentGrid.of(self.student)

    def segment(self, image: Image, *args: Any, **options: Any) -> Result:
        """See `Model.segment`; says aloud where nobody knows how large a pixel is and the student would."""
        if self.grid.spacing_mm and not image.has_scale:
            warnings.warn(
                f"{image.name} says nothing of mm, so a pixel is taken for 1 mm wide",
                AnytomyWarning,
                stacklevel=2,
            )
        return super().segment(image, *args, **options)

    def encode(self, picture: NDArray[np.uint8]) -> Embedding:
        """Refused: a student has no embedding to be asked about.

        Raises:
            UnsupportedPromptError: Always.
        """
        raise UnsupportedPromptError(
            f"{self.card.title} is a student: it encodes nothing that a prompt could be put to",
            hint="call segment(image)",
        )

    def classify_slices(  # type: ignore[override]  # a student must know how far slices are apart
        self, slices: Slices, extra: NDArray[np.float32] | None = None
    ) -> Iterator[NDArray[np.float32]]:
        """Logits `(classes + 1, y, x)` on the pixels of each slice in turn; channel 0 is the background.

        Args:
            slices: In the view of `student_view`.
            extra: Masks of the teacher `(extra, slice, row, column)`, 0 to 1, for a student that needs them.
        """
        if self.grid.dims == 3:
            return self._solid(slices, extra)
        return self._flat(slices, extra)

    def _flat(self, slices: Slices, extra: NDArray[np.float32] | None) -> Iterator[NDArray[np.float32]]:
        network = cast("Network", self.engine)
        for index in range(len(slices)):
            levels = self.grid.gathered([slices[index]], (1, *slices.shape), slices.spacing)[
                :, 0
            ] / np.float32(255)
            more = None if extra is None else resized(extra[:, index], levels.shape[1:])
            yield resized(in_windows(network, self.grid, levels, more), slices.shape)

    def _solid(self, slices: Slices, extra: NDArray[np.float32] | None) -> Iterator[NDArray[np.float32]]:
        depth = len(slices)
        planes = (slices[index] for index in range(depth))
        levels = self.grid.gathered(planes, (depth, *slices.shape), slices.spacing) / np.float32(255)
        more = None if extra is None else resized(extra, levels.shape[1:])
        found = in_windows(cast("Network", self.engine), self.grid, levels, more)
        near, weight = triangle_kernel(depth, found.shape[1])
        for index in range(depth):  # never all classes of all voxels at once
            plane = sum(w * found[:, z] for z, w in zip(near[index], weight[index], strict=True))
            yield resized(plane, slices.shape)

    def probabilities(
        self,
        image: Image,
        extra: NDArray[np.float32] | None = None,
        *,
        intensity: str = "auto",
        axis: str | None = None,
    ) -> NDArray[np.float32]:
        """Probabilities `(classes + 1, [z,] y, x)` on the file's own pixels; channel 0 is the background.

        Args:
            image: The image.
            extra: Masks of the teacher `(extra, [z,] y, x)`, 0 to 1, for a student that needs them.
            intensity: `auto` (the student's own policy) or a policy.
            axis: The file's axis that slices run along; the student's own by default.

        Raises:
            ModelError: The student needs masks of its teacher and has none, or the other way round.
            OptionError: An option does not suit the student.
        """
        from anytomy.volumes.slices import Slices

        if (0 if extra is None else len(extra)) != self.student.extra:
            raise without_teacher(self.student)
        own = (axis or self.student.axis) if image.is_volume else "z"
        view = _view(self.student, image, own)
        grey = choose_policy(image, self.card.intensity, intensity).policy.fit(image)
        seen = None
        if extra is not None:
            solid = extra if image.is_volume else extra[:, None]
            seen = np.stack([view.apply(layer) for layer in solid.astype(np.float32)])
        found = np.stack(
            [softmax(each) for each in self.classify_slices(Slices.of(image, view, grey), seen)], axis=1
        )
        layers = np.stack([view.restore(layer) for layer in found])
        return layers if image.is_volume else layers[:, 0]


def student_view(card: StudentCard, image: Image, axis: str) -> SliceView:
    """How a student is shown an image, after a look at all that can be wrong with it.

    Raises:
        ModelError: The student needs masks of its teacher.
        OptionError: It was trained on slices along another axis.
    """
    if card.extra:
        raise without_teacher(card)
    return _view(card, image, axis)


def _view(card: StudentCard, image: Image, axis: str) -> SliceView:
    if image.is_volume and axis != card.axis:
        knows = f"slices along {card.axis}" if card.dims == 2 else "whole volumes"
        raise OptionError(
            f"this student was trained on {knows}, so --axis {axis} has no meaning",
            hint=f"give --axis {card.axis}" if card.axis != "z" else "leave --axis out",
        )
    return StudentGrid.of(card).view(image, axis)


def without_teacher(card: StudentCard) -> ModelError:
    """What is said of a student whose masks of a teacher are missing, or are too many."""
    teacher = card.teacher.get("id", "its teacher")
    if not card.extra:
        return ModelError("this student takes no masks of a teacher", hint="leave extra out")
    count = "mask" if card.extra == 1 else "masks"
    return ModelError(
        f"this student needs {card.extra} {count} of {teacher} beside the picture and cannot run without",
        hint="in Python: StudentModel.probabilities(image, extra=masks); or distil by another recipe",
    )
