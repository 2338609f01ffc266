"""Ways to look at a body: `SIDES` and `OBLIQUES`, and the letters around it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_LETTERS = (("R", "L"), ("A", "P"), ("I", "S"))
_AXES = (("", "x"), ("", "y"), ("", "z"))
_STRAIGHT = 0.999


class Side(NamedTuple):
    """A way to look; vectors are units in LPS.

    Attributes:
        name: What it is called in a patient.
        plain: The same where the grid is not placed in one.
        right: What is to the right in the picture.
        up: What is up.
    """

    name: str
    plain: str
    right: tuple[float, ...]
    up: tuple[float, ...]

    @property
    def axes(self) -> NDArray[np.float64]:
        """3 x 3: rows right, up and towards the viewer."""
        return np.array([self.right, self.up, np.cross(self.right, self.up)], dtype=float)


def _oblique(left: int, back: int, name: str) -> Side:
    """From a little above, 35 degrees to one side of the front or the back."""
    toward = np.array([left * 0.52, back * 0.74, 0.43])
    toward /= np.linalg.norm(toward)
    right = np.cross([0, 0, 1], toward)
    right /= np.linalg.norm(right)
    return Side(name, "oblique", tuple(right), tuple(np.cross(toward, right)))


# Left of the patient on the right, as in slices; from above the front is up, so that left is on the left.
SIDES = (
    Side("anterior", "along y", (1, 0, 0), (0, 0, 1)),
    Side("left", "against x", (0, 1, 0), (0, 0, 1)),
    Side("superior", "against z", (-1, 0, 0), (0, -1, 0)),
)
OBLIQUES = (
    _oblique(1, -1, "oblique, from the front left"),
    _oblique(-1, -1, "oblique, from the front right"),
    _oblique(1, 1, "oblique, from the back left"),
    _oblique(-1, 1, "oblique, from the back right"),
)


def letters(side: Side, *, in_patient: bool = True) -> tuple[str, str, str, str] | None:
    """Where left, right, top and bottom of the picture lie; None for an oblique view.

    Args:
        side: The way to look.
        in_patient: Letters of the patient's sides; else the axes x, y, z, where they lead to.
    """
    names = _LETTERS if in_patient else _AXES
    found: list[str] = []
    for vector in (side.right, side.up):
        axis = int(np.argmax(np.abs(vector)))
        if abs(vector[axis]) < _STRAIGHT:
            return None
        towards = vector[axis] > 0
        found += [names[axis][not towards], names[axis][towards]]
    left, right, bottom, top = found
    return left, right, top, bottom
