"""What the teacher is asked about: objects, each with its class and its prompt, `Proposal`.

Prompts are those that somebody stored, or boxes around what a student predicts (SemiSAM, Zhang et al., arXiv
2312.06316: the student's prediction prompts SAM).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from anytomy.core.errors import PromptError
from anytomy.core.structures import canonical
from anytomy.distill.pseudo.asking import grown
from anytomy.engine.frame import PlanePrompt
from anytomy.predict.placing import Track, place

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from anytomy.core.image import Image
    from anytomy.core.prompt import Prompt
    from anytomy.core.view import SliceView
    from anytomy.distill.pseudo.asking import Asking

# `Asking.margin` counts pixels of a picture with this longest side.
_REFERENCE_SIDE = 1024
STORED, STUDENT = "stored", "student"
"""Where a prompt comes from."""
_CORNERS = np.ones((3, 3), dtype=bool)


@dataclass(frozen=True)
class Proposal:
    """One object that the teacher is asked about.

    Attributes:
        index: Its class, from 1.
        track: Its prompt on slices of the view.
        source: `stored` or `student`.
    """

    index: int
    track: Track
    source: str


@dataclass(frozen=True, eq=False)
class Part:
    """A connected part of a student's class in one slice.

    Attributes:
        index: Its class, from 1.
        slice: Slice of the view.
        box: `x0, y0, x1, y1`, tight, ends exclusive.
        mask: Bool, of the box.
    """

    index: int
    slice: int
    box: tuple[int, int, int, int]
    mask: NDArray[np.bool_]


def from_prompts(
    image: Image, prompts: Sequence[Prompt], classes: Sequence[str], view: SliceView, axis: str
) -> list[Proposal]:
    """Prompts that somebody stored; the name of each is its class.

    Raises:
        PromptError: If a name is no class, or a prompt lies outside of the image.
    """
    numbers = {canonical(name): number for number, name in enumerate(classes, start=1)}
    found = []
    for prompt in prompts:
        index = numbers.get(canonical(prompt.name or ""))
        if index is None:
            raise PromptError(
                f"expected prompts that are named for a class ({', '.join(classes)}), got {prompt.label}",
                hint="give each prompt the name of its class",
            )
        found.append(Proposal(index, place(image, prompt, view, axis), STORED))
    return found


def from_student(found: NDArray[np.uint8], asking: Asking) -> Iterator[Proposal]:
    """A box around each part of a student's prediction, slice by slice.

    Args:
        found: Class of each voxel `(slice, row, column)`, 0 the background.
        asking: Margin and smallest parts.
    """
    shape = (int(found.shape[1]), int(found.shape[2]))
    margin = asking.margin * max(shape) / _REFERENCE_SIDE
    for part in parts(found, asking):
        box = grown(part.box, margin, shape)
        track = Track({part.slice: PlanePrompt(box=box)}, part.slice, part.slice + 1)
        yield Proposal(part.index, track, STUDENT)


def parts(found: NDArray[np.uint8], asking: Asking) -> Iterator[Part]:
    """The parts of a student's prediction that are large enough, in the order of slices.

    Args:
        found: Class of each voxel `(slice, row, column)`, 0 the background.
        asking: Smallest parts.
    """
    kept = {int(index): _large(found == index, asking.share) for index in np.unique(found) if index}
    for slice_ in range(found.shape[0]):
        for index, mask in kept.items():
            for part in components(mask[slice_], index, slice_):
                if np.count_nonzero(part.mask) >= asking.least:
                    yield part


def components(mask: NDArray[np.bool_], index: int, slice_: int) -> Iterator[Part]:
    """The parts of one class in one slice, connected over corners."""
    from scipy import ndimage

    if not mask.any():
        return
    labels, _ = ndimage.label(mask, _CORNERS)
    for number, (rows, columns) in enumerate(ndimage.find_objects(labels), start=1):
        box = (columns.start, rows.start, columns.stop, rows.stop)
        yield Part(index, slice_, box, labels[rows, columns] == number)


def _large(mask: NDArray[np.bool_], share: float) -> NDArray[np.bool_]:
    """What is left without parts that are far smaller than the largest one: a student's specks."""
    from scipy import ndimage

    labels, count = ndimage.label(mask, np.ones((3, 3, 3), dtype=bool))
    if count < 2:
        return mask
    sizes = np.bincount(labels.ravel(), minlength=count + 1)
    keep = sizes >= share * sizes[1:].max()
    keep[0] = False
    return np.asarray(keep[labels])
