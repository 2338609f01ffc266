"""Parts of masks as they are sent and kept: `Patch`.

A patch is a box and the bits in it. Bits run in C order (last axis fastest, rows without padding), eight to a
byte from the highest, and are compressed with zlib; in JSON the bytes are base64. A mask of a drawn object
takes a few hundred bytes.
"""

from __future__ import annotations

import base64
import binascii
import math
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from anytomy.server.problems import TooLargeError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


@dataclass(frozen=True)
class Patch:
    """Bits in a box.

    Attributes:
        start: First index along each axis, in the order of the array's axes.
        shape: Size along each axis.
        data: The bits, compressed.
    """

    start: tuple[int, ...]
    shape: tuple[int, ...]
    data: bytes

    @classmethod
    def of(cls, mask: NDArray[np.bool_], offset: Sequence[int] | None = None) -> Patch | None:
        """The smallest patch with all true elements; None where there are none.

        Args:
            mask: Of any number of axes.
            offset: Where the mask begins in the whole.
        """
        spans = []
        for axis in range(mask.ndim):
            rest = tuple(a for a in range(mask.ndim) if a != axis)
            held = np.flatnonzero(mask.any(axis=rest))
            if held.size == 0:
                return None
            spans.append((int(held[0]), int(held[-1]) + 1))
        crop = mask[tuple(slice(a, b) for a, b in spans)]
        return cls.whole(crop, [a + o for (a, _), o in zip(spans, offset or (0,) * mask.ndim, strict=True)])

    @classmethod
    def whole(cls, mask: NDArray[np.bool_], start: Sequence[int]) -> Patch:
        """All of a mask, false elements at its edge too."""
        return cls(tuple(int(s) for s in start), mask.shape, zlib.compress(np.packbits(mask).tobytes(), 1))

    @property
    def stop(self) -> tuple[int, ...]:
        """Last index + 1 along each axis."""
        return tuple(a + n for a, n in zip(self.start, self.shape, strict=True))

    @property
    def where(self) -> tuple[slice, ...]:
        """The box as an index."""
        return tuple(slice(a, b) for a, b in zip(self.start, self.stop, strict=True))

    def mask(self) -> NDArray[np.bool_]:
        """The bits, of the patch's shape.

        Raises:
            ValueError: If they are more or fewer than the box has, or no zlib data.
        """
        count = math.prod(self.shape)
        size = (count + 7) // 8
        inflater = zlib.decompressobj()
        try:
            # Never more than the box needs, whatever somebody packed.
            raw = inflater.decompress(self.data, size + 1)
        except zlib.error:
            raise ValueError("expected bits compressed with zlib") from None
        if len(raw) != size or not inflater.eof:
            raise ValueError(f"expected {count} bits for a box of {self.shape}")
        bits = np.unpackbits(np.frombuffer(raw, dtype=np.uint8), count=count)
        return bits.view(bool).reshape(self.shape)

    def expand(self, shape: Sequence[int]) -> NDArray[np.bool_]:
        """The mask in a whole of a shape."""
        out = np.zeros(tuple(shape), dtype=bool)
        out[self.where] = self.mask()
        return out

    def text(self) -> str:
        """The data for JSON."""
        return base64.b64encode(self.data).decode("ascii")


def drawn_patch(box: Sequence[int], text: str, shape: tuple[int, int]) -> Patch:
    """A patch that a client sends for a slice.

    Args:
        box: `x0, y0, x1, y1`, ends exclusive.
        text: base64.
        shape: `(row, column)` of the slice.

    Raises:
        TooLargeError: If the box reaches out of the slice.
        ValueError: If the text is no such patch.
    """
    x0, y0, x1, y1 = box
    if not (0 <= x0 < x1 <= shape[1] and 0 <= y0 < y1 <= shape[0]):
        raise TooLargeError(
            f"the box {x0},{y0},{x1},{y1} is none in a slice of {shape[1]} x {shape[0]} pixels",
            hint="x0, y0, x1, y1 with exclusive ends",
        )
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("expected base64") from None
    patch = Patch((y0, x0), (y1 - y0, x1 - x0), data)
    patch.mask()
    return patch
