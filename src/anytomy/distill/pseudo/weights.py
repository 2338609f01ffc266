"""Objects that were judged, put together as one label with a weight for each pixel: `Painter`.

Source of the weights: WS-SAM (He et al., arXiv 2305.11003), 1 less the entropy of the mean answer. Times the
agreement of the object, and less where the student disagrees, is ours.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from anytomy.distill.pseudo.reliability import entropy

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from anytomy.distill.pseudo.reliability import Seen
    from anytomy.distill.pseudo.teacher import Answer


# By how much of its side a box is grown to see what the answer leaves out.
_AROUND = 0.2


class Painter:
    """A label map and its weights, slice by slice.

    Where no object is, the label is background, with the weight 1 where every object was boxed by a person or
    the teacher looked for classes itself; else as sure as the student is that nothing is there, and 0 where
    the student sees something that no accepted object covers. A rejected object leaves its mask, its box and
    the student's object at weight 0: nobody knows what is there. An accepted one has 1 less entropy, times
    its agreement, and `disputed` times that where the student sees another class. In the box that was asked
    for, and a little around it, what the teacher leaves out is background as sure as the teacher is: a
    student that is unsure where an object ends must be told.

    Args:
        shape: `(slice, row, column)`.
        classes: Number of classes, without the background.
        student: Probabilities `(classes + 1, slice, row, column)`, or None.
        complete: Whether there is nothing but what was asked about.
        disputed: See `Rules`.
        soft: Whether to keep the teacher's probabilities.

    Attributes:
        class_map: uint8 `(slice, row, column)`.
        weight: float32, 0 to 1, of the same shape.
        soft: float16 `(classes + 1, slice, row, column)`, each pixel's sum 1; None where not kept. Of
            rejected objects it has nothing.
    """

    def __init__(
        self,
        shape: tuple[int, int, int],
        classes: int,
        student: NDArray[np.float32] | None,
        *,
        complete: bool,
        disputed: float,
        soft: bool = False,
    ) -> None:
        self.class_map: NDArray[np.uint8] = np.zeros(shape, dtype=np.uint8)
        self.weight: NDArray[np.float32] = np.ones(shape, dtype=np.float32)
        self.soft: NDArray[np.float16] | None = None
        self._best: NDArray[np.float16] = np.zeros(shape, dtype=np.float16)
        self._student: NDArray[np.uint8] | None = None
        self._disputed = disputed
        self._unknown: NDArray[np.bool_] = np.zeros(shape, dtype=bool)
        if student is not None:
            self._student = found = np.empty(shape, dtype=np.uint8)
            for slice_ in range(shape[0]):  # slice by slice, since `argmax` copies what it looks at
                found[slice_] = student[:, slice_].argmax(axis=0)
            for slice_ in range(0 if complete else shape[0]):
                sure = 1 - entropy(student[0, slice_])
                self.weight[slice_] = np.where(found[slice_] == 0, sure, 0)
        if soft:
            self.soft = np.zeros((classes + 1, *shape), dtype=np.float16)

    @property
    def student(self) -> NDArray[np.uint8] | None:
        """The student's class of each voxel."""
        return self._student

    def reject(self, answer: Answer, seen: Seen) -> None:
        """Nobody knows what is there; call this for all rejected objects of a slice before `accept`."""
        unknown = self._unknown[answer.slice]
        unknown[seen.mask] = True
        if seen.student is not None:
            unknown[seen.student] = True
        if answer.box is not None:
            x0, y0, x1, y1 = (round(v) for v in answer.box)
            unknown[y0:y1, x0:x1] = True
        self.weight[answer.slice][unknown] = 0

    def accept(self, answer: Answer, seen: Seen) -> None:
        """Draw an object; of several in a pixel the one that the teacher is surest of."""
        window = answer.window.part
        label, best = self.class_map[answer.slice][window], self._best[answer.slice][window]
        weight = self.weight[answer.slice][window]
        mine = seen.mask[window] & (seen.mean > best)
        label[mine] = answer.index
        best[mine] = seen.mean[mine]
        trust = 1 - seen.entropy
        if np.isfinite(seen.evidence.agreement):
            trust = trust * np.where(seen.mask[window], seen.evidence.agreement, 1.0)
        if self._student is not None:
            other = self._student[answer.slice][window] != label
            trust = np.where(other & (mine | (label == 0)), trust * self._disputed, trust)
        # Around the mask the answer says as well how sure it is that nothing is there.
        rim = (label == 0) & ~seen.mask[window]
        weight[mine] = trust[mine]
        weight[rim] = self._at_rim(answer, seen, weight, trust)[rim]
        self._surround(answer, seen)
        if self.soft is not None:
            held = self.soft[answer.index, answer.slice][window]
            np.maximum(held, seen.mean.astype(np.float16), out=held)

    def finish(self) -> None:
        """Make the probabilities sum to 1; of classes that overlap none is cut."""
        if self.soft is None:
            return
        for slice_ in range(self.soft.shape[1]):
            plane = self.soft[1:, slice_].astype(np.float32)
            total = plane.sum(axis=0)
            plane = plane / np.maximum(total, 1)
            self.soft[1:, slice_] = plane
            self.soft[0, slice_] = 1 - plane.sum(axis=0)

    def _surround(self, answer: Answer, seen: Seen) -> None:
        """Background in and around the box that was asked for, as sure as the teacher is of it."""
        if answer.box is None:
            return
        shape = self.weight.shape[1:]
        x0, y0, x1, y1 = answer.box
        wide, high = _AROUND * (x1 - x0), _AROUND * (y1 - y0)
        near = (
            slice(max(round(y0 - high), 0), min(round(y1 + high), shape[0])),
            slice(max(round(x0 - wide), 0), min(round(x1 + wide), shape[1])),
        )
        sure = np.ones(shape, dtype=np.float32)
        sure[answer.window.part] = 1 - seen.entropy
        found = None if self._student is None else self._student[answer.slice]
        if found is not None:
            sure[found == answer.index] *= self._disputed
            sure[(found != 0) & (found != answer.index)] = 0  # another class is not this answer's to deny
        label, weight = self.class_map[answer.slice][near], self.weight[answer.slice][near]
        clear = (label == 0) & ~self._unknown[answer.slice][near]
        weight[clear] = np.maximum(weight, sure[near])[clear]

    def _at_rim(
        self, answer: Answer, seen: Seen, weight: NDArray[np.float32], trust: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """Weights of background beside an object: the student's own part of it is disputed, not unknown."""
        if seen.student is None:
            return np.minimum(weight, trust)
        return np.where(seen.student[answer.window.part], trust, np.minimum(weight, trust))
