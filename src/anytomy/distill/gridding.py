"""Which grid and which grey levels a student looks at: `chosen_sight`, from the images of its training."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from anytomy.core.errors import OptionError
from anytomy.core.intensity import choose_policy
from anytomy.predict.student.grid import StudentGrid
from anytomy.tuning.prepared import quietly_read, spread

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from anytomy.core.image import Image
    from anytomy.datasets.case import Case
    from anytomy.distill.config import DistillConfig

# Images that are looked at, evenly spread: enough for medians.
_MOST_LOOKED = 24
# Volumes that go into a 3D student whole cost no more than a few slices; larger ones go slice by slice.
_MOST_VOXELS = 160_000
# Slices much thicker than their pixels say little of each other.
_MOST_UNEVEN = 3.0
_LONGEST_3D = 96


@dataclass(frozen=True)
class Sight:
    """How a student sees an image.

    Attributes:
        grid: Its pixels.
        intensity: Policy that makes grey levels.
        volumes: Whether it is for volumes.
        why: Why it is this one, in a line.
    """

    grid: StudentGrid
    intensity: str
    volumes: bool
    why: str


@dataclass(frozen=True)
class _Look:
    is_colour: bool
    size: tuple[int, int, int]
    spacing: tuple[float, float, float]


def chosen_sight(
    config: DistillConfig, cases: Sequence[Case], policies: Mapping[str, str], multiple: int
) -> Sight:
    """How a student sees the images of some cases.

    Args:
        config: Dims, long side, axis, intensity.
        cases: Those that are trained on.
        policies: The teacher's intensity policies by modality, for `auto`.
        multiple: What the sizes of the network's input must be multiples of.

    Raises:
        OptionError: Pictures and volumes are mixed, pictures should go into a 3D student, or images need
            different intensity policies.
    """
    images = [quietly_read(case) for case in spread(cases, _MOST_LOOKED)]
    if len({image.is_volume for image in images}) > 1:
        raise OptionError("expected pictures or volumes, got both", hint="give one data set at a time")
    volumes = images[0].is_volume
    intensities = sorted({choose_policy(i, policies, config.intensity).policy.text for i in images})
    if len(intensities) > 1:
        raise OptionError(
            f"a student has one intensity policy, but these images need {' and '.join(intensities)}",
            hint="choose one with --intensity",
        )
    if volumes:
        grid, why = _of_volumes(config, images, multiple)
    elif config.dims == "3":
        raise OptionError("expected volumes for a 3D student, got pictures", hint="use --dims 2")
    else:
        grid, why = _of_pictures(config, images, multiple), "pictures"
    axis = config.axis if volumes else "z"
    levels = [grid.levels(image, intensities[0], axis) for image in images]
    means = [np.mean([each[c].mean() for each in levels]) for c in range(grid.colours)]
    stds = [np.mean([each[c].std() for each in levels]) for c in range(grid.colours)]
    grid = replace(
        grid,
        mean=tuple(round(float(mean), 3) for mean in means),
        std=tuple(round(max(float(std), 1.0), 3) for std in stds),
    )
    return Sight(grid, intensities[0], volumes, why)


def _of_pictures(config: DistillConfig, images: Sequence[Image], multiple: int) -> StudentGrid:
    looks = [_looked(image, "z", 2) for image in images]
    size = min(config.size, max(max(look.size) for look in looks))
    shapes = [[n * size / max(look.size[1:]) for n in look.size[1:]] for look in looks]
    patch = tuple(_up(max(shape[axis] for shape in shapes), multiple) for axis in range(2))
    colours = 3 if any(look.is_colour for look in looks) else 1
    return StudentGrid(2, colours, patch, size=size)


def _of_volumes(config: DistillConfig, images: Sequence[Image], multiple: int) -> tuple[StudentGrid, str]:
    spacing, sizes = _seen(config, images, 3)
    shape = np.median(sizes / spacing, axis=0)
    uneven = spacing.max() / spacing.min()
    voxels = math.prod(_up(n, multiple) for n in shape)
    fits = voxels <= _MOST_VOXELS and uneven <= _MOST_UNEVEN
    dims = int(config.dims) if config.dims != "auto" else 3 if fits else 2
    if dims == 2:
        spacing, sizes = _seen(config, images, 2)
        shape = np.median(sizes / spacing, axis=0)
    size = " x ".join(f"{n:.0f}" for n in shape[::-1])
    why = f"volumes of {size}, " + ("seen whole" if dims == 3 and fits else "slice by slice")
    if dims == 3 and not fits:
        why = f"volumes of {size}, seen through windows"
    largest = np.max(sizes / spacing, axis=0)[3 - dims :]
    most = _LONGEST_3D if dims == 3 else config.size
    patch = tuple(min(_up(n, multiple), _up(most, multiple)) for n in largest)
    kept = tuple(round(float(mm), 4) for mm in spacing[3 - dims :])
    colours = 3 if any(image.is_colour for image in images) else 1
    return StudentGrid(dims, colours, patch, spacing_mm=kept), why


def _seen(
    config: DistillConfig, images: Sequence[Image], dims: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Distance of voxels, and sizes in mm, of slices, rows and columns as such a student sees them."""
    looks = [_looked(image, config.axis, dims) for image in images]
    spacing = np.median([look.spacing for look in looks], axis=0)
    sizes = np.array([np.multiply(look.size, look.spacing) for look in looks])
    longest = np.median(sizes[:, 1:].max(axis=1) / spacing[1:].min())
    return spacing * (1.0, *(max(longest / config.size, 1.0),) * 2), sizes


def _looked(image: Image, axis: str, dims: int) -> _Look:
    view = StudentGrid(dims, 1, (1,) * dims).view(image, axis)
    z, y, x = (view.size[i] for i in (2, 1, 0))
    a, b, c = (image.geometry.spacing_xyz_mm[i] for i in reversed(view.axes))
    return _Look(image.is_colour, (z, y, x), (a, b, c))


def _up(length: float, multiple: int) -> int:
    """The next multiple; a hair above one does not count."""
    return max(math.ceil(length / multiple - 1e-6), 1) * multiple
