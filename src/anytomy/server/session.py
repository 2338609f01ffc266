"""A session: the labels of one image as one or several people prompt, draw and correct them: `Session`.

Every change is an action: it is written to the store first, then applied; the same code applies it when the
session is rebuilt from the store.
"""

from __future__ import annotations

import threading
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from anytomy.core.errors import AnytomyError, PromptError
from anytomy.server.history import History, Node
from anytomy.server.patches import Patch, drawn_patch
from anytomy.server.problems import ConflictError
from anytomy.server.scene import COLOURS, Group, Label, Place, Scene
from anytomy.server.store import ActionRow, now
from anytomy.server.voxels import Voxels

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from anytomy.core.geometry import Geometry
    from anytomy.core.view import SliceView
    from anytomy.server.history import Flips
    from anytomy.server.store import SessionRow, Store

MOVES = ("undo", "redo", "restore")
Patches = tuple[tuple[str, int, Patch], ...]


class Session:
    """Labels, masks and history; safe to use from several threads.

    Args:
        row: Its facts.
        geometry: Grid of the image.
        views: By axis, how slices are shown.
        store: Where actions go.
        most_labels: How many it may have.
    """

    def __init__(
        self,
        row: SessionRow,
        geometry: Geometry,
        views: Mapping[str, SliceView],
        store: Store,
        most_labels: int = 255,
    ) -> None:
        self.row = row
        self.views = views
        self.voxels = Voxels(geometry)
        self.history = History()
        self.lock = threading.RLock()
        self._store = store
        self._most_labels = most_labels
        for action in store.actions(row.id):
            self._apply(action)

    @property
    def scene(self) -> Scene:
        """Labels and prompts as they are now."""
        return self.history.current.scene

    # -- labels --------------------------------------------------------------------------------------

    def add_label(self, name: str, colour: str | None, who: str) -> Label:
        """A new label with the lowest free id.

        Raises:
            ConflictError: If there are too many.
        """
        with self.lock:
            label = self._new_label(self.scene, name, colour)
            self._commit("labels", who, {"labels": self.scene.with_label(label).labels_to_list()})
            return label

    def _new_label(self, scene: Scene, name: str, colour: str | None = None) -> Label:
        taken = {label.id for label in scene.labels}
        if len(taken) >= self._most_labels:
            raise ConflictError(f"there are {len(taken)} labels already, which is the most")
        free = next(i for i in range(1, self._most_labels + 1) if i not in taken)
        return Label(free, name or f"label {free}", colour or COLOURS[(free - 1) % len(COLOURS)])

    def change_label(self, label_id: int, changes: Mapping[str, Any], who: str) -> Label:
        """Another name or colour; shown or not; locked or not."""
        with self.lock:
            label = replace(self.scene.label(label_id), **changes)
            self._commit("labels", who, {"labels": self.scene.with_label(label).labels_to_list()})
            return label

    def remove_label(self, label_id: int, who: str) -> Flips:
        """Take a label away, with its mask."""
        with self.lock:
            self.scene.unlocked(label_id)
            flips = self.voxels.clearing(label_id)
            return self._commit("labels", who, {"removed": label_id}, _as_flips(flips))

    # -- prompts -------------------------------------------------------------------------------------

    def asked(
        self,
        place: Place,
        box: Sequence[float] | None,
        points: Sequence[tuple[float, float, int]],
        *,
        begin: bool,
    ) -> Group:
        """All that was said about a label on a slice, with what is added now.

        Raises:
            PromptError: If it lies outside of the slice.
            ConflictError: If the label is locked.
        """
        with self.lock:
            self.scene.unlocked(place[0])
            before = Group() if begin else self.scene.groups.get(place, Group())
        columns, rows, _ = self.views[place[1]].size
        _check_inside(box, points, columns, rows)
        more = tuple((float(x), float(y), int(kind)) for x, y, kind in points)
        return replace(
            before,
            box=before.box if box is None else tuple(float(v) for v in box),
            points=(*before.points, *(point for point in more if point not in before.points)),
        )

    def answer(
        self,
        place: Place,
        group: Group,
        mask: NDArray[np.bool_],
        added: Sequence[Any],
        *,
        begin: bool,
        who: str,
    ) -> Flips:
        """Draw what a model answered to a group of prompts.

        It takes the place of the model's answer before; what was there when the group began, or was drawn by
        hand since, stays, and what was erased by hand stays away unless a new point lies in it.

        Args:
            place: Label, axis and slice.
            group: From `asked`, with model and score.
            mask: `(row, column)`.
            added: The points that are new.
            begin: Whether this is a new group.
            who: Who asked.
        """
        label_id, axis, slice_ = place
        view = self.views[axis]
        with self.lock:
            self.scene.unlocked(label_id)
            current = self.voxels.plane(label_id, view, slice_)
            before = None if begin else self.scene.groups.get(place)
            if before is None:
                base = Patch.of(current)
                new = mask | current
            else:
                base = before.base
                last = _expanded(before.answer, mask.shape)
                erased = last & ~current
                if any(kind and erased[_pixel(x, y, mask.shape)] for x, y, kind in added):
                    erased[:] = False
                new = (mask & ~erased) | (current & (~last | _expanded(base, mask.shape)))
            flips = self._setting(label_id, view, {slice_: new})
            masks = [("base", label_id, base), ("answer", label_id, Patch.of(mask))]
            change = {"group": {"place": list(place), **group.to_dict()}}
            patches = tuple((role, each, patch) for role, each, patch in masks if patch is not None)
            return self._commit("prompt", who, change, (*_as_flips(flips), *patches))

    def keys(self, labels: Sequence[int] | None, axis: str) -> dict[int, dict[int, Group]]:
        """The prompts of each label by slice along an axis; of all unlocked labels with some where None.

        Raises:
            PromptError: If a label, or all of them, has none.
            ConflictError: If a wanted label is locked.
        """
        with self.lock:
            wanted = labels or [label.id for label in self.scene.labels if not label.locked]
            found: dict[int, dict[int, Group]] = {self.scene.unlocked(each).id: {} for each in wanted}
            for (label_id, along, slice_), group in self.scene.groups.items():
                if along == axis and label_id in found:
                    found[label_id][slice_] = group
        bare = [label_id for label_id, groups in found.items() if not groups]
        if (labels and bare) or len(bare) == len(found):
            which = f"label {bare[0]} has no prompt" if labels else "no label has a prompt"
            raise PromptError(
                f"{which} on a slice along {axis}", hint="give a box or points on one slice first"
            )
        return {label_id: groups for label_id, groups in found.items() if groups}

    def carried(
        self,
        axis: str,
        found: Mapping[int, Mapping[int, Patch | None]],
        about: dict[str, Any],
        who: str,
        kind: str = "propagate",
    ) -> Flips:
        """Draw what was carried through a volume, but on slices that were prompted or drawn on by a person.

        Where two labels come to one voxel and masks exclude each other, the later label has it.

        Args:
            axis: Along which slices.
            found: Masks `(row, column)` by label and slice.
            about: How they came about, JSON-able.
            who: Who asked.
            kind: What the history calls it.
        """
        view = self.views[axis]
        shape = (view.size[1], view.size[0])
        with self.lock:
            held = {*self.scene.groups, *self.scene.drawn}
            flips: Flips = ()
            try:
                for label_id, slices in found.items():
                    self.scene.unlocked(label_id)
                    planes = {
                        slice_: _expanded(patch, shape)
                        for slice_, patch in slices.items()
                        if (label_id, axis, slice_) not in held
                    }
                    more = self._setting(label_id, view, planes)
                    self.voxels.flip(more)
                    flips += more
            finally:
                self.voxels.flip(flips)  # the action does it again, once it is written
            return self._commit(kind, who, {"carried": about}, _as_flips(flips))

    # -- by hand -------------------------------------------------------------------------------------

    def draw(self, place: Place, box: Sequence[int], data: str, mode: str, who: str) -> Flips:
        """Add to, erase from, or replace a part of a slice.

        Args:
            place: Label, axis and slice.
            box: The part.
            data: Its bits; see `patches`.
            mode: `add`, `erase` or `replace`.
            who: Who drew.

        Raises:
            PromptError: If the data is none.
        """
        label_id, axis, slice_ = place
        view = self.views[axis]
        try:
            patch = drawn_patch(box, data, (view.size[1], view.size[0]))
        except AnytomyError:
            raise
        except ValueError as error:
            raise PromptError(f"the drawn mask cannot be used: {error}") from None
        with self.lock:
            self.scene.unlocked(label_id)
            new = self.voxels.plane(label_id, view, slice_)
            bits = patch.mask()
            match mode:
                case "add":
                    new[patch.where] |= bits
                case "erase":
                    new[patch.where] &= ~bits
                case _:
                    new[patch.where] = bits
            flips = self._setting(label_id, view, {slice_: new})
            return self._commit("draw", who, {"drawn": list(place)}, _as_flips(flips))

    def clear(self, label_id: int, axis: str | None, slice_: int | None, who: str) -> Flips:
        """Empty a label, or one slice of it; its prompts there are forgotten."""
        with self.lock:
            self.scene.unlocked(label_id)
            if axis is None or slice_ is None:
                flips = self.voxels.clearing(label_id)
                places = [p for p in (*self.scene.groups, *self.scene.drawn) if p[0] == label_id]
            else:
                view = self.views[axis]
                empty = np.zeros((view.size[1], view.size[0]), dtype=bool)
                flips = self._setting(label_id, view, {slice_: empty})
                places = [(label_id, axis, slice_)]
            forgotten = sorted({tuple(p) for p in places})
            return self._commit("clear", who, {"forgotten": [list(p) for p in forgotten]}, _as_flips(flips))

    def imported(
        self,
        masks: Mapping[str, NDArray[np.bool_]],
        about: dict[str, Any],
        who: str,
        *,
        alone: bool,
    ) -> Flips:
        """Set labels, by name, to masks that came as a file or from a model; new names become new labels.

        Locked labels stay as they are.

        Args:
            masks: `(z, y, x)` on the file's grid.
            about: Where they come from, JSON-able.
            who: Who brought them.
            alone: Empty all other labels.

        Raises:
            ConflictError: If there would be too many labels.
        """
        with self.lock:
            scene = self.scene
            named = {label.name: label for label in scene.labels}
            for name in masks:
                if name not in named:
                    named[name] = self._new_label(scene, name)
                    scene = scene.with_label(named[name])
            new = {label.id: np.zeros(0, dtype=bool) for label in self.scene.labels if alone}
            new |= {named[name].id: mask for name, mask in masks.items()}
            locked = {label.id for label in scene.labels if label.locked}
            flips = self.voxels.replacing(
                {label_id: mask for label_id, mask in new.items() if label_id not in locked},
                exclusive=self.row.overlap != "keep",
                kept=locked,
            )
            change = {"labels": scene.labels_to_list(), "imported": about}
            return self._commit("import", who, change, _as_flips(flips))

    # -- back and forth ------------------------------------------------------------------------------

    def move(self, kind: str, seq: int | None, who: str) -> Flips:
        """Undo, redo, or restore the state after action `seq`; that is an action as well.

        Raises:
            ConflictError: If there is nothing to undo or redo.
            NotFoundError: If there was no such state.
        """
        with self.lock:
            node = {
                "undo": self.history.undo_target,
                "redo": self.history.redo_target,
                "restore": lambda: self.history.target(seq or 0),
            }[kind]()
            return self._commit(kind, who, {"to": node.seq})

    # -- the one way to change anything --------------------------------------------------------------

    def _commit(self, kind: str, who: str, change: dict[str, Any], patches: Patches = ()) -> Flips:
        about = {"who": who or self.row.who, "at": now(), **change}
        action = ActionRow(self.history.seq + 1, kind, about, patches)
        self._store.append(self.row.id, action)
        return self._apply(action)

    def _apply(self, action: ActionRow) -> Flips:
        if action.kind in MOVES:
            node = self.history.target(action.about["to"])
            flips = self.history.between(node)
            self.voxels.flip(flips)
            self.history.move(action.kind, node, action.seq)
            return flips
        flips = tuple((label, patch) for role, label, patch in action.patches if role == "flip")
        scene = _changed(self.scene, action)
        self.voxels.flip(flips)
        self.history.add(Node(action.seq, self.history.current, scene, flips, action.kind, action.about))
        return flips

    def _setting(self, label_id: int, view: SliceView, planes: Mapping[int, NDArray[np.bool_]]) -> Flips:
        others = [label for label in self.scene.labels if label.id != label_id]
        if self.row.overlap == "keep":
            others = []
        return self.voxels.setting(
            label_id,
            view,
            planes,
            yielding=[label.id for label in others if not label.locked],
            kept=[label.id for label in others if label.locked],
        )

    def to_dict(self) -> dict[str, Any]:
        """The state, JSON-able."""
        with self.lock:
            scene, counts = self.scene, self.voxels.counts()
            groups = [
                {"label": label, "axis": axis, "slice": slice_, **group.to_dict()}
                for (label, axis, slice_), group in scene.groups.items()
            ]
            return {
                "id": self.row.id,
                "case": self.row.case_id,
                "created": self.row.created,
                "who": self.row.who,
                "model": self.row.model,
                "overlap": self.row.overlap,
                "seq": self.history.seq,
                "can_undo": self.history.current.parent is not None,
                "can_redo": bool(self.history.undone),
                "labels": [{**asdict(label), "voxels": counts.get(label.id, 0)} for label in scene.labels],
                "prompts": groups,
            }


def _changed(scene: Scene, action: ActionRow) -> Scene:
    """The scene after an action."""
    about = action.about
    if "labels" in about:
        return replace(scene, labels=tuple(Label(**values) for values in about["labels"]))
    if "removed" in about:
        return scene.without_label(about["removed"])
    if "drawn" in about:
        label, axis, slice_ = about["drawn"]
        return scene.with_drawn((label, axis, slice_))
    if "forgotten" in about:
        return scene.without_groups({(label, axis, slice_) for label, axis, slice_ in about["forgotten"]})
    if "group" in about:
        said = about["group"]
        label, axis, slice_ = said["place"]
        masks = {role: patch for role, _, patch in action.patches if role != "flip"}
        group = Group(
            box=None if said["box"] is None else tuple(said["box"]),
            points=tuple((x, y, kind) for x, y, kind in said["points"]),
            model=said["model"],
            score=said["score"],
            base=masks.get("base"),
            answer=masks.get("answer"),
        )
        return scene.with_group((label, axis, slice_), group)
    return scene


def _as_flips(flips: Flips) -> Patches:
    return tuple(("flip", label, patch) for label, patch in flips)


def _expanded(patch: Patch | None, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    return np.zeros(shape, dtype=bool) if patch is None else patch.expand(shape)


def _pixel(x: float, y: float, shape: tuple[int, ...]) -> tuple[int, int]:
    return min(max(int(y + 0.5), 0), shape[0] - 1), min(max(int(x + 0.5), 0), shape[1] - 1)


def _check_inside(
    box: Sequence[float] | None, points: Sequence[tuple[float, float, int]], columns: int, rows: int
) -> None:
    if box is not None:
        x0, y0, x1, y1 = box
        if not (0 <= x0 < x1 <= columns and 0 <= y0 < y1 <= rows):
            raise PromptError(
                f"the box {x0:g},{y0:g},{x1:g},{y1:g} is none in a slice of {columns} x {rows} pixels",
                hint="x0, y0, x1, y1 with exclusive ends",
            )
    for x, y, _ in points:
        if not (-0.5 <= x <= columns - 0.5 and -0.5 <= y <= rows - 0.5):
            raise PromptError(f"the point {x:g},{y:g} is outside of a slice of {columns} x {rows} pixels")
