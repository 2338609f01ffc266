"""Cases: what there is, and its slices for the screen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from starlette.concurrency import run_in_threadpool

from anytomy.core.intensity import modality_of
from anytomy.server import uploads
from anytomy.server.cases import Case
from anytomy.server.opening import png, thumbnail
from anytomy.server.routes.access import CaseId, TheDesk
from anytomy.server.solid import SOLID_MEDIA, check_volume, grey_solid
from anytomy.server.types import Axis

if TYPE_CHECKING:
    from numpy.typing import NDArray

router = APIRouter(tags=["cases"])
Window = Annotated[
    str, Query(max_length=64, description="auto, ct:soft, window:WIDTH,LEVEL, percentile:LOW,HIGH, none")
]


@router.get("/cases")
def list_cases(desk: TheDesk, fresh: bool = False) -> list[dict[str, Any]]:
    """All cases with their sessions and what became of them: `new`, `started` or `saved`."""
    sessions: dict[str, list[dict[str, Any]]] = {}
    for row in desk.store.sessions():
        last = desk.store.last(row.id)
        entry = {"id": row.id, "who": row.who, "created": row.created, "model": row.model, "seq": last}
        sessions.setdefault(row.case_id, []).append({**entry, "saved": row.saved})
    return [_brief(case, sessions.get(case.id, [])) for case in desk.cases.all(fresh=fresh)]


def _brief(case: Case, sessions: list[dict[str, Any]]) -> dict[str, Any]:
    state = "new" if not any(each["seq"] for each in sessions) else "started"
    if any(each["seq"] and each["saved"] == each["seq"] for each in sessions):
        state = "saved"
    return {"id": case.id, "name": case.name, "kind": case.kind, "state": state, "sessions": sessions}


@router.get("/cases/{case_id}")
def case_facts(desk: TheDesk, case_id: CaseId) -> dict[str, Any]:
    """Grid, modality, what is black and white by default, and the size of its slices along each axis."""
    found = desk.opened.open(desk.cases.get(case_id))
    image = found.image
    modality, guessed, _ = modality_of(image)
    grey = found.grey("auto", desk.models.card(desk.models.default).intensity)
    return {
        "id": case_id,
        "name": found.case.name,
        "is_volume": image.is_volume,
        "is_colour": image.is_colour,
        "window": {"low": grey.low, "high": grey.high, "zero_is_black": grey.zero_is_black},
        "modality": modality,
        "modality_guessed": guessed,
        "size_xyz": image.geometry.size_xyz,
        "spacing_xyz_mm": image.geometry.spacing_xyz_mm if image.has_scale else None,
        "orientation": image.geometry.orientation,
        "axes": {
            axis: {
                "columns": view.size[0],
                "rows": view.size[1],
                "slices": view.size[2],
                "pixel_mm": [image.geometry.spacing_xyz_mm[a] for a in view.axes[:2]],
                "file_axes": ["xyz"[a] for a in view.axes],
                "reversed": list(view.reversed_),
            }
            for axis, view in found.views.items()
        },
    }


@router.get("/cases/{case_id}/slices/{axis}/{slice_}", response_class=Response)
def slice_picture(
    desk: TheDesk,
    case_id: CaseId,
    axis: Axis,
    slice_: int,
    window: Window = "auto",
    raw: Annotated[bool, Query(description="Grey levels or RGB, row after row, instead of a PNG.")] = False,
    values: Annotated[
        bool, Query(description="Stored values instead, little endian, of the type that X-Type says.")
    ] = False,
) -> Response:
    """A slice as it is shown, in the radiological convention; never waits for a model."""
    found = desk.opened.open(desk.cases.get(case_id))
    found.view(axis, slice_)
    if values:
        return _plain(found.values(axis, slice_))
    card = desk.models.card(desk.models.default)
    picture = found.picture(axis, slice_, found.grey(window, card.intensity))
    if raw:
        return _plain(picture)
    return Response(png(picture), media_type="image/png", headers=_shape(picture))


def _plain(picture: NDArray[Any]) -> Response:
    headers = {**_shape(picture), "X-Type": str(picture.dtype.newbyteorder("="))}
    return Response(picture.tobytes(), media_type="application/octet-stream", headers=headers)


def _shape(picture: NDArray[Any]) -> dict[str, str]:
    return {"X-Shape": "x".join(str(n) for n in picture.shape)}


@router.get("/cases/{case_id}/solid.nii", response_class=Response)
def solid(desk: TheDesk, case_id: CaseId, window: Window = "auto") -> Response:
    """Grey levels of a volume for a 3D view, as NIfTI; axes over 256 voxels are thinned out."""
    found = desk.opened.open(desk.cases.get(case_id))
    check_volume(found.image)
    grey = found.grey(window, desk.models.card(desk.models.default).intensity)
    return Response(grey_solid(found.image, grey), media_type=SOLID_MEDIA)


@router.get("/cases/{case_id}/thumbnail", response_class=Response)
def case_thumbnail(desk: TheDesk, case_id: CaseId) -> Response:
    """A small PNG of the middle slice."""
    found = desk.opened.open(desk.cases.get(case_id))
    grey = found.grey("auto", desk.models.card(desk.models.default).intensity)
    middle = found.views["z"].size[2] // 2
    return Response(thumbnail(found.picture("z", middle, grey)), media_type="image/png")


@router.post("/uploads", status_code=201)
async def upload(desk: TheDesk, request: Request) -> dict[str, Any]:
    """Send one image file as the body; it becomes a case. Its name is not asked for."""
    limits, folder = desk.settings.limits, desk.cases.uploads
    await run_in_threadpool(uploads.room_for_one, folder, limits)
    place = await uploads.receive(request.stream(), folder, limits)
    final = await run_in_threadpool(uploads.decode, place, limits)
    return {"case": desk.cases.id_of(final)}
