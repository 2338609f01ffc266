"""The contract of prompt simulators: `Truth` is what they see, `Simulator` what they answer.

Only a simulator looks at the label. Whatever it derives from it, the slice that it prompts included, is part
of its name and of its budget; the model, the volume strategy and the intensity policy see its prompts and
nothing else.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

import numpy as np

from anytomy.core.errors import GeometryError, OptionError
from anytomy.core.prompt import Prompt
from anytomy.core.view import axis_number

if TYPE_CHECKING:
    from numpy.typing import NDArray

Scope = Literal["slice", "volume"]
Level = Literal["object", "structure"]


@dataclass(frozen=True, eq=False)
class Truth:
    """What a simulator may look at: one object's mask on the file's own grid.

    Attributes:
        mask: `(y, x)`, or `(z, y, x)` when `is_volume`.
        is_volume: Whether the first array axis is z.
        axis: The file's axis that slices run along: `x`, `y` or `z`; always `z` in a picture.
        spacing: Size of a voxel in mm in array order (z, y, x); None where unknown. Pictures make no use
            of it.

    Raises:
        GeometryError: If the mask has another number of axes, or the spacing is not positive.
        OptionError: If there is no such axis.
    """

    mask: NDArray[np.bool_]
    is_volume: bool
    axis: str = "z"
    spacing: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        mask = np.asarray(self.mask)
        expected = 3 if self.is_volume else 2
        if mask.ndim != expected:
            raise GeometryError(f"expected a mask of {expected} axes, got shape {mask.shape}")
        object.__setattr__(self, "mask", mask.astype(bool, copy=False))
        across = axis_number(self.axis)
        if not self.is_volume and across != 2:
            raise OptionError(f"expected no axis but z in a single picture, got {self.axis!r}")
        object.__setattr__(self, "axis", "xyz"[across])
        if self.is_volume and self.spacing is not None:
            spacing = tuple(float(s) for s in self.spacing)
            if len(spacing) != 3 or not all(0 < s < np.inf for s in spacing):
                raise GeometryError(f"expected a spacing of three positive numbers, got {self.spacing}")
            object.__setattr__(self, "spacing", spacing)

    @property
    def along(self) -> int:
        """The array axis that slices run along."""
        return 2 - axis_number(self.axis)

    def plane(self, slice_: int | None) -> Plane:
        """One slice of a volume; the picture itself for None."""
        return Plane(cut(self, self.mask, slice_), slice_)

    def largest_plane(self) -> Plane | None:
        """The slice with most of the object, the first of equals; None where it is empty."""
        if not self.is_volume:
            return self.plane(None) if self.mask.any() else None
        others = tuple(a for a in range(3) if a != self.along)
        areas = self.mask.sum(axis=others)
        return self.plane(int(areas.argmax())) if areas.any() else None


@dataclass(frozen=True, eq=False)
class Plane:
    """One slice of the object, or the picture.

    Attributes:
        mask: `(row, column)`; in a volume columns run along the lower of the two other file axes.
        slice: Its number along the file's axis; None in a picture.
    """

    mask: NDArray[np.bool_]
    slice: int | None

    def prompt(self, **said: Any) -> Prompt:
        """A prompt in this slice."""
        return Prompt(slice=self.slice, **said)


@runtime_checkable
class Simulator(Protocol):
    """Stands in for the person who prompts.

    - Gives prompts on the file's own grid that lie inside the image; `()` for an empty mask.
    - Several prompts are one answer: their masks are united.
    - Randomness comes from the given generator only; the same truth and generator give the same prompts.
    - With `scope` "slice" it chooses one slice of a volume, the one where the object is largest, and only
      this slice is judged; that choice comes on top of its budget. With "volume" the whole object is.
    - With `level` "structure" it is asked once, with the union of all objects of a structure.
    - `correct` sees the mask that the prompts brought, and gives all prompts of the next round.
    - Third parties add theirs by an entry point in the group `anytomy.simulators`.
    """

    @property
    def name(self) -> str:
        """What it is called in options and results, parameters included."""
        ...

    @property
    def kinds(self) -> tuple[str, ...]:
        """What its prompts hold: `box`, `points`, `mask`. A mask that is fed back does not count."""
        ...

    @property
    def budget(self) -> str:
        """What it says of an object at most, in words for tables."""
        ...

    @property
    def scope(self) -> Scope:
        """What is judged in a volume: one slice or the whole object."""
        ...

    @property
    def level(self) -> Level:
        """Whether each object is prompted, or once all objects of a structure together."""
        ...

    @property
    def source(self) -> str:
        """The paper or protocol that it follows."""
        ...

    @property
    def steps(self) -> int:
        """Number of interactions; 1 unless it corrects."""
        ...

    def start(self, truth: Truth, rng: np.random.Generator) -> tuple[Prompt, ...]:
        """The first prompts.

        Raises:
            OptionError: If it is for volumes only and this is a picture.
        """
        ...

    def correct(
        self,
        truth: Truth,
        found: NDArray[np.bool_],
        prompts: tuple[Prompt, ...],
        rng: np.random.Generator,
        *,
        feed_mask: bool,
    ) -> tuple[Prompt, ...] | None:
        """The next round; None when nothing is wrong any more or all steps are used.

        Args:
            truth: The object.
            found: What `prompts` brought, on the grid of `truth.mask`.
            prompts: Those of the round before.
            rng: Its randomness.
            feed_mask: Whether the model takes a mask: `found` is then part of the prompt.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class Once:
    """What simulators that never correct have in common; attributes as in `Simulator`."""

    name: str
    budget: str
    source: str
    kinds: tuple[str, ...] = ("box",)
    scope: Scope = "slice"
    level: Level = "object"
    steps: int = 1

    def correct(
        self,
        truth: Truth,
        found: NDArray[np.bool_],
        prompts: tuple[Prompt, ...],
        rng: np.random.Generator,
        *,
        feed_mask: bool,
    ) -> tuple[Prompt, ...] | None:
        """See `Simulator`: there is no next round."""
        return None


def cut(truth: Truth, array: NDArray[np.bool_], slice_: int | None) -> NDArray[np.bool_]:
    """One slice of an array on the truth's grid as `(row, column)`; a picture as it is."""
    return array if slice_ is None else array[(slice(None),) * truth.along + (slice_,)]


def seeded(seed: int, *names: str | int) -> np.random.Generator:
    """A generator of its own for each seed and names: data set, case, structure, object, simulator.

    What it gives depends on nothing else, so that neither the order of the work nor the number of workers
    changes a result.

    Example:
        >>> bool(seeded(7, "busi", "case 3").random() == seeded(7, "busi", "case 3").random())
        True
    """
    words = json.dumps([int(seed), *(str(name) for name in names)])
    return np.random.default_rng(int.from_bytes(hashlib.sha256(words.encode()).digest(), "big"))


def counted(count: int, what: str) -> str:
    """`1 click`, `5 clicks`."""
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def need_volume(truth: Truth, name: str) -> None:
    """Refuse a picture.

    Raises:
        OptionError: With the simulators that pictures have.
    """
    if truth.is_volume:
        return
    from anytomy.evaluation.simulators.registry import picture_names

    raise OptionError(
        f"the simulator {name} is for volumes, but this is a single picture",
        hint=f"simulators for pictures: {', '.join(picture_names())}",
    )
