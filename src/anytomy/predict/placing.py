"""From prompts on a file's grid to prompts on the slices that a model sees: `Track`."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from anytomy.core.errors import PromptError
from anytomy.core.view import axis_number
from anytomy.engine.frame import PlanePrompt

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from anytomy.core.image import Image
    from anytomy.core.prompt import Prompt
    from anytomy.core.view import SliceView


@dataclass(frozen=True)
class Track:
    """One object in view coordinates.

    Attributes:
        prompts: What was said, by slice; at least one slice.
        start: First slice that the object reaches by what was said.
        stop: Last slice + 1.
        limits: First and last + 1 slice that it may reach: the same where a range was given, else all.
        solid: The box is that of a 3D box, which the object need not fill in any one slice.
    """

    prompts: dict[int, PlanePrompt] = field(default_factory=dict)
    start: int = 0
    stop: int = 1
    limits: tuple[int, int] | None = None
    solid: bool = False

    @property
    def reach(self) -> tuple[int, int]:
        """`limits`, or the range where there are none."""
        return self.limits or (self.start, self.stop)

    @property
    def middle(self) -> int:
        """The slice to begin at: the prompted one nearest to the middle of the range."""
        centre = self.start + (self.stop - 1 - self.start) // 2
        return min(self.prompts, key=lambda s: (abs(s - centre), s))


def place(image: Image, prompt: Prompt, view: SliceView, axis: str) -> Track:
    """A prompt on the view's slices.

    A 3D box is prompted on its middle slice (`z0 + (z1 - 1 - z0) // 2` of the view), as LiteMedSAM's
    authors do. Without a range, only the prompted slices are segmented.

    Raises:
        PromptError: If the prompt lies outside of the image, or does not fit to its dimensions.
    """
    who = prompt.label
    if prompt.mask is not None and not prompt.mask.any():
        raise PromptError(f"{who} has a mask that is empty", hint="mark at least one voxel")
    if not image.is_volume:
        _refuse_volume_words(prompt, image)
    prompt = _with_slice(prompt, image, axis)
    _check_inside(prompt, image, axis)
    across = axis_number(axis)
    box = _view_box(prompt, view, across)
    points = _plane_points(prompt, view, across)
    masks = _plane_masks(prompt, image, view, across)
    solid = prompt.box is not None and len(prompt.box) == 6
    flat = view.slice_to_view(prompt.slice or 0)
    rectangles = _key_rectangles(prompt, image, view, axis)
    named = {*points, *masks, *rectangles} | (set() if prompt.slice is None else {flat})
    start, stop = _slice_range(prompt, view, box if solid else None, named)
    boxed = start + (stop - 1 - start) // 2 if solid else flat
    if box is not None:
        # The cross-section of a cuboid belongs to all of its slices that are prompted.
        for slice_ in {boxed, *points, *masks} if solid else {boxed}:
            rectangles[slice_] = (box[0], box[1], box[3], box[4])
    keys: dict[int, PlanePrompt] = {}
    for slice_ in sorted({*points, *masks, *rectangles}):
        spots = points.get(slice_, [])
        keys[slice_] = PlanePrompt(
            box=rectangles.get(slice_),
            points=tuple((x, y) for x, y, _ in spots),
            labels=tuple(int(v) for *_, v in spots),
            mask=masks.get(slice_),
        )
    outside = [s for s in keys if not start <= s < stop]
    if outside:
        raise PromptError(
            f"{who} has a point or mask in slice {view.slice_to_view(outside[0])}, outside of its own range"
        )
    known = solid or prompt.z is not None
    return Track(keys, start, stop, (start, stop) if known else (0, view.size[2]), solid)


def _key_rectangles(
    prompt: Prompt, image: Image, view: SliceView, axis: str
) -> dict[int, tuple[float, float, float, float]]:
    """The boxes on key slices, in the view."""
    across = axis_number(axis)
    found = {}
    for slice_, box in prompt.boxes.items():
        alone = replace(prompt, box=box, slice=slice_, boxes={}, points=(), labels=(), mask=None)
        _check_inside(alone, image, axis)
        seen = _view_box(alone, view, across)
        assert seen is not None
        found[view.slice_to_view(slice_)] = (seen[0], seen[1], seen[3], seen[4])
    return found


def _with_slice(prompt: Prompt, image: Image, axis: str) -> Prompt:
    """The prompt with its slice filled in where there is only one to choose."""
    count = image.geometry.size_xyz[axis_number(axis)]
    solid = prompt.box is not None and len(prompt.box) == 6
    if solid and (_is_flat_mask(prompt) or any(len(p) == 2 for p in prompt.points)):
        raise PromptError(
            f"{prompt.label} has a 3D box, but points or a mask of one slice",
            hint="give points as x,y,z and a mask of the whole volume",
        )
    flat = (prompt.box is not None and len(prompt.box) == 4) or any(len(p) == 2 for p in prompt.points)
    if prompt.slice is None and (flat or _is_flat_mask(prompt)):
        if count == 1:
            return replace(prompt, slice=0)
        raise PromptError(
            f"{prompt.label} is two-dimensional, but {image.name} is a volume of {count} slices along {axis}",
            hint=f"say which slice (--slice 0 to {count - 1}), or give a 3D box x0,y0,z0,x1,y1,z1",
        )
    if solid and (prompt.slice is not None or prompt.z is not None):
        raise PromptError(
            f"{prompt.label} has a 3D box and a slice or z range as well",
            hint="a 3D box holds its own range; leave --slice and --z out",
        )
    return prompt


def _is_flat_mask(prompt: Prompt) -> bool:
    return prompt.mask is not None and prompt.mask.ndim == 2


def _refuse_volume_words(prompt: Prompt, image: Image) -> None:
    if prompt.box is not None and len(prompt.box) == 6:
        raise PromptError(
            f"{prompt.label} has a 3D box, but {image.name} is a single picture", hint="give x0,y0,x1,y1"
        )
    if any(len(p) == 3 for p in prompt.points):
        raise PromptError(
            f"{prompt.label} has 3D points, but {image.name} is a single picture", hint="give x,y"
        )
    if prompt.boxes or prompt.slice not in (None, 0) or prompt.z not in (None, (0, 1)):
        raise PromptError(
            f"{prompt.label} names a slice, but {image.name} is a single picture", hint="leave it out"
        )


def _check_inside(prompt: Prompt, image: Image, axis: str) -> None:
    size = image.geometry.size_xyz
    across = axis_number(axis)
    plane = [a for a in range(3) if a != across]
    names = "xyz"
    box = prompt.box or ()
    for length, axes in ((4, plane), (6, [0, 1, 2])):
        if len(box) == length:
            for j, a in enumerate(axes):
                low, high = box[j], box[j + length // 2]
                if low < 0 or high > size[a]:
                    raise PromptError(
                        f"{prompt.label}: the box reaches from {low:g} to {high:g} along {names[a]}, "
                        f"outside of {image.name}, which has 0 to {size[a]}",
                        hint="coordinates are 0-based voxels of the file",
                    )
    for point in prompt.points:
        axes = plane if len(point) == 2 else [0, 1, 2]
        for value, a in zip(point, axes, strict=True):
            if not -0.5 <= value <= size[a] - 0.5:
                raise PromptError(
                    f"{prompt.label}: the point {','.join(f'{v:g}' for v in point)} is outside of "
                    f"{image.name} along {names[a]}, which has 0 to {size[a] - 1}"
                )
    count = size[across]
    if prompt.slice is not None and not 0 <= prompt.slice < count:
        raise PromptError(
            f"{prompt.label}: there is no slice {prompt.slice} in {image.name}",
            hint=f"slices along {axis} are 0 to {count - 1}",
        )
    if prompt.z is not None and not (prompt.z[0] >= 0 and prompt.z[1] <= count):
        raise PromptError(
            f"{prompt.label}: the z range {prompt.z[0]},{prompt.z[1]} is outside of {image.name}",
            hint=f"slices along {axis} are 0 to {count - 1}; the end is exclusive",
        )


def _slice_range(
    prompt: Prompt, view: SliceView, solid: tuple[float, ...] | None, named: set[int]
) -> tuple[int, int]:
    """First and last + 1 slice of the view that the object may reach.

    Args:
        prompt: Its `z` counts first.
        view: The view of slices.
        solid: The 3D box in view coordinates, if there is one.
        named: Slices of the view with a prompt.
    """
    if solid is not None:
        return int(np.floor(solid[2])), int(np.ceil(solid[5]))
    if prompt.z is not None:
        first, last = sorted(view.slice_to_view(s) for s in (prompt.z[0], prompt.z[1] - 1))
        return first, last + 1
    return min(named), max(named) + 1


def _view_box(prompt: Prompt, view: SliceView, across: int) -> tuple[float, ...] | None:
    """The box as column, row, slice starts and ends; a flat one takes its slice."""
    if prompt.box is None:
        return None
    half = len(prompt.box) // 2
    low, high = list(prompt.box[:half]), list(prompt.box[half:])
    if half == 2:
        slice_ = float(prompt.slice or 0)
        low.insert(across, slice_)
        high.insert(across, slice_ + 1)
    return view.box_to_view(low + high)


def _plane_points(prompt: Prompt, view: SliceView, across: int) -> dict[int, list[tuple[float, float, int]]]:
    found: dict[int, list[tuple[float, float, int]]] = {}
    for point, label in zip(prompt.points, prompt.labels, strict=True):
        full = list(point)
        if len(full) == 2:
            full.insert(across, float(prompt.slice or 0))
        column, row, depth = (float(v) for v in view.to_view(full))
        # Halves go up in the view, not in the file, so that they do not depend on how it is stored.
        slice_ = min(max(int(np.floor(depth + 0.5)), 0), view.size[2] - 1)
        spots = found.setdefault(slice_, [])
        if (column, row, 1 - label) in spots:
            raise PromptError(
                f"{prompt.label}: the point {','.join(f'{v:g}' for v in point)} is both inside and outside "
                "of the object",
                hint="leave one of them out",
            )
        spots.append((column, row, label))
    return found


def _plane_masks(prompt: Prompt, image: Image, view: SliceView, across: int) -> dict[int, NDArray[np.bool_]]:
    if prompt.mask is None:
        return {}
    shape = image.geometry.shape_zyx
    flat_shape = tuple(n for a, n in enumerate(shape) if a != 2 - across)
    full = np.zeros(shape, dtype=bool)
    if prompt.mask.shape == flat_shape:
        index: list[int | slice] = [slice(None)] * 3
        index[2 - across] = prompt.slice or 0
        full[tuple(index)] = prompt.mask
    elif prompt.mask.shape == shape:
        full = prompt.mask
    else:
        raise PromptError(
            f"{prompt.label} has a mask of shape {prompt.mask.shape}, expected {shape} (z, y, x) or one "
            f"slice of it {flat_shape}"
        )
    seen = view.apply(full)
    return {int(s): np.array(seen[s]) for s in np.flatnonzero(seen.any(axis=(1, 2)))}
