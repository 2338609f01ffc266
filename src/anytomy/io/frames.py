"""Which volume of a file with a fourth axis is meant, and what has none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from anytomy.core.errors import OptionError
from anytomy.io._choose import choose

if TYPE_CHECKING:
    from pathlib import Path


def choose_frame(path: Path, count: int, *, time: int | None, channel: int | None) -> int:
    """The 0-based index along the one axis beyond space.

    Formats do not say reliably whether that axis is time or channels (a NIfTI's fourth axis is often the MR
    sequence), so either option chooses.

    Raises:
        ImageReadError: If there are several and none is chosen.
        OptionError: If the choice is out of range, or both options are given.
    """
    if time is not None and channel is not None:
        raise OptionError(f"{path} has one axis beyond space, got both --time and --channel", hint="give one")
    if time is None and channel is None:
        return choose(path, None, count, "volumes (time points or channels)", "--time or --channel")
    if channel is None:
        return choose(path, time, count, "time points", "--time")
    return choose(path, channel, count, "channels", "--channel")


def refuse_series(path: Path, series: str | None) -> None:
    """For formats that hold one series.

    Raises:
        OptionError: If one is chosen.
    """
    if series is not None:
        raise OptionError(f"{path} holds no series, got --series {series}", hint="leave --series out")
