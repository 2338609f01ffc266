"""From slices to a regular grid: `arrange`; with gaps and several frames at a place, `arrange_sparse`.

Tolerances (scanners round what they write):

- directions are the same, perpendicular and of unit length within 1e-3 (0.06 degrees);
- pixel spacings are the same within 1e-4 of their value;
- two slices are at the same place if nearer than 1 % of the pixel spacing, at most 0.01 mm;
- along the normal each slice lies on the regular grid between the first and the last one within 1 % of the
  slice distance, or 0.1 mm where that is more (at most a fifth of the distance): positions are often rounded
  to a tenth of a millimetre. A missing slice is off by half a distance or more;
- sideways it may drift by 1e-3 of the extent along the normal, or 0.1 mm (at most a fifth of a pixel).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any

import numpy as np

from anytomy.core.errors import GeometryError, ImageReadError, OptionError
from anytomy.core.geometry import Geometry
from anytomy.io.dicom_slice import VOLUME_MARKS

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from anytomy.io.dicom_slice import Slice

_DIRECTION = 1e-3
_SPACING = 1e-4
_ROUNDING_MM = 0.1
_MOST_SLICES = 65535  # of a sparse grid: two far frames of a damaged file must not fill the memory


def arrange(slices: Sequence[Slice], time: int | None, path: Path) -> tuple[list[Slice], Geometry, bool]:
    """Slices in ascending order along their normal, the grid, and whether it is a volume.

    The normal is the cross product of the row and the column direction, so the grid is right-handed. A
    picture without a place in the patient is a 2D image.

    Args:
        slices: Those of one series.
        time: Which of several volumes at the same place, or which frame of a cine; 0-based.
        path: What was read, for messages.

    Raises:
        GeometryError: If the slices do not make a regular grid.
        ImageReadError: If there are several volumes, frames or pictures and none was chosen.
        OptionError: If there is no volume `time`.
    """
    unplaced = [s for s in slices if not (s.position_lps_mm and s.orientation and s.spacing_yx_mm)]
    if len(unplaced) == len(slices) and (len(slices) == 1 or len({s.path for s in slices}) == 1):
        chosen = _pick([[s] for s in slices], time, path, "frames", "")[0]
        return [chosen], _picture_grid(chosen), False
    if unplaced:
        raise GeometryError(
            f"{path}: no ImagePositionPatient, ImageOrientationPatient or PixelSpacing in {_names(unplaced)}",
            hint="a volume needs them in each slice; give one file to read it as a picture",
        )
    _check_alike(slices, path)
    direction = _direction(slices[0])
    volumes, marks = _split(slices, direction[2])
    chosen_slices = _pick(volumes, time, path, "volumes at the same place", marks)
    return _stack(chosen_slices, direction, path)


def _pick(volumes: list[list[Slice]], time: int | None, path: Path, what: str, marks: str) -> list[Slice]:
    count = len(volumes)
    if time is None and count > 1:
        raise ImageReadError(
            f"{path} holds {count} {what}" + (f" (they differ in {marks})" if marks else ""),
            hint=f"choose one with --time 0 to {count - 1}",
        )
    if time is not None and not 0 <= time < count:
        expected = "0" if count == 1 else f"0 to {count - 1}"
        raise OptionError(f"expected --time {expected} for {path}, got {time}")
    return volumes[time or 0]


def _picture_grid(slice_: Slice) -> Geometry:
    rows, columns = slice_.size_yx
    dy, dx = slice_.spacing_yx_mm or (1.0, 1.0)
    return Geometry(size_xyz=(columns, rows, 1), spacing_xyz_mm=(dx, dy, 1.0))


def _names(slices: Sequence[Slice], limit: int = 3) -> str:
    more = f" and {len(slices) - limit} more" if len(slices) > limit else ""
    return ", ".join(s.name for s in slices[:limit]) + more


def arrange_sparse(
    frames: Sequence[Slice], stated_mm: float | None, path: Path
) -> tuple[list[int], Geometry]:
    """The z index of each frame on the smallest regular grid that holds them all, and the grid.

    Frames may come in any order, share a place (segments of a segmentation) and leave gaps.

    Args:
        frames: Each with a place.
        stated_mm: The distance of slices that the file states. It counts where all places fit it; else it is
            the smallest distance of two places.
        path: What was read, for messages.

    Raises:
        GeometryError: If the places do not fit into a regular grid.
    """
    _check_alike(frames, path)
    direction = _direction(frames[0])
    rank = _places(frames, direction[2])
    first: dict[int, Slice] = {}
    for frame in frames:
        first.setdefault(rank[id(frame)], frame)
    placed = [first[number] for number in sorted(first)]
    positions = np.array([frame.position_lps_mm for frame in placed])
    index, step = np.zeros(1, dtype=int), stated_mm or placed[0].step_mm or 1.0
    if len(placed) > 1:
        _check_sideways(placed, positions, direction[2], path)
        index, step = _sparse_index(placed, positions @ direction[2], stated_mm, path)
    size = (placed[0].size_yx[1], placed[0].size_yx[0], int(index[-1]) + 1)
    return [int(index[rank[id(frame)]]) for frame in frames], _grid(placed[0], direction, step, size)


def _sparse_index(
    placed: Sequence[Slice], along: NDArray[np.float64], stated_mm: float | None, path: Path
) -> tuple[NDArray[np.int_], float]:
    offsets = along - along[0]
    steps = np.diff(offsets)
    for step in (stated_mm, float(steps.min())):
        if not step or offsets[-1] / step > _MOST_SLICES:
            continue
        # Gap by gap: where positions are rounded, the quotient of a long way is off by whole slices.
        gaps = np.round(steps / step).astype(int)
        rounding = np.maximum(0.01 * steps, min(2 * _ROUNDING_MM, 0.2 * step))
        if gaps.min() < 1 or np.any(np.abs(steps - gaps * step) > rounding):
            continue
        index = np.concatenate([[0], np.cumsum(gaps)])
        mean = float(offsets[-1] / index[-1])
        if np.abs(offsets - index * mean).max() <= max(0.01 * mean, min(_ROUNDING_MM, 0.2 * mean)):
            return index, mean
    at = int(steps.argmax())
    raise GeometryError(
        f"{path} has irregular slice distances of {steps.min():.4g} to {steps.max():.4g} mm: "
        f"{steps[at]:.4g} mm between {placed[at].name} and {placed[at + 1].name}",
        hint="a volume needs distances that are multiples of one",
    )


# -- what all slices must share ---------------------------------------------------------------------


def _check_alike(slices: Sequence[Slice], path: Path) -> None:
    _check(slices, [s.orientation for s in slices], _DIRECTION, "slice orientations", path)
    _check(slices, [(*s.size_yx, s.samples) for s in slices], 0.0, "image sizes", path)
    spacings = [np.log(s.spacing_yx_mm or (1.0, 1.0)) for s in slices]
    _check(slices, spacings, _SPACING, "pixel spacings", path)


def _check(slices: Sequence[Slice], values: Sequence[Any], tolerance: float, what: str, path: Path) -> None:
    table = np.asarray(values, dtype=np.float64)
    rounded = [tuple(row) for row in np.round(table, 3)]
    usual = table[rounded.index(Counter(rounded).most_common(1)[0][0])]
    odd = [s for s, row in zip(slices, table, strict=True) if np.abs(row - usual).max() > tolerance]
    if odd:
        raise GeometryError(
            f"{path} mixes {what}: {_names(odd)} differ from the other {len(slices) - len(odd)}",
            hint="move localisers and other stray images out of the folder",
        )


def _direction(slice_: Slice) -> NDArray[np.float64]:
    """Unit vectors of x, y and z as rows."""
    row, column = np.asarray(slice_.orientation, dtype=np.float64).reshape(2, 3)
    lengths = np.linalg.norm([row, column], axis=1)
    if np.abs(lengths - 1).max() > _DIRECTION or abs(row @ column) > _DIRECTION:
        raise GeometryError(
            f"{slice_.path} has an ImageOrientationPatient that is not two perpendicular unit vectors"
        )
    # Cosines are rounded to a few digits: x as written, y perpendicular to it.
    x = row / lengths[0]
    y = column - (column @ x) * x
    y /= np.linalg.norm(y)
    return np.stack([x, y, np.cross(x, y)])


# -- several volumes at the same place --------------------------------------------------------------


def _split(slices: Sequence[Slice], normal: NDArray[np.float64]) -> tuple[list[list[Slice]], str]:
    """The volumes that a series holds, and the attributes that tell them apart.

    A mark splits a group only if each part then covers every slice position equally often. What remains
    doubled is left so, and refused later.
    """
    at = _places(slices, normal)
    groups = [list(slices)]
    used: list[str] = []
    for number, (keyword, by_rank) in enumerate(VOLUME_MARKS):
        parts = [part for group in groups for part in _split_by(group, number, by_rank, at)]
        if len(parts) > len(groups):
            groups, used = parts, [*used, keyword]
    return groups, ", ".join(used)


def _places(slices: Sequence[Slice], normal: NDArray[np.float64]) -> dict[int, int]:
    """The number of each slice's position along the normal, by `id(slice)`."""
    along = np.array([s.position_lps_mm for s in slices]) @ normal
    order = np.argsort(along, kind="stable")
    steps = np.diff(along[order]) > _same_place_mm(slices[0])
    numbers = np.concatenate([[0], np.cumsum(steps)])
    return {id(slices[i]): int(n) for i, n in zip(order, numbers, strict=True)}


def _same_place_mm(slice_: Slice) -> float:
    return 0.01 * min(1.0, *(slice_.spacing_yx_mm or (1.0, 1.0)))


def _split_by(group: list[Slice], mark: int, by_rank: bool, at: dict[int, int]) -> list[list[Slice]]:
    counts = Counter(at[id(s)] for s in group)
    if max(counts.values()) == 1 or any(s.marks[mark] is None for s in group):
        return [group]
    values: dict[int, set[Any]] = defaultdict(set)
    for s in group:
        values[at[id(s)]].add(s.marks[mark])
    ranks = {place: sorted(held, key=_sortable) for place, held in values.items()}
    parts: dict[Hashable, list[Slice]] = defaultdict(list)
    for s in group:
        value = s.marks[mark]
        parts[ranks[at[id(s)]].index(value) if by_rank else value].append(s)
    coverage = [Counter(at[id(s)] for s in part) for part in parts.values()]
    if any(c.keys() != counts.keys() or len(set(c.values())) > 1 for c in coverage):
        return [group]
    return [parts[key] for key in sorted(parts, key=_sortable)]


def _sortable(value: Any) -> tuple[bool, Any]:
    return isinstance(value, str), value


# -- one volume -------------------------------------------------------------------------------------


def _stack(
    slices: list[Slice], direction: NDArray[np.float64], path: Path
) -> tuple[list[Slice], Geometry, bool]:
    positions = np.array([s.position_lps_mm for s in slices])
    order = np.argsort(positions @ direction[2], kind="stable")
    slices, positions = [slices[i] for i in order], positions[order]
    along = positions @ direction[2]
    step = slices[0].step_mm or 1.0
    if len(slices) > 1:
        _check_doubled(slices, along, path)
        _check_sideways(slices, positions, direction[2], path)
        _check_regular(slices, along, path)
        # The mean, not the median: where positions are rounded, the median is wrong and adds up.
        step = float(along[-1] - along[0]) / (len(slices) - 1)
    rows, columns = slices[0].size_yx
    return slices, _grid(slices[0], direction, step, (columns, rows, len(slices))), True


def _grid(
    first: Slice, direction: NDArray[np.float64], step: float, size_xyz: tuple[int, int, int]
) -> Geometry:
    dy, dx = first.spacing_yx_mm or (1.0, 1.0)
    affine = np.eye(4)
    affine[:3, :3] = direction.T * (dx, dy, step)
    affine[:3, 3] = first.position_lps_mm or (0.0, 0.0, 0.0)
    return Geometry.from_affine(affine, size_xyz)


def _check_doubled(slices: list[Slice], along: NDArray[np.float64], path: Path) -> None:
    doubled = np.flatnonzero(np.diff(along) <= _same_place_mm(slices[0]))
    if not doubled.size:
        return
    first, second = slices[doubled[0]], slices[doubled[0] + 1]
    copies = first.sop_instance_uid == second.sop_instance_uid and first.path != second.path
    raise GeometryError(
        f"{path} holds two slices at the same position: {first.name} and {second.name}"
        + (f" ({doubled.size} such pairs)" if doubled.size > 1 else ""),
        hint="they are copies of the same image, remove one" if copies else "remove the one that is wrong",
    )


def _check_sideways(
    slices: list[Slice], positions: NDArray[np.float64], normal: NDArray[np.float64], path: Path
) -> None:
    offsets = positions - positions[0]
    along = offsets @ normal
    drift = offsets - along[:, None] * normal
    size = np.linalg.norm(drift, axis=1)
    pixel = min(slices[0].spacing_yx_mm or (1.0, 1.0))
    tolerance = max(min(_ROUNDING_MM, 0.2 * pixel), 1e-3 * along[-1])
    worst = int(size.argmax())
    if size[worst] <= tolerance:
        return
    straight = drift[-1] * (along / along[-1])[:, None]
    names = f"{slices[0].name} to {slices[-1].name}"
    if np.linalg.norm(drift - straight, axis=1).max() > tolerance:
        raise GeometryError(
            f"{path}: slices are not stacked in line, {slices[worst].name} is {size[worst]:.4g} mm aside",
            hint="move stray images out of the folder",
        )
    degrees = float(np.degrees(np.arctan2(size[-1], along[-1])))
    stated = slices[0].tilt_degrees
    tilt = f", GantryDetectorTilt {stated:g}" if stated else ""
    raise GeometryError(
        f"{path} is sheared: slices move sideways by {size[-1]:.4g} mm over {along[-1]:.4g} mm from {names} "
        f"({degrees:.2g} degrees{tilt})",
        hint="correct the gantry tilt first (for example with dcm2niix)",
    )


def _check_regular(slices: list[Slice], along: NDArray[np.float64], path: Path) -> None:
    steps = np.diff(along)
    mean = float(along[-1] - along[0]) / len(steps)
    off = np.abs(along - np.linspace(along[0], along[-1], len(along)))
    if off.max() <= max(0.01 * mean, min(_ROUNDING_MM, 0.2 * mean)):
        return
    usual = float(np.sort(steps)[(len(steps) - 1) // 2])
    ratio = steps / usual
    gaps = np.flatnonzero(ratio > 1.5)
    whole = np.abs(ratio - np.round(ratio)) < 0.1
    if gaps.size and whole.all():
        missing = int((np.round(ratio[gaps]) - 1).sum())
        at = int(gaps[0])
        raise GeometryError(
            f"{path} lacks {missing} slice{'s' * (missing > 1)}: between {slices[at].name} and "
            f"{slices[at + 1].name} are {steps[at]:.4g} mm, elsewhere {usual:.4g} mm",
            hint="copy the whole series",
        )
    at = int(np.abs(steps - usual).argmax())
    raise GeometryError(
        f"{path} has irregular slice distances of {steps.min():.4g} to {steps.max():.4g} mm: "
        f"{steps[at]:.4g} mm between {slices[at].name} and {slices[at + 1].name}, usually {usual:.4g} mm",
        hint="choose the slices of one spacing, or resample the series first",
    )
