"""How large objects are and how bright: `measure_objects`."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from anytomy.core.errors import GeometryError, InputError
from anytomy.core.intensity import modality_of
from anytomy.predict.diameter import diameters
from anytomy.predict.surface import surface

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from anytomy.core.image import Image
    from anytomy.core.prediction import ObjectMask, Prediction

SCHEMA = "anytomy.measures/1"
_DIGITS = 6
_HIGHEST_ID = 65535
_SAME_PLACE = 1e-4  # of the extent; programs round headers to float32 and worse
# Columns of values with several numbers.
_COLUMNS: Mapping[str, Sequence[str]] = {
    "centroid_xyz": ("centroid_x", "centroid_y", "centroid_z"),
    "centroid_lps_mm": ("centroid_l_mm", "centroid_p_mm", "centroid_s_mm"),
}


@dataclass(frozen=True)
class Measures:
    """What was measured of one object; None for what does not apply.

    Lengths are in mm where the size of pixels is known, else in px. A volume has volume, surface and
    diameters in space and in the axial slices; a picture has area, perimeter and diameters. An object
    without voxels has nothing but a volume or area of 0.

    Attributes:
        id: Value in the label map.
        name: What it is called.
        unit: `mm` or `px`: in which lengths are.
        voxels: Number of voxels, or pixels.
        volume_ml: Voxels times their size.
        surface_mm2: See `anytomy.predict.surface`; closed where the image ends.
        surface_px2: The same in squared pixels.
        diameter_3d_mm: The longest distance in space, between outer edges; see `anytomy.predict.diameter`.
        diameter_3d_px: The same in pixels.
        axial_diameter_mm: The longest diameter of RECIST: the longest distance within one plane of the file's
            that are nearest to axial.
        axial_diameter_px: The same in pixels, in the planes along the file's first two axes.
        axial_short_mm: In that plane, the longest distance perpendicular to it.
        axial_short_px: The same in pixels.
        axial_slice: The file's number of that plane, from 0.
        area_mm2: Pixels times their size.
        area_px: Number of pixels.
        perimeter_mm: Length of the outline, holes included.
        perimeter_px: The same in pixels.
        diameter_mm: The longest distance in a picture.
        diameter_px: The same in pixels.
        short_diameter_mm: The longest distance perpendicular to it.
        short_diameter_px: The same in pixels.
        centroid_xyz: Mean place in pixels of the file, `x, y[, z]`.
        centroid_lps_mm: The same in the patient.
        box_xyz: The tight box, as a prompt has it: `x0, y0[, z0], x1, y1[, z1]`, ends exclusive.
        mean: Mean of the file's own values, those that are finite; none of the values of colour pictures.
        sd: Their standard deviation (of the population).
        median: Their median.
        minimum: The lowest.
        maximum: The highest.
        intensity_unit: `HU` for a CT, `HU (guessed)` where only the values look like one, else empty.
    """

    id: int
    name: str
    unit: str
    voxels: int
    volume_ml: float | None = None
    surface_mm2: float | None = None
    surface_px2: float | None = None
    diameter_3d_mm: float | None = None
    diameter_3d_px: float | None = None
    axial_diameter_mm: float | None = None
    axial_diameter_px: float | None = None
    axial_short_mm: float | None = None
    axial_short_px: float | None = None
    axial_slice: int | None = None
    area_mm2: float | None = None
    area_px: int | None = None
    perimeter_mm: float | None = None
    perimeter_px: float | None = None
    diameter_mm: float | None = None
    diameter_px: float | None = None
    short_diameter_mm: float | None = None
    short_diameter_px: float | None = None
    centroid_xyz: tuple[float, ...] | None = None
    centroid_lps_mm: tuple[float, ...] | None = None
    box_xyz: tuple[int, ...] | None = None
    mean: float | None = None
    sd: float | None = None
    median: float | None = None
    minimum: float | None = None
    maximum: float | None = None
    intensity_unit: str = ""

    def row(self) -> dict[str, Any]:
        """A row of a table: what applies, numbers apart, rounded to six significant digits."""
        found: dict[str, Any] = {}
        for field in fields(self):
            value = getattr(self, field.name)
            if value is None:
                continue
            if not isinstance(value, tuple):
                found[field.name] = _rounded(value)
                continue
            box = [f"box_{axis}{end}" for end in (0, 1) for axis in "xyz"[: len(value) // 2]]
            names = _COLUMNS.get(field.name, box)
            found |= {name: _rounded(each) for name, each in zip(names, value, strict=False)}
        return found


def measure_objects(prediction: Prediction, image: Image) -> list[Measures]:
    """Measure each object of a prediction by its own mask, also where it overlaps with others.

    Args:
        prediction: A result; combined objects count like others.
        image: What was segmented.

    Raises:
        GeometryError: If they have different grids.

    Example:
        >>> measure_objects(result, image)[0].volume_ml  # doctest: +SKIP
        1523.4
    """
    if not prediction.geometry.is_close(image.geometry):
        raise GeometryError("expected the image that was segmented, got one on another grid")
    objects = zip(prediction.ids, prediction.names, prediction.masks.objects, strict=True)
    return measure_masks(objects, image, image)


def measure_masks(
    objects: Iterable[tuple[int, str, ObjectMask]], grid: Image, image: Image | None
) -> list[Measures]:
    """Measure masks, which may overlap.

    Args:
        objects: Id, name and mask of each.
        grid: What they lie on.
        image: Whose intensities are measured, on the same grid; None leaves them out.
    """
    unit = "" if image is None else _intensity_unit(image)
    return [_measure(id_, name, *mask.crop(), grid, image, unit) for id_, name, mask in objects]


def measure_labels(
    labels: Image, image: Image | None = None, names: Mapping[int, str] | None = None
) -> list[Measures]:
    """Measure each object of a label map.

    Args:
        labels: Whole numbers; 0 is background.
        image: What it was drawn on; None leaves intensities out.
        names: By id; `object N` for others.

    Raises:
        InputError: If values are no ids.
        GeometryError: If both have different grids.
    """
    if image is not None:
        check_same_grid(labels, image)
    unit = "" if image is None else _intensity_unit(image)
    found = []
    for id_, start, mask in _objects(labels):
        name = (names or {}).get(id_) or f"object {id_}"
        found.append(_measure(id_, name, start, mask, image or labels, image, unit))
    return found


def check_same_grid(labels: Image, image: Image) -> None:
    """Refuse labels that were not drawn on this image.

    Raises:
        GeometryError: If sizes differ, or places where both formats have them.
    """
    sizes = [" x ".join(str(n) for n in each.geometry.size_xyz) for each in (labels, image)]
    placed = labels.has_place and image.has_place and image.is_volume
    if sizes[0] != sizes[1] or (placed and not labels.geometry.is_close(image.geometry, rtol=_SAME_PLACE)):
        how = f"{sizes[0]} and {sizes[1]}" if sizes[0] != sizes[1] else "of one size, in different places"
        raise GeometryError(
            f"{labels.name} and {image.name} have different grids: {how}",
            hint="give the image that the labels were drawn on",
        )


def _objects(labels: Image) -> Iterator[tuple[int, tuple[int, int, int], NDArray[np.bool_]]]:
    """Id, first voxel x, y, z and mask `(z, y, x)` of each object, by id."""
    from scipy import ndimage

    values = labels.volume
    if labels.is_colour:
        raise InputError(f"{labels.name} has colours, expected whole numbers (ids)")
    low, high = values.min(), values.max()
    if not (low >= 0 and high <= _HIGHEST_ID) or np.any(values != np.floor(values)):
        raise InputError(
            f"{labels.name} has values from {low:g} to {high:g}, expected ids: whole numbers from 0 to 65535",
            hint="is it a label map?",
        )
    values = values.astype(np.uint16 if high > 255 else np.uint8, copy=False)
    for number, box in enumerate(ndimage.find_objects(values), start=1):
        if box is not None:
            z, y, x = (part.start for part in box)
            yield number, (x, y, z), values[box] == number


def _measure(
    id_: int,
    name: str,
    start_xyz: Sequence[int],
    mask: NDArray[np.bool_],
    grid: Image,
    image: Image | None,
    intensity_unit: str,
) -> Measures:
    """Measure a mask `(z, y, x)` whose first voxel is `start_xyz` of the grid."""
    unit = "mm" if grid.has_scale else "px"
    found: dict[str, Any] = {"id": id_, "name": name, "unit": unit, "voxels": int(np.count_nonzero(mask))}
    if grid.is_volume:
        found |= _solid(mask, start_xyz, grid, unit)
    else:
        found |= _flat(mask[0] if mask.size else mask, grid, unit)
    if found["voxels"]:
        found |= _place(mask, start_xyz, grid)
        if image is not None and not image.is_colour:
            box = tuple(slice(s, s + n) for s, n in zip(reversed(start_xyz), mask.shape, strict=True))
            found |= _intensity(image.volume[box][mask]) | {"intensity_unit": intensity_unit}
    return Measures(**found)


def _solid(mask: NDArray[np.bool_], start_xyz: Sequence[int], grid: Image, unit: str) -> dict[str, Any]:
    spacing = grid.geometry.spacing_zyx_mm
    count = np.count_nonzero(mask)
    found = {"volume_ml": count * float(np.prod(spacing)) / 1000} if unit == "mm" else {}
    if not count:
        return found
    across = grid.geometry.nearest_axes.index(2)  # the file's axis that runs nearest to head and foot
    order = (2 - across, *(axis for axis in range(3) if axis != 2 - across))
    lengths = diameters(mask.transpose(order), [spacing[axis] for axis in order])
    return found | {
        f"surface_{unit}2": surface(mask, spacing),
        f"diameter_3d_{unit}": lengths.longest,
        f"axial_diameter_{unit}": lengths.in_plane,
        f"axial_short_{unit}": lengths.across,
        "axial_slice": start_xyz[across] + lengths.plane,
    }


def _flat(mask: NDArray[np.bool_], grid: Image, unit: str) -> dict[str, Any]:
    spacing, count = grid.geometry.spacing_zyx_mm, int(np.count_nonzero(mask))
    found: dict[str, Any] = {"area_px": count}
    if unit == "mm":
        found = {"area_mm2": count * spacing[1] * spacing[2]}
    if not count:
        return found
    lengths = diameters(mask[None], spacing)
    return found | {
        f"perimeter_{unit}": surface(mask, spacing[1:]),
        f"diameter_{unit}": lengths.in_plane,
        f"short_diameter_{unit}": lengths.across,
    }


def _place(mask: NDArray[np.bool_], start_xyz: Sequence[int], grid: Image) -> dict[str, Any]:
    axes = 3 if grid.is_volume else 2
    size = mask.shape[::-1]
    centroid = []
    for axis in range(3):
        counts = mask.sum(axis=tuple(a for a in range(3) if a != 2 - axis))
        centroid.append(start_xyz[axis] + float(counts @ np.arange(size[axis]) / counts.sum()))
    stop = [int(s + n) for s, n in zip(start_xyz, size, strict=True)]
    found: dict[str, Any] = {
        "centroid_xyz": tuple(centroid[:axes]),
        "box_xyz": (*(int(s) for s in start_xyz[:axes]), *stop[:axes]),
    }
    if grid.is_volume and grid.has_place:
        found["centroid_lps_mm"] = tuple(float(v) for v in grid.geometry.to_physical(centroid))
    return found


def _intensity(values: NDArray[Any]) -> dict[str, float]:
    if np.issubdtype(values.dtype, np.floating):
        values = values[np.isfinite(values)]
    if not values.size:
        return {}
    mean = float(values.mean(dtype=np.float64))
    # In parts: squares in double precision would take four times the memory of 16-bit values.
    parts = np.array_split(values, values.size // (1 << 20) + 1)
    squares = sum(float(np.square(part.astype(np.float64) - mean).sum()) for part in parts)
    return {
        "mean": mean,
        "sd": float(np.sqrt(squares / values.size)),
        "median": float(np.median(values)),
        "minimum": float(values.min()),
        "maximum": float(values.max()),
    }


def _intensity_unit(image: Image) -> str:
    modality, guessed, _ = modality_of(image)
    return ("HU (guessed)" if guessed else "HU") if modality == "CT" else ""


def _rounded(value: Any) -> Any:
    """Six significant digits: more would claim what no mask can hold."""
    return float(f"{value:.{_DIGITS}g}") if isinstance(value, float) else value
