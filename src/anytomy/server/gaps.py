"""Interpolation between the slices of a label, as one action: `fill_gaps`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from anytomy.core.errors import OptionError
from anytomy.server.patches import Patch
from anytomy.server.problems import ConflictError, NotFoundError
from anytomy.volumes.interpolate import interpolate

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from anytomy.server.history import Flips
    from anytomy.server.session import Session


def fill_gaps(session: Session, label: int, axis: str, range_: tuple[int, int] | None, who: str) -> Flips:
    """Draw what lies between the slices of a label; what a person prompted or drew on stays as it is.

    Args:
        session: Of the label.
        label: Its id.
        axis: Along which slices.
        range_: First and last + 1 slice; the slices between these two are made anew, with those in between
            that a person prompted or drew on as further ends. Where None, empty slices are filled.
        who: Who asked.

    Raises:
        NotFoundError: If there is no such label or axis.
        OptionError: If the range is none, or one of its ends is empty.
        ConflictError: If the label is locked, or there is nothing to fill.
    """
    with session.lock:
        session.scene.unlocked(label)
        if axis not in session.views:
            raise NotFoundError(f"there are no slices along {axis}")
        filled = session.voxels.planes(label, session.views[axis])
        held = {
            place[2] for place in (*session.scene.groups, *session.scene.drawn) if place[:2] == (label, axis)
        }
        keys = _keys(filled, held, range_, session.views[axis].size[2])
        if len(keys) < 2:
            raise ConflictError(
                f"label {label} has fewer than two slices along {axis} to fill between", hint="draw one more"
            )
        gaps = [s for s in range(min(keys), max(keys)) if s not in keys and s not in held]
        if not gaps:
            raise ConflictError(f"label {label} has no gap along {axis}", hint="give a range to redo one")
        view = session.views[axis]
        spacing = session.voxels.geometry.spacing_xyz_mm
        made = interpolate(keys, gaps, spacing_mm=(spacing[view.axes[1]], spacing[view.axes[0]]))
        about = {"axis": axis, "range": range_, "between": sorted(keys)}
        patches = {label: {slice_: Patch.of(mask) for slice_, mask in made.items()}}
        return session.carried(axis, patches, about, who, kind="interpolate")


def _keys(
    filled: dict[int, NDArray[np.bool_]], held: set[int], range_: tuple[int, int] | None, slices: int
) -> dict[int, NDArray[np.bool_]]:
    """The slices to interpolate between."""
    if range_ is None:
        return filled
    first, last = range_[0], range_[1] - 1
    if not 0 <= first < last < slices:
        raise OptionError(
            f"there is no range {range_[0]} to {range_[1]} with slices between", hint="the end is exclusive"
        )
    for end in (first, last):
        if end not in filled:
            raise OptionError(f"slice {end} is empty", hint="begin and end the range at slices with a mask")
    return {s: mask for s, mask in filled.items() if s in (first, last) or (first < s < last and s in held)}
