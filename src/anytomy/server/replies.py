"""What an action answers: `changed`, only the boxes that it changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from anytomy.server.patches import Patch

if TYPE_CHECKING:
    from anytomy.server.history import Flips
    from anytomy.server.session import Session

Shown = tuple[str, int]  # axis, slice


def changed(session: Session, flips: Flips, shown: Shown | None) -> dict[str, Any]:
    """The state's number, where masks changed, and the new bits of the slice that is shown.

    Args:
        session: After the action.
        flips: What it changed.
        shown: The slice that the client looks at; the bits of others it fetches when it gets there.
    """
    with session.lock:
        boxes: dict[int, tuple[int, ...]] = {}
        for label, patch in flips:
            box = (*patch.start, *patch.stop)
            old = boxes.get(label, box)
            boxes[label] = (*np.minimum(old[:3], box[:3]).tolist(), *np.maximum(old[3:], box[3:]).tolist())
        return {
            "seq": session.history.seq,
            "can_undo": session.history.current.parent is not None,
            "can_redo": bool(session.history.undone),
            "changed": [_where(session, label, box) for label, box in sorted(boxes.items())],
            "shown": None if shown is None else _shown(session, boxes, shown),
        }


def slice_masks(session: Session, axis: str, slice_: int) -> dict[str, Any]:
    """All masks of a slice, each cut to its object."""
    view = session.views[axis]
    patches = []
    with session.lock:
        for label in session.scene.labels:
            patch = Patch.of(session.voxels.plane(label.id, view, slice_))
            if patch is not None:
                patches.append(_entry(label.id, patch))
        return {"seq": session.history.seq, "axis": axis, "slice": slice_, "patches": patches}


def _where(session: Session, label: int, box: tuple[int, ...]) -> dict[str, Any]:
    """A changed box on the file's grid, and the slices that it reaches along each axis as they are shown."""
    xyz = (*box[2::-1], *box[:2:-1])
    slices = {}
    for axis, view in session.views.items():
        seen = view.box_to_view(xyz)
        slices[axis] = [int(seen[2]), int(seen[5])]
    return {"label": label, "box": list(xyz), "slices": slices}


def _shown(session: Session, boxes: dict[int, tuple[int, ...]], shown: Shown) -> dict[str, Any]:
    axis, slice_ = shown
    view = session.views[axis]
    patches = []
    for label, box in sorted(boxes.items()):
        x0, y0, first, x1, y1, last = (int(v) for v in view.box_to_view((*box[2::-1], *box[:2:-1])))
        if first <= slice_ < last:
            plane = session.voxels.plane(label, view, slice_)
            patches.append(_entry(label, Patch.whole(plane[y0:y1, x0:x1], (y0, x0))))
    return {"axis": axis, "slice": slice_, "patches": patches}


def _entry(label: int, patch: Patch) -> dict[str, Any]:
    (y0, x0), (y1, x1) = patch.start, patch.stop
    return {"label": label, "box": [x0, y0, x1, y1], "data": patch.text()}
