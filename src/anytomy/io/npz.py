"""Arrays of numpy: the npz files of the "Segment Anything in Medical Images" challenges, and plain npy.

`imgs` is `(y, x, 3)`, `(z, y, x)` or `(z, y, x, 3)`. Three values of `spacing` are a trap: the files of 2024
(and MedSAM2's) hold x, y, z as SimpleITK gives it, those of the interactive challenge of 2025 hold z, y, x.
Files with a key that only the latter have (`clicks`, `clicks_order`, `prev_pred`, `text_prompts`) are read as
z, y, x, all others as x, y, z. `origin` and `direction` are used where MedSAM2's files have them.

Nothing is ever unpickled: arrays of Python objects are refused.
"""

from __future__ import annotations

import zipfile
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np

from anytomy.core.errors import ImageReadError
from anytomy.core.geometry import Geometry
from anytomy.core.image import Image
from anytomy.io._choose import choose

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from numpy.typing import NDArray

    from anytomy.core.prediction import Prediction

_NPY = b"\x93NUMPY"
_2025 = ("clicks", "clicks_order", "prev_pred", "text_prompts")
_BROKEN = (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile, zlib.error, NotImplementedError)


def matches(path: Path, head: bytes) -> bool:
    """Whether the first bytes are those of an npy file or of a zip archive of such."""
    if head.startswith(_NPY):
        return True
    return head.startswith(b"PK\x03\x04") and b".npy" in head[30:300]


def read(
    path: Path,
    *,
    series: int | str | None = None,
    time: int | None = None,
    channel: int | None = None,
) -> Image:
    """Read `imgs` of an npz, its only array where it has just one, or a plain npy.

    Args:
        path: The file.
        series: Not used by this format; 0 at most.
        time: Not used by this format; 0 at most.
        channel: 0 red, 1 green, 2 blue of a colour image.

    Raises:
        ImageReadError: If it is damaged, has no `imgs`, or that has another shape.
        GeometryError: If `spacing`, `origin` or `direction` are no grid.
        OptionError: If there is no such series, time point or channel.
    """
    choose(path, series, 1, "series", "--series")
    choose(path, time, 1, "time points", "--time")
    keys = names(path)
    key = "imgs" if "imgs" in keys or len(keys) > 1 else (keys[0] if keys else "")
    array = read_array(path, key)
    # The challenge says in the name what three axes mean; without that, a last axis of three is colour.
    in_colour = array.ndim >= 3 and array.shape[-1] == 3 and not (array.ndim == 3 and path.name[:2] == "3D")
    spatial = array.ndim - in_colour
    if spatial not in (2, 3):
        raise ImageReadError(
            f"{path} has {key or 'an array'} of shape {array.shape}, expected (y, x[, 3]) or (z, y, x[, 3])"
        )
    chosen = choose(path, channel, 3 if in_colour and channel is not None else 1, "channels", "--channel")
    if in_colour and channel is not None:
        array = np.ascontiguousarray(array[..., chosen])
    shape = (1,) * (3 - spatial) + array.shape[:spatial]
    geometry = grid(path, keys, (shape[2], shape[1], shape[0]))
    kind = "npy" if not keys else "npz"
    return Image(array=array, geometry=geometry, is_volume=spatial == 3, path=path, format=kind)


def grid(path: Path, keys: list[str], size_xyz: tuple[int, int, int]) -> Geometry:
    """The grid of arrays of this size, from `spacing`, `origin` and `direction` where the file has them.

    Raises:
        GeometryError: If they are no grid.
    """
    known: dict[str, Any] = {}
    for key, count in (("spacing", 3), ("origin", 3), ("direction", 9)):
        if key in keys:
            values = read_array(path, key).astype(np.float64).ravel()
            if values.size == count:
                known[key] = values
    spacing = known.get("spacing", np.ones(3))
    if any(key in keys for key in _2025):
        spacing = spacing[::-1]
    direction = known.get("direction", np.eye(3)).reshape(3, 3)
    affine = np.eye(4)
    affine[:3, :3] = direction * spacing
    affine[:3, 3] = known.get("origin", np.zeros(3))
    return Geometry.from_affine(affine, size_xyz)


def names(path: Path) -> list[str]:
    """The keys of an npz; none for an npy.

    Raises:
        ImageReadError: If the file is damaged.
    """
    return list(_open(path, lambda loaded: loaded.files if isinstance(loaded, np.lib.npyio.NpzFile) else []))


def read_array(path: Path, key: str = "") -> NDArray[Any]:
    """One array, such as the labels `gts` or the `boxes` of a challenge file.

    Args:
        path: An npz or npy file.
        key: Which one; not needed for npy.

    Raises:
        ImageReadError: If there is none of this name, or it holds Python objects.
    """

    def take(loaded: Any) -> NDArray[Any]:
        if not isinstance(loaded, np.lib.npyio.NpzFile):
            return np.asarray(loaded)
        if key not in loaded.files:
            held = ", ".join(loaded.files) or "nothing"
            raise ImageReadError(f"{path} has no array {key or 'imgs'!r}, only {held}")
        return np.asarray(loaded[key])

    array: NDArray[Any] = _open(path, take, key)
    return array


def _open(path: Path, use: Any, key: str = "") -> Any:
    try:
        loaded = np.load(path, allow_pickle=False)
        if isinstance(loaded, np.lib.npyio.NpzFile):
            with loaded:
                return use(loaded)
        return use(loaded)
    except ImageReadError:
        raise
    except (FileNotFoundError, PermissionError, IsADirectoryError) as error:
        raise ImageReadError(f"cannot read {path}: {error.strerror}") from error
    except _BROKEN as error:
        if "allow_pickle" in str(error) or "Object arrays" in str(error):
            raise ImageReadError(
                f"{path} holds Python objects{f' under {key!r}' if key else ''}, which are never loaded",
                hint="save plain numbers (`dtype` uint8, float32, ...)",
            ) from None
        text = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise ImageReadError(f"{path} is damaged or truncated: {text}") from error
    except MemoryError:
        raise ImageReadError(f"{path} does not fit into memory") from None


# -- writing -------------------------------------------------------------------------------------


def write(path: Path, labels: NDArray[Any], image: Image) -> None:
    """Write a label map as a challenge answer: `segs`, and `spacing` as x, y, z.

    Args:
        path: Exactly this file; the caller makes it atomic.
        labels: `(y, x)` or `(z, y, x)`.
        image: The image that they belong to.
    """
    values = {"segs": labels, "spacing": np.asarray(image.geometry.spacing_xyz_mm)}
    with path.open("wb") as file:
        np.savez_compressed(file, **values)  # type: ignore[arg-type]


def write_prediction(path: Path, prediction: Prediction, image: Image) -> None:
    """Write a whole prediction, objects apart.

    Keys: `segs` label map `([z,] y, x)`; `masks` bool `(objects, [z,] y, x)`; `ids`, `names`, `scores` one
    per object; `spacing_zyx_mm`; `affine_lps` 4 x 4, voxel x, y, z to mm.

    Args:
        path: Exactly this file, ending in `.npz`; the caller makes it atomic.
        prediction: What to write.
        image: The image that it belongs to.
    """
    geometry = image.geometry
    plain: dict[str, NDArray[Any]] = {
        "segs": prediction.label_map,
        "ids": np.asarray(prediction.ids, dtype=np.uint16),
        "names": np.asarray(prediction.names, dtype=np.str_),
        "scores": np.asarray(prediction.scores, dtype=np.float32),
        "spacing_zyx_mm": np.asarray(geometry.spacing_zyx_mm),
        "affine_lps": geometry.affine_lps,
    }
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for key, array in plain.items():
            _add(archive, key, array.shape, array.dtype, [array])
        # One object at a time: all masks of a large volume at once may not fit into memory.
        _add(archive, "masks", prediction.masks.shape, np.dtype(bool), prediction.masks)


def _add(
    archive: zipfile.ZipFile,
    key: str,
    shape: tuple[int, ...],
    dtype: np.dtype[Any],
    parts: Iterable[NDArray[Any]],
) -> None:
    header = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
    with archive.open(f"{key}.npy", "w", force_zip64=True) as file:
        np.lib.format.write_array_header_1_0(file, header)
        for part in parts:
            file.write(np.ascontiguousarray(part).tobytes())
