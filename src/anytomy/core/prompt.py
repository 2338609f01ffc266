"""What a user says about one object: `Prompt`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from anytomy.core.errors import PromptError

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Prompt:
    """Any mix of a box, points and a mask for one object, on the file's own voxel grid.

    Coordinates are 0-based pixels in the order `x, y[, z]`; whole numbers are pixel centres; box ends are
    exclusive, so that `(0, 0, 10, 5)` covers ten columns and five rows. In a volume, two-dimensional
    prompts lie in slice `slice`; their two numbers run along the two other file axes, lower axis first.

    Attributes:
        box: `(x0, y0, x1, y1)`, or the enclosing cuboid `(x0, y0, z0, x1, y1, z1)`.
        points: `((x, y), ...)` or `((x, y, z), ...)`.
        labels: 1 (object) or 0 (background) for each point; all 1 by default.
        mask: A first guess, bool, on the image's grid (one slice of it with `slice`).
        slice: The key slice of a two-dimensional prompt in a volume.
        z: First and last + 1 slice that the object may reach, along the slice axis.
        id: Its value in the label map; numbered from 1 in order where None.
        name: What it is called.
        boxes: Boxes `(x0, y0, x1, y1)` on several key slices of a volume, by slice; beside or in place of a
            two-dimensional `box`.

    Raises:
        PromptError: If numbers are missing, not finite or reversed, or labels do not fit the points.
    """

    box: tuple[float, ...] | None = None
    points: tuple[tuple[float, ...], ...] = ()
    labels: tuple[int, ...] = ()
    mask: NDArray[Any] | None = field(default=None, repr=False)
    slice: int | None = None
    z: tuple[int, int] | None = None
    id: int | None = None
    name: str | None = None
    boxes: Mapping[int, tuple[float, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.box is not None:
            object.__setattr__(self, "box", _checked_box(self.box))
        points = tuple(_numbers(p, "a point", (2, 3)) for p in _listed(self.points, "a list of points"))
        if len({len(p) for p in points}) > 1:
            raise PromptError("expected points that all have two or all have three numbers")
        object.__setattr__(self, "points", points)
        object.__setattr__(self, "labels", _checked_labels(self.labels, len(points)))
        if self.mask is not None:
            object.__setattr__(self, "mask", _checked_mask(self.mask))
        if self.slice is not None:
            object.__setattr__(self, "slice", _whole(self.slice, "slice"))
        if self.z is not None:
            object.__setattr__(self, "z", _checked_range(self.z))
        if self.id is not None:
            object.__setattr__(self, "id", _whole(self.id, "id"))
            if not 1 <= self.id <= 65535:
                raise PromptError(f"expected an object id from 1 to 65535, got {self.id}")
        if self.name is not None and not isinstance(self.name, str):
            raise PromptError(f"expected a text for the name, got {self.name!r}")
        object.__setattr__(self, "boxes", _checked_boxes(self.boxes))
        self._check_key_slices()
        if self.box is None and not points and self.mask is None and not self.boxes:
            raise PromptError("expected a box, points or a mask, got a prompt with none of them")
        if self.z is not None and self.slice is not None and not self.z[0] <= self.slice < self.z[1]:
            raise PromptError(
                f"slice {self.slice} is outside of z {self.z[0]},{self.z[1]} (the end is exclusive)"
            )

    def _check_key_slices(self) -> None:
        """Boxes on key slices must not contradict the box, the slice or the range."""
        if not self.boxes:
            return
        if self.box is not None and len(self.box) == 6:
            raise PromptError("there are a 3D box and boxes of key slices", hint="give one or the other")
        if self.box is not None and self.boxes.get(self.slice or 0, self.box) != self.box:
            raise PromptError(f"slice {self.slice} has two boxes that differ", hint="leave one of them out")
        outside = [s for s in self.boxes if self.z is not None and not self.z[0] <= s < self.z[1]]
        if outside and self.z is not None:
            raise PromptError(
                f"slice {outside[0]} has a box, but is outside of z {self.z[0]},{self.z[1]} (the end is "
                "exclusive)"
            )

    @property
    def kinds(self) -> tuple[str, ...]:
        """Which of `box`, `points`, `mask` it holds."""
        held = (
            ("box", self.box is not None or bool(self.boxes)),
            ("points", bool(self.points)),
            ("mask", self.mask is not None),
        )
        return tuple(kind for kind, there in held if there)

    @property
    def label(self) -> str:
        """How messages call it."""
        return (
            f"object {self.id}" + (f" ({self.name})" if self.name else "")
            if self.id
            else (self.name or "the prompt")
        )


def _numbers(values: Any, what: str, counts: tuple[int, ...]) -> tuple[float, ...]:
    expected = " or ".join(str(c) for c in counts)
    values = _listed(values, f"{what} of {expected} numbers")
    if len(values) not in counts:
        raise PromptError(f"expected {what} of {expected} numbers, got {len(values)}: {_show(values)}")
    numbers = []
    for value in values:
        numbers.append(_number(value, f"{what} of finite numbers"))
    return tuple(numbers)


def _number(value: Any, what: str) -> float:
    if not _is_number(value):
        raise PromptError(f"expected {what}, got {value!r}")
    try:
        number = float(value)
    except OverflowError:
        number = np.inf
    if not np.isfinite(number):
        raise PromptError(f"expected {what}, got {number}")
    return number


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool)


def _listed(values: Any, what: str) -> tuple[Any, ...]:
    try:
        if isinstance(values, (str, bytes, dict, set)):
            raise TypeError
        return tuple(values)
    except TypeError:
        raise PromptError(f"expected {what}, got {values!r}") from None


def _checked_mask(values: Any) -> NDArray[np.bool_]:
    try:
        mask = np.asarray(values)
    except ValueError:
        raise PromptError("expected a mask whose rows have one length") from None
    if mask.dtype.kind not in "biuf" or mask.ndim not in (2, 3):
        raise PromptError(f"expected a mask of two or three axes, got {mask.ndim} axes of type {mask.dtype}")
    return mask.astype(bool)


def _checked_box(values: Any) -> tuple[float, ...]:
    box = _numbers(values, "a box", (4, 6))
    half = len(box) // 2
    for name, start, end in zip("xyz", box[:half], box[half:], strict=False):
        if end < start:
            raise PromptError(
                f"box {_show(box)} is reversed along {name} ({start:g} to {end:g})",
                hint=f"give {'x0,y0,x1,y1' if half == 2 else 'x0,y0,z0,x1,y1,z1'}",
            )
        if end == start:
            raise PromptError(f"box {_show(box)} has no extent along {name}", hint="box ends are exclusive")
    return box


def _checked_boxes(values: Any) -> dict[int, tuple[float, ...]]:
    if not isinstance(values, Mapping):
        raise PromptError(f"expected boxes by slice, got {values!r}")
    boxes = {}
    for key, value in values.items():
        slice_ = _whole(key, "the slice of a box")
        boxes[slice_] = _checked_box(_numbers(value, "a box", (4,)))
    return dict(sorted(boxes.items()))


def _checked_labels(values: Any, count: int) -> tuple[int, ...]:
    labels = _listed(values, "a list of labels")
    if not labels:
        return (1,) * count
    if len(labels) != count:
        raise PromptError(f"expected one label for each of {count} points, got {len(labels)}")
    if not all(_is_number(v) and v in (0, 1) for v in labels):
        raise PromptError(f"expected point labels 1 (object) or 0 (background), got {labels}")
    return tuple(int(v) for v in labels)


def _checked_range(values: Any) -> tuple[int, int]:
    pair = _numbers(values, "a z range", (2,))
    start, end = (_whole(v, "z") for v in pair)
    if end <= start:
        raise PromptError(f"expected a z range that ascends, got {start},{end}", hint="the end is exclusive")
    return start, end


def _whole(value: Any, what: str) -> int:
    number = _number(value, f"a whole number for {what}")
    if int(number) != number:
        raise PromptError(f"expected a whole number for {what}, got {value}")
    return int(number)


def _show(values: Iterable[Any]) -> str:
    return ",".join(f"{v:g}" if isinstance(v, (int, float)) else str(v) for v in values)


def numbered(prompts: Iterable[Prompt]) -> list[Prompt]:
    """The prompts with ids: their own, else the lowest free one in order.

    Raises:
        PromptError: If two have the same id, or there are more objects than ids.
    """
    prompts = list(prompts)
    taken: set[int] = set()
    for prompt in prompts:
        if prompt.id in taken:
            raise PromptError(f"object id {prompt.id} stands twice", hint="give each object its own id")
        taken |= {prompt.id} if prompt.id is not None else set()
    if len(prompts) > 65535:
        raise PromptError(f"expected at most 65535 objects, got {len(prompts)}")
    free = (i for i in range(1, 65536) if i not in taken)
    return [p if p.id is not None else replace(p, id=next(free)) for p in prompts]
