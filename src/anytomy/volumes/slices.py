"""What a volume strategy looks at: `Slices` of one plane, and `Plane`, the same volume cut the other ways."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from anytomy.core.errors import OptionError
from anytomy.core.view import SliceView
from anytomy.engine.model import Decoded
from anytomy.engine.resample import resize_bilinear, resize_pillow
from anytomy.predict.plane import decode_plane
from anytomy.volumes.work import Work

if TYPE_CHECKING:
    from typing import Any, Self

    from numpy.typing import NDArray

    from anytomy.core.geometry import Geometry
    from anytomy.core.image import Image
    from anytomy.core.intensity import GreyScale
    from anytomy.engine.frame import PlanePrompt
    from anytomy.engine.model import PromptableModel
    from anytomy.predict.zoom import Zoom

# A slice that is enlarged to square pixels gets no longer than this: models see far less.
_LONGEST = 1024


class Slices:
    """The slices of a volume as a model sees them, made when asked for.

    Args:
        seen: `(slice, row, column[, c])` in the canonical view, the file's own values.
        grey: The fitted intensity policy.
        spacing: Distance of slices, rows and columns in mm; all alike where unknown.
        turns: The way to the other two planes; stored order where not given.
        work: Counts what is asked of a model, in other planes too.
    """

    def __init__(
        self,
        seen: NDArray[Any],
        grey: GreyScale,
        *,
        spacing: tuple[float, float, float] = (1.0, 1.0, 1.0),
        turns: tuple[Turn, ...] | None = None,
        work: Work | None = None,
    ) -> None:
        self._seen = seen
        self._grey = grey
        self.spacing = spacing
        self.work = work or Work()
        self._turns = turns if turns is not None else (Turn((1, 0, 2)), Turn((2, 0, 1)))
        self._kept: tuple[int, NDArray[np.uint8]] | None = None

    @classmethod
    def of(cls, image: Image, view: SliceView, grey: GreyScale, work: Work | None = None) -> Self:
        """The slices of an image in a view; other planes are shown in the canonical view as well."""
        geometry = image.geometry
        spacing = tuple(geometry.spacing_xyz_mm[a] for a in reversed(view.axes))
        turns = tuple(Turn.between(view, other) for other in _other_views(geometry, view))
        return cls(
            view.apply(image.volume),
            grey,
            spacing=(spacing[0], spacing[1], spacing[2]),
            turns=turns if image.is_volume else (),
            work=work,
        )

    def __len__(self) -> int:
        return int(self._seen.shape[0])

    @property
    def shape(self) -> tuple[int, int]:
        """`(row, column)` of every slice."""
        return int(self._seen.shape[1]), int(self._seen.shape[2])

    def __getitem__(self, index: int) -> NDArray[np.uint8]:
        """Grey levels `(row, column[, c])` of one slice, contiguous."""
        return np.ascontiguousarray(self._grey.apply(self._seen[index]))

    def decode(self, model: PromptableModel, index: int, prompt: PlanePrompt, zoom: Zoom) -> Decoded:
        """What a model answers to a prompt in one slice, on the slice's own pixels."""
        # All objects of a slice ask one after the other.
        if self._kept is None or self._kept[0] != index:
            self._kept = (index, self[index])
        found = decode_plane(model, self._kept[1], prompt, zoom)
        self.work.step()
        return found

    def planes(self) -> tuple[Plane, ...]:
        """The same volume in the other two planes, their pixels made square."""
        return tuple(Plane(turn, self._turned(turn)) for turn in self._turns)

    def _turned(self, turn: Turn) -> SquareSlices:
        a, b, c = turn.order
        spacing = (self.spacing[a], self.spacing[b], self.spacing[c])
        return SquareSlices(turn.apply(self._seen), self._grey, spacing=spacing, turns=(), work=self.work)


class SquareSlices(Slices):
    """Slices whose pixels are not square, enlarged until they are; prompts and answers stay on the pixels.

    A coronal slice of a scan with thick slices is a strip of a few rows: a model that saw it so would see a
    squeezed body.
    """

    def __init__(self, seen: NDArray[Any], grey: GreyScale, **more: Any) -> None:
        super().__init__(seen, grey, **more)
        rows, columns = self.shape
        _, high, wide = self.spacing
        fine = min(high, wide)
        fine *= max(1.0, rows * high / fine / _LONGEST, columns * wide / fine / _LONGEST)
        self._square = (max(round(rows * high / fine), 1), max(round(columns * wide / fine), 1))

    def __getitem__(self, index: int) -> NDArray[np.uint8]:
        """Grey levels of one slice at the square size."""
        picture = super().__getitem__(index)
        if picture.shape[:2] == self._square:
            return picture
        return np.ascontiguousarray(resize_pillow(picture, self._square, bicubic=False))

    def decode(self, model: PromptableModel, index: int, prompt: PlanePrompt, zoom: Zoom) -> Decoded:
        """As `Slices.decode`, through the square picture."""
        high, wide = self._square[0] / self.shape[0], self._square[1] / self.shape[1]
        if prompt.mask is not None:
            raise OptionError("a mask cannot prompt a plane that it was not drawn in")
        box = prompt.box
        scaled = replace(
            prompt,
            box=None if box is None else (box[0] * wide, box[1] * high, box[2] * wide, box[3] * high),
            points=tuple(((x + 0.5) * wide - 0.5, (y + 0.5) * high - 0.5) for x, y in prompt.points),
        )
        found = super().decode(model, index, scaled, zoom)
        return Decoded(resize_bilinear(found.logits, self.shape), found.score)


class NeighbourSlices(Slices):
    """Each slice with its neighbours as the channels red (before), green (itself) and blue (after).

    The neighbours are those that are about as far as the pixels are wide, the next ones where slices are
    thick; at the ends the slice itself takes their place.

    Args:
        slices: Of a grey volume.

    Raises:
        OptionError: If it is in colour.
    """

    def __init__(self, slices: Slices) -> None:
        super().__init__(slices._seen, slices._grey, spacing=slices.spacing, turns=(), work=slices.work)
        if slices._seen.ndim == 4:
            raise OptionError(
                "neighbouring slices take the place of colours, but this volume is in colour",
                hint="choose another --volume strategy, or one channel with --channel",
            )
        deep, high, wide = slices.spacing
        self.step = max(1, round(min(high, wide) / deep))

    def __getitem__(self, index: int) -> NDArray[np.uint8]:
        """`(row, column, 3)`."""
        last = len(self) - 1
        around = (max(index - self.step, 0), index, min(index + self.step, last))
        return np.ascontiguousarray(
            np.stack([super(NeighbourSlices, self).__getitem__(i) for i in around], -1)
        )


@dataclass(frozen=True)
class Turn:
    """How an array `(slice, row, column)` becomes one whose slices run across its rows or columns.

    Attributes:
        order: Axis of the array behind the new slice, row and column.
        flips: Whether they run against it.
    """

    order: tuple[int, int, int]
    flips: tuple[bool, bool, bool] = (False, False, False)

    @classmethod
    def between(cls, here: SliceView, there: SliceView) -> Turn:
        """From one view of a grid to another one."""
        place = {axis: 2 - i for i, axis in enumerate(here.axes)}
        against = dict(zip(here.axes, here.reversed_, strict=True))
        order = tuple(place[axis] for axis in reversed(there.axes))
        flips = tuple(
            against[axis] != reverse
            for axis, reverse in zip(reversed(there.axes), reversed(there.reversed_), strict=True)
        )
        return cls((order[0], order[1], order[2]), (flips[0], flips[1], flips[2]))

    def apply(self, array: NDArray[Any]) -> NDArray[Any]:
        """The array turned; no copy."""
        rest = tuple(range(3, array.ndim))
        return np.transpose(array, (*self.order, *rest))[self._steps()]

    def restore(self, array: NDArray[Any]) -> NDArray[Any]:
        """The inverse of `apply`; no copy."""
        back = [int(i) for i in np.argsort(self.order)]
        rest = tuple(range(3, array.ndim))
        return np.transpose(array[self._steps()], (*back, *rest))

    def cuboid(self, low: tuple[int, ...], high: tuple[int, ...], shape: tuple[int, ...]) -> tuple[int, ...]:
        """A region of the array, starts and ends by its axes, as slice, row and column starts and ends."""
        starts, ends = [], []
        for axis, flip in zip(self.order, self.flips, strict=True):
            size = shape[axis]
            starts.append(size - high[axis] if flip else low[axis])
            ends.append(size - low[axis] if flip else high[axis])
        return (*starts, *ends)

    def _steps(self) -> tuple[slice, ...]:
        return tuple(slice(None, None, -1 if flip else 1) for flip in self.flips)


@dataclass(frozen=True, eq=False)
class Plane:
    """The volume cut another way.

    Attributes:
        turn: From `(slice, row, column)` of the first plane to this one's.
        slices: As a model sees them.
    """

    turn: Turn
    slices: SquareSlices


def _other_views(geometry: Geometry, view: SliceView) -> list[SliceView]:
    return [SliceView.canonical(geometry, axis) for axis in range(3) if axis != view.axes[2]]
