"""Sessions: begin, look, labels, masks, history, save, export."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Response
from pydantic import BaseModel

from anytomy.server import output
from anytomy.server.problems import NotFoundError
from anytomy.server.replies import changed, slice_masks
from anytomy.server.routes.access import LongId, TheDesk
from anytomy.server.session import Session
from anytomy.server.solid import SOLID_MEDIA, check_volume, label_solid
from anytomy.server.types import (
    Action,
    Axis,
    LabelChange,
    Looking,
    NewLabel,
    NewSession,
    Reply,
    SliceMasks,
)

router = APIRouter(tags=["sessions"])
LabelNumber = Annotated[int, Path(ge=1, le=65535)]


class Saved(BaseModel):
    """What was written, and the state that it shows."""

    files: list[str]
    seq: int


@router.post("/sessions", status_code=201)
def begin(desk: TheDesk, asked: NewSession) -> dict[str, Any]:
    """Begin to annotate a case."""
    model = asked.model or desk.models.default
    desk.models.card(model)
    case = desk.cases.get(asked.case)
    row = desk.sessions.create(case, who=asked.who, model=model, overlap=asked.overlap)
    with desk.sessions.using(row.id) as session:
        return session.to_dict()


@router.get("/sessions/{session_id}")
def state(desk: TheDesk, session_id: LongId) -> dict[str, Any]:
    """Labels, prompts, what can be undone."""
    with desk.sessions.using(session_id) as session:
        return session.to_dict()


@router.post("/sessions/{session_id}/look", status_code=202)
def look(desk: TheDesk, session_id: LongId, asked: Looking) -> dict[str, int]:
    """Say which slice is looked at: it and its neighbours are encoded ahead."""
    with desk.sessions.using(session_id) as session:
        return {"ahead": desk.look(session, asked)}


@router.get("/sessions/{session_id}/masks/{axis}/{slice_}")
def masks(desk: TheDesk, session_id: LongId, axis: Axis, slice_: int) -> SliceMasks:
    """All masks of a slice."""
    with desk.sessions.using(session_id) as session:
        check_slice(session, axis, slice_)
        return SliceMasks(**slice_masks(session, axis, slice_))


@router.get("/sessions/{session_id}/solid.nii", response_class=Response)
def solid(desk: TheDesk, session_id: LongId) -> Response:
    """The label map for a 3D view, as NIfTI on the grid of the case's."""
    with desk.sessions.using(session_id) as session:
        check_volume(desk.open(session).image)
        with session.lock:
            masks = [(label.id, session.voxels.mask(label.id)) for label in session.scene.labels]
            content = label_solid(session.voxels.geometry, masks)
    return Response(content, media_type=SOLID_MEDIA)


@router.get("/sessions/{session_id}/history")
def history(
    desk: TheDesk, session_id: LongId, after: int = 0, most: Annotated[int, Query(ge=1, le=1000)] = 200
) -> dict[str, Any]:
    """What was done, by whom and when; any of these states can be restored."""
    with desk.sessions.using(session_id) as session, session.lock:
        current = {node.seq for node in session.history.line()}
        rows = [row for row in desk.store.actions(session_id) if row.seq > after][:most]
        return {
            "seq": session.history.seq,
            "actions": [
                {"seq": row.seq, "kind": row.kind, "current": row.seq in current, **row.about} for row in rows
            ],
        }


@router.post("/sessions/{session_id}/labels", status_code=201)
def add_label(desk: TheDesk, session_id: LongId, asked: NewLabel) -> Reply:
    """A further label."""
    with desk.sessions.using(session_id) as session:
        label = session.add_label(asked.name, asked.colour, asked.who)
        return _reply(session, (), asked, label=vars(label))


@router.patch("/sessions/{session_id}/labels/{label_id}")
def change_label(desk: TheDesk, session_id: LongId, label_id: LabelNumber, asked: LabelChange) -> Reply:
    """Another name or colour; shown or not; locked or not."""
    changes = asked.model_dump(exclude={"who", "show"}, exclude_none=True)
    with desk.sessions.using(session_id) as session:
        label = session.change_label(label_id, changes, asked.who)
        return _reply(session, (), asked, label=vars(label))


@router.delete("/sessions/{session_id}/labels/{label_id}")
def remove_label(desk: TheDesk, session_id: LongId, label_id: LabelNumber) -> Reply:
    """Take a label away, with its mask; can be undone."""
    with desk.sessions.using(session_id) as session:
        return _reply(session, session.remove_label(label_id, ""), Action())


@router.post("/sessions/{session_id}/save")
def save(desk: TheDesk, session_id: LongId, asked: Action) -> Saved:
    """Write the label map and how it came about, beside the image or to the output folder."""
    with desk.sessions.using(session_id) as session:
        return Saved(**desk.save(session, asked.who))


@router.get("/sessions/{session_id}/export", response_class=Response)
def export(
    desk: TheDesk,
    session_id: LongId,
    format_: Annotated[
        str, Query(alias="format", max_length=16, description="nii.gz, seg.nrrd, seg.dcm, png, json ...")
    ],
) -> Response:
    """The masks as a file."""
    with desk.sessions.using(session_id) as session:
        case = desk.cases.get(session.row.case_id)
        ending = "." + format_.lower().removeprefix(".")
        temporary = desk.settings.state / "exports"
        with output.export(session, case, desk.open(session).image, ending, temporary) as (path, media):
            attachment = {"Content-Disposition": f'attachment; filename="{path.name}"'}
            return Response(path.read_bytes(), media_type=media, headers=attachment)


def check_slice(session: Session, axis: str, slice_: int) -> None:
    """Refuse a slice that is none.

    Raises:
        NotFoundError: If there is none.
    """
    if axis not in session.views or not 0 <= slice_ < session.views[axis].size[2]:
        raise NotFoundError(f"there is no slice {slice_} along {axis}")


def _reply(session: Session, flips: Any, asked: Action, **more: Any) -> Reply:
    shown = None if asked.show is None else (asked.show.axis, asked.show.slice)
    if shown is not None:
        check_slice(session, *shown)
    return Reply(**changed(session, flips, shown), **more)
