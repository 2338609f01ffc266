"""The networks of students by name: `STUDENTS`, `build`.

All are MONAI's, in 2D and 3D, with instance or group normalisation: batches of a few pictures make poor batch
statistics. Logits have a channel for each class and channel 0 for the background.

| name | network | channels | halvings | parameters (2D, one colour, one class) |
|---|---|---|---|---|
| `unet-8` | `UNet`, two residual units a level | 8, 16, 32, 64, 128 | 4 | 408,197 |
| `unet-16` | the same | 16, 32, 64, 128, 256 | 4 | 1,627,597 |
| `unet-32` | the same | 32, 64, 128, 256, 512 | 4 | 6,500,189 |
| `segresnet` | `SegResNet`, 1, 2, 2 and 4 blocks down, 1 up | 16, 32, 64, 128 | 3 | 1,576,402 |
| `dynunet` | `DynUNet`, the plain U-Net of nnU-Net | 16, 32, 64, 128, 256 | 4 | 1,942,066 |

MONAI's `UNet` halves the picture in its first layer already, which makes it several times as fast as a U-Net
that works at full resolution first, as `dynunet` does. Sources: Kerfoot et al. 2019 (residual U-Net),
Myronenko 2018 (SegResNet, arXiv 1810.11654), Isensee et al. 2021 (nnU-Net).
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from anytomy.core.errors import MissingDependencyError, OptionError

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

    from torch import nn

GROUP = "anytomy.students"


@dataclass(frozen=True)
class Student:
    """A kind of network.

    Attributes:
        name: As it is typed.
        multiple: Sizes of its input must be multiples of this, along each axis.
        make: Called with `dims` (2 or 3), `channels` (of the input) and `classes` (without the background);
            gives a module from `(N, channels, *spatial)` to logits `(N, classes + 1, *spatial)`. Weights come
            from torch's own generator: seed it.
    """

    name: str
    multiple: int
    make: Callable[[int, int, int], nn.Module]


def _unet(width: int) -> Callable[[int, int, int], nn.Module]:
    def make(dims: int, channels: int, classes: int) -> nn.Module:
        return _nets().UNet(
            spatial_dims=dims,
            in_channels=channels,
            out_channels=classes + 1,
            channels=tuple(width * 2**level for level in range(5)),
            strides=(2, 2, 2, 2),
            num_res_units=2,
            norm=("INSTANCE", {"affine": True}),
        )

    return make


def _segresnet(dims: int, channels: int, classes: int) -> nn.Module:
    return _nets().SegResNet(
        spatial_dims=dims, init_filters=16, in_channels=channels, out_channels=classes + 1
    )


def _dynunet(dims: int, channels: int, classes: int) -> nn.Module:
    return _nets().DynUNet(
        spatial_dims=dims,
        in_channels=channels,
        out_channels=classes + 1,
        kernel_size=[3] * 5,
        strides=[1, 2, 2, 2, 2],
        upsample_kernel_size=[2] * 4,
        filters=[16, 32, 64, 128, 256],
    )


_OURS = (
    Student("unet-8", 16, _unet(8)),
    Student("unet-16", 16, _unet(16)),
    Student("unet-32", 16, _unet(32)),
    Student("segresnet", 8, _segresnet),
    Student("dynunet", 16, _dynunet),
)
STUDENTS: Mapping[str, Student] = MappingProxyType({each.name: each for each in _OURS})
"""The networks that come with Anytomy; third parties' are entry points of `anytomy.students`."""


def student(name: str) -> Student:
    """A network by its name, also a third party's.

    Raises:
        OptionError: There is none of that name, or a third party's cannot be loaded.
    """
    wanted = name.strip().lower()
    if wanted in STUDENTS:
        return STUDENTS[wanted]
    added = _added()
    if wanted in added:
        return _load(added[wanted])
    known = [*STUDENTS, *sorted(added)]
    close = difflib.get_close_matches(wanted, known, n=1)
    raise OptionError(
        f"expected a student of {', '.join(known)}, got {name!r}",
        hint=f"did you mean {close[0]}?" if close else None,
    )


def build(name: str, *, dims: int, channels: int, classes: int) -> nn.Module:
    """A network with fresh weights.

    Args:
        name: Of the student.
        dims: 2 or 3.
        channels: Of its input.
        classes: Without the background.

    Returns:
        A module from `(N, channels, *spatial)` to logits `(N, classes + 1, *spatial)`.

    Raises:
        OptionError: There is no such student, or a number makes no sense.
        MissingDependencyError: MONAI is not installed.
    """
    if dims not in (2, 3) or channels < 1 or classes < 1:
        raise OptionError(
            f"expected 2 or 3 dimensions, a channel and a class, got {dims} dimensions, {channels} channels "
            f"and {classes} classes"
        )
    return student(name).make(dims, channels, classes)


def multiple(name: str) -> int:
    """What the sizes of a student's input must be multiples of.

    Raises:
        OptionError: There is no such student.
    """
    return student(name).multiple


def _nets() -> Any:
    try:
        from monai.networks import nets
    except ImportError as error:
        raise MissingDependencyError(
            f"the networks of students are MONAI's, which cannot be imported: {error}",
            hint='pip install "anytomy[train]"',
        ) from error
    return nets


def _load(point: EntryPoint) -> Student:
    try:
        found = point.load()
    except (ImportError, AttributeError) as error:
        raise OptionError(f"the student {point.name} ({point.value}) cannot be loaded: {error}") from error
    if not isinstance(found, Student):
        raise OptionError(f"expected {point.value} to be a Student, got {type(found).__name__}")
    return found


def _added() -> dict[str, EntryPoint]:
    from importlib.metadata import entry_points

    return {point.name: point for point in entry_points(group=GROUP)}
