"""Masks as run lengths, as COCO has them: `encode`, `decode`, and their compressed text.

Pixels are counted down the columns, the first column, then the next to its right; runs alternate between
background and object, background first (possibly none). The text holds each run, from the third on as the
difference to the run before the last, in groups of five bits from the lowest: bit 6 says that more groups
follow, the highest bit of the last group is the sign, and 48 is added to make letters.

Source: the COCO API of Lin et al., Microsoft COCO (arXiv 1405.0312), `maskApi`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_GROUP, _MORE, _SIGN, _LETTER = 5, 0x20, 0x10, 48


def encode(crop: NDArray[np.bool_], top: int, left: int, shape: tuple[int, int]) -> list[int]:
    """Runs of a mask that is given by a crop of it.

    Args:
        crop: Bool `(y, x)`.
        top: First row of the crop.
        left: First column of the crop.
        shape: Of the whole, `(y, x)`.
    """
    x, y = np.nonzero(crop.T)
    pixels = (x + left) * shape[0] + y + top
    if not pixels.size:
        return [shape[0] * shape[1]]
    breaks = np.flatnonzero(np.diff(pixels) > 1)
    starts = pixels[np.concatenate([[0], breaks + 1])]
    ends = pixels[np.concatenate([breaks, [pixels.size - 1]])] + 1
    edges = np.stack([starts, ends], axis=1).ravel()
    runs: list[int] = np.diff(edges, prepend=0, append=shape[0] * shape[1]).tolist()
    return runs if runs[-1] else runs[:-1]


def decode(runs: Sequence[int], shape: tuple[int, int]) -> NDArray[np.bool_]:
    """The mask `(y, x)` of runs.

    Raises:
        ValueError: If they do not fill the shape, or one is negative.
    """
    lengths = np.asarray(runs, dtype=np.int64)
    if lengths.ndim != 1 or (lengths < 0).any() or int(lengths.sum()) != shape[0] * shape[1]:
        raise ValueError(f"expected runs that fill {shape[0]} x {shape[1]} pixels, got {lengths.sum()}")
    flat = np.repeat(np.arange(lengths.size) % 2 == 1, lengths)
    return np.ascontiguousarray(flat.reshape(shape[1], shape[0]).T)


def to_text(runs: Sequence[int]) -> str:
    """Runs as compressed text."""
    letters = []
    for place, run in enumerate(runs):
        value = run - runs[place - 2] if place > 2 else run
        while True:
            group = value & (_MORE - 1)
            value >>= _GROUP
            # What is left says only what the sign bit says already.
            last = value == (-1 if group & _SIGN else 0)
            letters.append(chr(_LETTER + (group if last else group | _MORE)))
            if last:
                break
    return "".join(letters)


def from_text(text: str) -> list[int]:
    """The inverse of `to_text`.

    Raises:
        ValueError: If it is not such a text.
    """
    runs: list[int] = []
    value = shift = 0
    for letter in text:
        group = ord(letter) - _LETTER
        if not 0 <= group < 2 * _MORE:
            raise ValueError(f"expected run lengths as text, got the letter {letter!r}")
        value |= (group & (_MORE - 1)) << shift
        shift += _GROUP
        if group & _MORE:
            continue
        if group & _SIGN:
            value -= 1 << shift
        runs.append(value + runs[-2] if len(runs) > 2 else value)
        value = shift = 0
    if shift:
        raise ValueError("expected run lengths as text, but the last one is cut off")
    return runs
