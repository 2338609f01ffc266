"""Everything about a session but its voxels: labels, prompts and what was drawn by hand: `Scene`.

A scene is never changed, only replaced, so that any earlier one can be brought back by keeping it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

from anytomy.server.problems import ConflictError, NotFoundError

if TYPE_CHECKING:
    from anytomy.server.patches import Patch

# Distinct without relying on hue alone (Okabe and Ito, 2008), brightened for dark pictures.
COLOURS = ("#e69f00", "#56b4e9", "#009e73", "#f0e442", "#0072b2", "#d55e00", "#cc79a7", "#bbbbbb")
Place = tuple[int, str, int]  # label, axis, slice of the view


@dataclass(frozen=True)
class Label:
    """One object or structure.

    Attributes:
        id: Its value in the label map.
        name: What it is called.
        colour: `#rrggbb`.
        visible: Whether a viewer shows it; the masks do not depend on it.
        locked: Whether its mask stays as it is.
    """

    id: int
    name: str
    colour: str
    visible: bool = True
    locked: bool = False


@dataclass(frozen=True)
class Group:
    """The prompts of a label on one slice that make one answer.

    Attributes:
        box: `x0, y0, x1, y1` in pixels of the slice as shown, ends exclusive.
        points: `(x, y, 1 inside or 0 outside)`.
        model: What answered last.
        score: Its own predicted IoU.
        base: The label's mask on the slice when the group began; None where it was empty.
        answer: What the model answered last; None where that was empty.
    """

    box: tuple[float, ...] | None = None
    points: tuple[tuple[float, float, int], ...] = ()
    model: str = ""
    score: float = 0.0
    base: Patch | None = field(default=None, repr=False)
    answer: Patch | None = field(default=None, repr=False)

    def to_dict(self) -> dict[str, Any]:
        """JSON-able, without the masks."""
        return {
            "box": None if self.box is None else list(self.box),
            "points": [list(p) for p in self.points],
            "model": self.model,
            "score": round(self.score, 6),
        }


@dataclass(frozen=True)
class Scene:
    """Labels, prompts, and where a person drew.

    Attributes:
        labels: In the order of their ids.
        groups: The latest prompts by label, axis and slice.
        drawn: Slices that somebody corrected by hand; propagation leaves them alone.
    """

    labels: tuple[Label, ...] = ()
    groups: Mapping[Place, Group] = field(default_factory=dict)
    drawn: frozenset[Place] = frozenset()

    def label(self, label_id: int) -> Label:
        """A label.

        Raises:
            NotFoundError: If there is none with that id.
        """
        for label in self.labels:
            if label.id == label_id:
                return label
        raise NotFoundError(f"there is no label {label_id}", hint="add it first")

    def unlocked(self, label_id: int) -> Label:
        """A label that may be changed.

        Raises:
            NotFoundError: If there is none with that id.
            ConflictError: If it is locked.
        """
        label = self.label(label_id)
        if label.locked:
            raise ConflictError(f"label {label_id} is locked", hint="unlock it first")
        return label

    def with_label(self, label: Label) -> Scene:
        """With one label added or changed."""
        others = [each for each in self.labels if each.id != label.id]
        return replace(self, labels=tuple(sorted([*others, label], key=lambda each: each.id)))

    def without_label(self, label_id: int) -> Scene:
        """Without a label and its prompts."""
        return Scene(
            labels=tuple(each for each in self.labels if each.id != label_id),
            groups={place: group for place, group in self.groups.items() if place[0] != label_id},
            drawn=frozenset(place for place in self.drawn if place[0] != label_id),
        )

    def with_group(self, place: Place, group: Group) -> Scene:
        """With the prompts of one slice replaced."""
        return replace(self, groups={**self.groups, place: group})

    def without_groups(self, places: set[Place]) -> Scene:
        """With prompts and marks of hand-drawing forgotten on some slices."""
        kept = {place: group for place, group in self.groups.items() if place not in places}
        return replace(self, groups=kept, drawn=self.drawn - places)

    def with_drawn(self, place: Place) -> Scene:
        """With one slice more that was corrected by hand."""
        return replace(self, drawn=self.drawn | {place})

    def labels_to_list(self) -> list[dict[str, Any]]:
        """The labels, JSON-able."""
        return [asdict(label) for label in self.labels]
