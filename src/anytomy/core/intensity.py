"""From stored values to the 8-bit grey levels that SAM-like models were trained on: `IntensityPolicy`.

The steps are those of MedSAM's and LiteMedSAM's authors: a CT window, or percentiles of the non-zero voxels
of the whole volume, scaled to 0..255 and truncated; 8-bit pictures stay as they are. What a checkpoint needs
beyond that (min-max per slice, mean and deviation) is in its card and done by the engine.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from anytomy.core.errors import ImageReadError, OptionError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    from anytomy.core.image import Image

CT_WINDOWS = {"soft": (400.0, 40.0), "lung": (1500.0, -600.0), "brain": (80.0, 40.0), "bone": (1800.0, 400.0)}
_EXPECTED = "auto, ct:soft, ct:lung, ct:brain, ct:bone, window:WIDTH,LEVEL, percentile:LOW,HIGH or none"


@dataclass(frozen=True)
class IntensityPolicy:
    """How stored values become grey levels.

    Attributes:
        kind: `window` (values are HU or the like), `percentile` (of the non-zero voxels of the whole
            volume) or `none` (values are grey levels already).
        low: Lower end of the window, or the lower percentile in percent.
        high: Upper end.
        text: The option that gives this policy, for manifests and messages.
    """

    kind: Literal["window", "percentile", "none"]
    low: float = 0.0
    high: float = 255.0
    text: str = "none"

    @classmethod
    def parse(cls, text: str) -> IntensityPolicy:
        """The policy of an option: `ct:PRESET`, `window:WIDTH,LEVEL`, `percentile:LOW,HIGH` or `none`.

        Raises:
            OptionError: If the text is none of these.
        """
        head, _, tail = text.strip().lower().partition(":")
        if head == "none" and not tail:
            return cls("none")
        if head == "ct" and tail in CT_WINDOWS:
            width, level = CT_WINDOWS[tail]
            return cls("window", level - width / 2, level + width / 2, f"ct:{tail}")
        try:
            first, second = (float(v) for v in tail.split(","))
        except ValueError:
            raise OptionError(f"expected an intensity of {_EXPECTED}, got {text!r}") from None
        if head == "window" and first > 0 and np.isfinite([first, second]).all():
            canonical = f"window:{_plain(first)},{_plain(second)}"
            return cls("window", second - first / 2, second + first / 2, canonical)
        if head == "percentile" and 0 <= first < second <= 100:
            return cls("percentile", first, second, f"percentile:{_plain(first)},{_plain(second)}")
        raise OptionError(f"expected an intensity of {_EXPECTED}, got {text!r}")

    def fit(self, image: Image) -> GreyScale:
        """The scale for one image; percentiles are taken here, over the whole volume.

        Raises:
            ImageReadError: If no voxel has a finite value.
            OptionError: If `none` meets values that are not grey levels.
        """
        if self.kind == "window":
            return GreyScale(self.low, self.high, keep=False, zero_is_black=False)
        if self.kind == "percentile":
            low, high = nonzero_percentiles(image, (self.low, self.high))
            if low == high:  # one value everywhere but in the background: a mask, say
                low, high, _ = value_range(image)
            return GreyScale(low, high, keep=False, zero_is_black=True)
        if image.array.dtype != np.uint8:
            low, high, _ = value_range(image)
            if low < 0 or high > 255:
                raise OptionError(
                    f"{image.name} has values from {low:g} to {high:g}, and --intensity none needs 0 to 255",
                    hint="use percentile:0.5,99.5 or a window",
                )
        return GreyScale(0.0, 255.0, keep=True, zero_is_black=False)


@dataclass(frozen=True)
class GreyScale:
    """A fitted policy: what becomes black and what becomes white.

    Attributes:
        low: Value that becomes 0.
        high: Value that becomes 255.
        keep: Values are grey levels already.
        zero_is_black: Voxels that are exactly 0 (outside of the body) become 0.
    """

    low: float
    high: float
    keep: bool
    zero_is_black: bool

    def apply(self, array: NDArray[Any]) -> NDArray[np.uint8]:
        """Grey levels 0..255 of an array of any shape; NaN becomes 0."""
        if self.keep:
            if array.dtype == np.uint8:
                return array
            kept: NDArray[np.uint8] = np.nan_to_num(array, nan=0.0).clip(0, 255).astype(np.uint8)
            return kept
        # float64 as the authors' numpy code has it: truncation makes single precision visible.
        values = array.astype(np.float64)
        np.clip(values, self.low, self.high, out=values)
        values -= self.low
        values /= (self.high - self.low) or 1.0
        values *= 255.0
        values[np.isnan(values)] = 0.0
        grey: NDArray[np.uint8] = values.astype(np.uint8)
        if self.zero_is_black:
            grey[array == 0] = 0
        return grey


@dataclass(frozen=True)
class PolicyChoice:
    """A policy and why it was taken.

    Attributes:
        policy: What will be done.
        modality: DICOM code, or `8-bit` for pictures that hold grey levels already.
        guessed: Whether the modality was guessed from the values.
        why: One phrase for the user.
    """

    policy: IntensityPolicy
    modality: str
    guessed: bool
    why: str


def choose_policy(image: Image, policies: Mapping[str, str], option: str = "auto") -> PolicyChoice:
    """The policy for an image: the user's, else the model card's for its modality.

    Args:
        image: The image; its stated modality counts before a guess from its values.
        policies: The card's policies by modality, with `default`.
        option: `auto` or a policy.
    """
    modality, guessed, why = modality_of(image)
    if option.strip().lower() != "auto":
        return PolicyChoice(IntensityPolicy.parse(option), modality, False, "chosen with --intensity")
    text = policies.get(modality, policies.get("default", "percentile:0.5,99.5"))
    return PolicyChoice(IntensityPolicy.parse(text), modality, guessed, why)


def modality_of(image: Image) -> tuple[str, bool, str]:
    """Modality, whether it is a guess, and why.

    8-bit pictures and colours are grey levels whatever made them. A grey 8-bit volume holds no HU, but its
    contrast is anybody's: like other volumes it goes by percentiles, as LiteMedSAM's authors do. A CT is
    recognised by whole numbers that reach from air to tissue in HU; anything else without a stated modality
    is `unknown`.
    """
    if image.array.dtype == np.uint8:
        if image.is_colour or not image.is_volume:
            return "8-bit", False, "8-bit values are grey levels already"
        return "8-bit volume", False, "8-bit values are no HU"
    if image.modality:
        return image.modality, False, f"the file says {image.modality}"
    low, high, _ = value_range(image)
    if not image.is_colour and -4096 <= low <= -500 and 100 <= high <= 32767 and _whole_numbers(image):
        return "CT", True, f"whole numbers from {low:g} to {high:g} look like HU"
    return "unknown", True, f"values from {low:g} to {high:g} do not look like HU"


def _whole_numbers(image: Image) -> bool:
    if np.issubdtype(image.array.dtype, np.integer):
        return True
    middle = image.volume[image.volume.shape[0] // 2]
    middle = middle[np.isfinite(middle)]
    # 16-bit HU that went through a float32 slope are whole up to rounding.
    return bool(middle.size) and float(np.mean(np.abs(middle - np.round(middle)) < 1e-3)) > 0.99


def value_range(image: Image) -> tuple[float, float, int]:
    """Smallest and largest finite value, and the number of voxels that are NaN or infinite.

    Raises:
        ImageReadError: If no value is finite.
    """
    low, high, bad = np.inf, -np.inf, 0
    for plane in image.volume:
        if np.issubdtype(plane.dtype, np.floating):
            finite = np.isfinite(plane)
            missing = plane.size - int(finite.sum())
            bad += missing
            if missing:
                plane = plane[finite]
        if plane.size:
            low, high = min(low, float(plane.min())), max(high, float(plane.max()))
    if not np.isfinite(low):
        raise ImageReadError(f"{image.name} holds no finite value (all NaN or infinite)")
    return low, high, bad


def nonzero_percentiles(image: Image, percents: tuple[float, ...]) -> tuple[float, ...]:
    """Percentiles over the finite, non-zero voxels, as `numpy.percentile` (linear) gives them.

    Exact, and in the memory of one slice whatever the values are. An image of zeros gives zeros.

    Raises:
        ImageReadError: If no value is finite.
    """
    total = sum(plane.size for plane in _nonzero_planes(image))
    if total == 0:
        value_range(image)
        return (0.0,) * len(percents)
    ranks = [p / 100 * (total - 1) for p in percents]
    value_at = _values_at(image, {int(np.floor(r)) for r in ranks} | {int(np.ceil(r)) for r in ranks})
    return tuple(_between(value_at, rank) for rank in ranks)


def _values_at(image: Image, ranks: set[int]) -> dict[int, float]:
    """Values of the given 0-based ranks among the finite, non-zero voxels, by radix selection.

    Each pass counts the next 16 bits of the keys that begin as the wanted one does: one pass for 16-bit
    values, two for 32-bit ones. Unlike bins between the extremes, this does not care about outliers.
    """
    dtype = image.array.dtype.newbyteorder("=") if image.array.dtype.itemsize <= 8 else np.dtype(np.float64)
    width = 8 * dtype.itemsize
    # For each rank the leading bits of its key, and its rank among the keys that begin with them.
    found = {rank: (0, rank) for rank in ranks}
    for shift in range(max(width - 16, 0), -1, -16):
        counts = {prefix: np.zeros(1 << 16, dtype=np.int64) for prefix, _ in found.values()}
        for plane in _nonzero_planes(image):
            keys = _keys(plane.astype(dtype, copy=False)) >> shift
            for prefix, count in counts.items():
                inside = keys if shift + 16 >= width else keys[keys >> 16 == prefix]
                count += np.bincount(inside.astype(np.uint16), minlength=1 << 16)
        for rank, (prefix, place) in found.items():
            ends = np.cumsum(counts[prefix])
            digit = int(np.searchsorted(ends, place, side="right"))
            before = int(ends[digit - 1]) if digit else 0
            found[rank] = (prefix << 16 | digit, place - before)
    return {rank: _value_of(key, dtype) for rank, (key, _) in found.items()}


def _keys(values: NDArray[Any]) -> NDArray[Any]:
    """The bits of the values as unsigned whole numbers that ascend as the values do."""
    bits = values.view(f"u{values.dtype.itemsize}")
    sign = bits.dtype.type(1 << (8 * values.dtype.itemsize - 1))
    if values.dtype.kind == "f":
        return np.where(bits & sign, ~bits, bits | sign)
    return bits ^ sign if values.dtype.kind == "i" else bits


def _value_of(key: int, dtype: np.dtype[Any]) -> float:
    """The inverse of `_keys` for one key."""
    sign = 1 << (8 * dtype.itemsize - 1)
    if dtype.kind == "f":
        key = key ^ sign if key & sign else key ^ (2 * sign - 1)
    elif dtype.kind == "i":
        key ^= sign
    return float(np.array([key], dtype=f"u{dtype.itemsize}").view(dtype)[0])


def _between(value_at: Mapping[int, float], rank: float) -> float:
    below, above = value_at[int(np.floor(rank))], value_at[int(np.ceil(rank))]
    return below + (above - below) * (rank - int(np.floor(rank)))


def _nonzero_planes(image: Image) -> Iterator[NDArray[Any]]:
    for plane in image.volume:
        keep = plane != 0
        if np.issubdtype(plane.dtype, np.floating):
            keep &= np.isfinite(plane)
        yield plane[keep]


def _plain(value: float) -> str:
    """The shortest text that reads back as the same number: 400, not 400.0."""
    return repr(value).removesuffix(".0")
