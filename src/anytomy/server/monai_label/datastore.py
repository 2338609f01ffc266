"""`/datastore/` and `/session/`: images and label maps, in and out."""

from __future__ import annotations

import time
from typing import Annotated, Any, Literal

from fastapi import APIRouter, File, Form, Query, Response, UploadFile

from anytomy.core.errors import OptionError
from anytomy.io.detect import ending
from anytomy.server import output, uploads
from anytomy.server.cases import Case
from anytomy.server.desk import Desk
from anytomy.server.monai_label import images, labels
from anytomy.server.monai_label.about import status
from anytomy.server.monai_label.asking import parsed
from anytomy.server.problems import NotFoundError
from anytomy.server.routes.access import CaseId, TheDesk

router = APIRouter(tags=["MONAI Label"])
_OCTETS = "application/octet-stream"
_MOST_NOTES = 64 * 2**10
ImageId = Annotated[str, Query(max_length=200)]
Tag = Literal["final", "original"]
Text = Annotated[str, Form()]
Upload = Annotated[UploadFile, File()]


@router.get("/datastore/")
def datastore(desk: TheDesk, output: Literal["stats", "train", "all"] = "stats") -> Any:
    """How much is labelled; or all images with what became of them; or those that are labelled."""
    shelf = images.Shelf(desk)
    if output == "stats":
        return status(shelf)
    objects = {case.id: _object(desk, shelf, case) for case in shelf.cases}
    if output == "train":
        return [
            {
                "image": key,
                "label": key,
                "meta": {"image": each["image"]["info"], "label": each["labels"]["final"]["info"]},
            }
            for key, each in objects.items()
            if "final" in each["labels"]
        ]
    return {"name": "Anytomy", "description": "for research, not a medical device", "objects": objects}


def _object(desk: Desk, shelf: images.Shelf, case: Case) -> dict[str, Any]:
    state = shelf.state(case)
    tags = [tag for tag, there in (("final", state.saved), ("original", state.begun)) if there]
    return {
        "image": {"ext": images.sent_ending(case), "info": shelf.info(case)},
        "labels": {
            tag: {"ext": ".nii.gz", "info": {**_label_info(state), **desk.store.note(f"{case.id}:{tag}")}}
            for tag in tags
        },
    }


def _label_info(state: images.State) -> dict[str, Any]:
    names = {label["name"]: label["id"] for label in state.labels}
    return {
        "label_info": [{"name": name, "idx": value} for name, value in names.items()],
        "params": {"label_names": names},
        "client_id": "" if state.row is None else state.row.who,
    }


# -- images ------------------------------------------------------------------------------------------


@router.put("/datastore/", include_in_schema=False)
@router.put("/datastore/image")
def add_image(desk: TheDesk, file: Upload, image: ImageId = "", params: Text = "{}") -> dict[str, str]:
    """Send an image; it may be called by the name that is given here from then on."""
    parsed(params)
    folder = _received(desk, [file])
    if image:
        images.called(desk, folder, image)
    return {"image": desk.cases.id_of(folder)}


@router.delete("/datastore/", include_in_schema=False)
@router.delete("/datastore/image")
def remove_image(desk: TheDesk, id: ImageId) -> dict[str, str]:  # noqa: A002  (the protocol's name)
    """Take an upload away; files of the user's own are never deleted."""
    images.remove(desk, images.find(desk, id))
    return {}


@router.get("/datastore/image", response_class=Response)
def image_file(desk: TheDesk, image: ImageId) -> Response:
    """An image as a file."""
    return _image(desk, images.find(desk, image))


@router.head("/datastore/image", response_class=Response)
def image_there(desk: TheDesk, image: ImageId) -> Response:
    """Whether there is such an image."""
    images.find(desk, image)
    return Response()


@router.get("/datastore/image/info")
def image_info(desk: TheDesk, image: ImageId) -> dict[str, Any]:
    """What is known of an image, and what clients noted."""
    return images.Shelf(desk).info(images.find(desk, image))


@router.put("/datastore/image/info")
def note_image(desk: TheDesk, image: ImageId, info: Text = "{}") -> dict[str, str]:
    """Note something about an image."""
    return _noted(desk, f"{images.find(desk, image).id}:image", info)


# -- label maps --------------------------------------------------------------------------------------


@router.put("/datastore/label")
def save_label(
    desk: TheDesk, image: ImageId, label: Upload, params: Text = "{}", tag: Tag | Literal[""] = "final"
) -> dict[str, str]:
    """Send a label map: it becomes the state of the image's session, and with `final` it is saved."""
    case = images.find(desk, image)
    said = parsed(params)
    session = labels.bring_in(desk, case, label.file, label.filename or "", said, save=tag in ("final", ""))
    return {"image": image, "label": case.id, "session": session}


@router.delete("/datastore/label")
def remove_label(desk: TheDesk, id: ImageId, tag: Tag) -> dict[str, str]:  # noqa: A002
    """Empty the label map, which can be undone; a file that was saved stays, but counts no longer."""
    _, row = _labelled(desk, id)
    with desk.sessions.using(row.id) as session:
        session.imported({}, {"from": "removal", "labels": []}, "", alone=True)
    if tag == "final":
        desk.store.mark_saved(row.id, 0)
    return {}


@router.get("/datastore/label", response_class=Response)
def label_file(desk: TheDesk, label: ImageId, tag: Tag = "final") -> Response:
    """The label map that was saved (`final`), or the present one (`original`)."""
    case, row = _labelled(desk, label)
    if tag == "final":
        image = desk.opened.open(case).image
        path = output.target_of(case, image, desk.cases.all(), desk.settings, overlaps=row.overlap == "keep")
        if not row.saved or not path.is_file():
            raise NotFoundError("no label map of that image was saved", hint="ask for the tag original")
        return _attachment(path.read_bytes(), f"label-{case.id}{ending(path)}")
    with desk.sessions.using(row.id) as session:
        image, folder = desk.open(session).image, desk.settings.state / "exports"
        with output.export(session, case, image, ".nii.gz", folder) as (path, _):
            return _attachment(path.read_bytes(), f"label-{case.id}.nii.gz")


@router.head("/datastore/label", response_class=Response)
def label_there(desk: TheDesk, image: ImageId, tag: Tag) -> Response:
    """Whether there is such a label map."""
    _, row = _labelled(desk, image)
    if tag == "final" and not row.saved:
        raise NotFoundError("no label map of that image was saved")
    return Response()


@router.get("/datastore/label/info")
def label_info(desk: TheDesk, label: ImageId, tag: Tag) -> dict[str, Any]:
    """Names and values of a label map, and what clients noted."""
    case, _ = _labelled(desk, label)
    return {**_label_info(images.Shelf(desk).state(case)), **desk.store.note(f"{case.id}:{tag}")}


@router.put("/datastore/label/info")
def note_label(desk: TheDesk, label: ImageId, tag: Tag, info: Text = "{}") -> dict[str, str]:
    """Note something about a label map, as the reviewing plug-in does."""
    case, _ = _labelled(desk, label)
    return _noted(desk, f"{case.id}:{tag}", info)


@router.put("/datastore/updatelabelinfo")
def note_label_so(desk: TheDesk, label: ImageId, tag: Tag, params: Text = "{}") -> dict[str, str]:
    """The same, as older clients ask for it."""
    return note_label(desk, label, tag, params)


# -- sessions of the protocol: an image that a client brings ------------------------------------------


@router.put("/session/")
def begin(
    desk: TheDesk, files: Annotated[list[UploadFile], File()], uncompress: bool = False, expiry: int = 0
) -> Any:
    """Send an image, or a DICOM series as an archive or slice by slice; the answer has its id."""
    folder = _received(desk, files)
    session_id = desk.cases.id_of(folder)
    return {"session_id": session_id, "session_info": _session(session_id)}


@router.get("/session/{session_id}")
def session_state(desk: TheDesk, session_id: CaseId, image: bool = False, update_ts: bool = False) -> Any:
    """Whether it is there; with `image` its image."""
    case = desk.cases.get(session_id)
    return _image(desk, case) if image else _session(case.id)


@router.delete("/session/{session_id}")
def end(desk: TheDesk, session_id: CaseId) -> dict[str, Any]:
    """Take its image away."""
    images.remove(desk, desk.cases.get(session_id))
    return _session(session_id)


def _session(session_id: str) -> dict[str, Any]:
    stamp = int(time.time())
    # Neither where the image lies nor an end: uploads are kept until they are taken away.
    facts = {"name": session_id, "path": "", "image": "", "meta": {}, "expiry": 0}
    return {**facts, "create_ts": stamp, "last_access_ts": stamp}


# -- shared ------------------------------------------------------------------------------------------


def _received(desk: Desk, files: list[UploadFile]) -> Any:
    limits, folder = desk.settings.limits, desk.cases.uploads
    uploads.room_for_one(folder, limits)
    return uploads.decode(uploads.collect([each.file for each in files], folder, limits), limits)


def _labelled(desk: Desk, image: str) -> Any:
    """The case of a label map and its session."""
    case = images.find(desk, image)
    row = images.Shelf(desk).state(case).row
    if row is None:
        raise NotFoundError("that image has no label map")
    return case, row


def _noted(desk: Desk, key: str, text: str) -> dict[str, str]:
    if len(text) > _MOST_NOTES:
        raise OptionError(f"expected at most {_MOST_NOTES} characters of info")
    desk.store.set_note(key, {**desk.store.note(key), **parsed(text)})
    return {}


def _image(desk: Desk, case: Case) -> Response:
    with images.image_file(desk, case) as path:
        return _attachment(path.read_bytes(), f"case-{case.id}{images.sent_ending(case)}")


def _attachment(data: bytes, name: str) -> Response:
    return Response(
        data, media_type=_OCTETS, headers={"Content-Disposition": f'attachment; filename="{name}"'}
    )
