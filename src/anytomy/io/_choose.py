"""What the picture formats share: choosing a frame or channel, and dropping transparency."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from anytomy.core.errors import ImageReadError, OptionError

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray


def choose(path: Path, wanted: int | str | None, count: int, what: str, option: str) -> int:
    """The index of one of `count` things: the wanted one, or the only one.

    Args:
        path: The file, for messages.
        wanted: What the user gave, 0-based.
        count: How many there are.
        what: What they are called, plural (`time points`).
        option: The option that chooses (`--time`).

    Raises:
        ImageReadError: If there are several and none is wanted.
        OptionError: If there is none with this number.
    """
    if wanted is None:
        if count > 1:
            raise ImageReadError(
                f"{path} holds {count} {what}, expected one", hint=f"choose with {option} 0 to {count - 1}"
            )
        return 0
    try:
        index = int(wanted)
    except ValueError:
        index = -1
    if not 0 <= index < count:
        held = f"{count} {what}, 0 to {count - 1}" if count > 1 else f"no several {what}"
        raise OptionError(f"{path} holds {held}, got {option} {wanted}")
    return index


def drop_alpha(colour: NDArray[Any], alpha: NDArray[Any]) -> NDArray[Any]:
    """The stored values without transparency; where nothing at all would be seen, 0.

    Values below a half-transparent pixel are data that somebody stored; below a fully transparent one they
    are left-overs that no viewer shows.

    Args:
        colour: `(..., y, x)` or `(..., y, x, 3)`.
        alpha: `(..., y, x)`, 0 for fully transparent.
    """
    hidden = alpha == 0
    if not hidden.any():
        return colour
    colour = colour.copy()
    colour[hidden] = 0
    return colour


def grey_if_equal(colour: NDArray[Any]) -> NDArray[Any]:
    """`(..., 3)` with three equal channels as `(...)`; anything else as it is."""
    first = colour[..., 0]
    if np.array_equal(first, colour[..., 1]) and np.array_equal(first, colour[..., 2]):
        return np.ascontiguousarray(first)
    return colour
