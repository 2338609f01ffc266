"""`/infer/` and `/batch/infer`: ask a model for a label map of a whole image."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any, Literal

from fastapi import APIRouter, File, Form, Path, Query, Response, UploadFile
from starlette.concurrency import run_in_threadpool

from anytomy.core.errors import AnytomyError, OptionError
from anytomy.server import uploads
from anytomy.server.cases import Case
from anytomy.server.desk import Desk
from anytomy.server.fair_queue import Rank
from anytomy.server.monai_label import images
from anytomy.server.monai_label.about import Params
from anytomy.server.monai_label.access import TheBureau
from anytomy.server.monai_label.answering import Answer, multipart
from anytomy.server.monai_label.asking import Offer, offer, parsed
from anytomy.server.monai_label.labels import session_of, who
from anytomy.server.monai_label.tasks import Task
from anytomy.server.problems import NotFoundError
from anytomy.server.routes.access import TheDesk

router = APIRouter(tags=["MONAI Label"])
Model = Annotated[str, Path(max_length=200)]
ImageId = Annotated[str, Query(max_length=200)]
Output = Literal["image", "json", "all", "dicom_seg"]
Images = Literal["all", "labeled", "unlabeled"]


@router.post("/infer/{model}", response_class=Response)
async def infer(
    desk: TheDesk,
    model: Model,
    image: ImageId = "",
    session_id: ImageId = "",
    output: Output | None = None,
    params: Annotated[str, Form()] = "{}",
    file: Annotated[UploadFile | None, File()] = None,
) -> Response:
    """A label map of an image: its parameters and its file in one body; `output` asks for one of them.

    Clicks are voxel indices of the image's file. The answer is not kept, unless `save_label` says so.
    """
    said = await run_in_threadpool(parsed, params)
    case = await run_in_threadpool(_case, desk, image, session_id, file)
    try:
        asked = await run_in_threadpool(offer, desk.models, model)
        future = await run_in_threadpool(_asked, desk, case, asked, said)
        answer = Answer.of(await asyncio.wrap_future(future), asked, said)
        return await run_in_threadpool(_replied, desk, case, asked, said, answer, output)
    finally:
        if file is not None and said.get("save_label") is not True:
            await run_in_threadpool(images.remove, desk, case)


def _case(desk: Desk, image: str, session_id: str, file: UploadFile | None) -> Case:
    if file is not None:
        uploads.room_for_one(desk.cases.uploads, desk.settings.limits)
        place = uploads.collect([file.file], desk.cases.uploads, desk.settings.limits)
        return desk.cases.get(desk.cases.id_of(uploads.decode(place, desk.settings.limits)))
    if not image and not session_id:
        raise OptionError("there is no image", hint="name one, or send it as file")
    return images.find(desk, session_id or image)


def _asked(desk: Desk, case: Case, asked: Offer, params: dict[str, Any]) -> Any:
    found = desk.opened.open(case).image
    prompts = asked.prompts(params, found)
    rank = Rank.LONG if asked.kind != "slice" else Rank.WAITED_FOR
    return desk.segment(case, asked.reference, prompts, volume=asked.strategy(found), rank=rank)


def _replied(
    desk: Desk, case: Case, asked: Offer, params: dict[str, Any], answer: Answer, output: Output | None
) -> Response:
    folder = desk.settings.state / "exports"
    ending = ".seg.dcm" if output == "dicom_seg" else params.get("result_extension") or ".nii.gz"
    if output != "json":
        dtype = params.get("result_dtype") or "uint8"
        compress = params.get("result_compress") is not False
        data = answer.file(folder, ending, dtype=dtype, compress=compress)
    if params.get("save_label") is True:
        keep(desk, case, asked, answer, who(params))
    name = f"case-{case.id}{ending}"
    told = answer.params()
    if output == "json":
        from fastapi.responses import JSONResponse

        return JSONResponse(told)
    if output is None or output == "all":
        body, media = multipart(told, name, data)
        return Response(body, media_type=media)
    media = "application/dicom" if output == "dicom_seg" else "application/octet-stream"
    return Response(data, media_type=media, headers={"Content-Disposition": f'attachment; filename="{name}"'})


def keep(desk: Desk, case: Case, asked: Offer, answer: Answer, person: str) -> None:
    """Put an answer into the session of its case; it is not saved beside the image."""
    row = session_of(desk, case, person)
    scores = {answer.names[value]: round(score, 6) for value, score in answer.scores.items()}
    about = {"from": "model", "model": asked.reference, "labels": list(scores), "scores": scores}
    with desk.sessions.using(row.id) as session:
        session.imported(answer.masks(), about, person, alone=False)


@router.post("/batch/infer/{model}")
def batch(
    desk: TheDesk,
    bureau: TheBureau,
    model: Model,
    images_: Annotated[Images, Query(alias="images")] = "unlabeled",
) -> dict[str, Any]:
    """Have a model that needs no prompts answer many images; those that somebody began are left alone."""
    asked = offer(desk.models, model)
    if asked.kind != "classes":
        raise OptionError("this model needs prompts for each image", hint="choose one of type segmentation")
    shelf = images.Shelf(desk)
    chosen = [
        case for case in shelf.cases if images_ == "all" or shelf.state(case).saved == (images_ == "labeled")
    ]

    def work(task: Task) -> None:
        for number, case in enumerate(chosen, start=1):
            if task.stopped:
                return
            if shelf.state(case).begun:
                task.details.append(f"{number} of {len(chosen)}: left alone, somebody began it")
                continue
            try:
                future = _asked(desk, case, asked, {})
                while not future.done():
                    if task.wait(0.1):
                        future.cancel()  # one that is being answered is answered in vain
                        return
                answer = Answer.of(future.result(), asked, {})
                keep(desk, case, asked, answer, "MONAI Label batch")
                task.details.append(f"{number} of {len(chosen)}: done")
            except AnytomyError as error:
                task.details.append(f"{number} of {len(chosen)}: {error.message}")

    return bureau.batches.start(model, work).to_dict()


@router.get("/batch/infer")
def batch_status(bureau: TheBureau, check_if_running: bool = False) -> dict[str, Any]:
    """The latest batch, or the one that runs."""
    return bureau.batches.latest(running=check_if_running).to_dict()


@router.delete("/batch/infer")
def batch_stop(bureau: TheBureau) -> dict[str, Any]:
    """Stop after the image that is being answered."""
    return bureau.batches.stop().to_dict()


@router.get("/train/")
def train_status(
    bureau: TheBureau, check_if_running: bool = False, all_: Annotated[bool, Query(alias="all")] = False
) -> Any:
    """The latest training, the one that runs, or all of them."""
    if all_:
        return [task.to_dict() for task in bureau.training.tasks.all]
    return bureau.training.tasks.latest(running=check_if_running).to_dict()


@router.post("/train/")
def train_default(desk: TheDesk, bureau: TheBureau, params: Params = None) -> dict[str, Any]:
    """Train the default model."""
    trainers = bureau.training.trainers()
    if not trainers:
        raise NotFoundError("there is no model to train")
    name = next(iter(trainers))
    given = params or {}
    own = given.get(name)
    return bureau.training.start(name, own if isinstance(own, dict) else given).to_dict()


@router.post("/train/{model}")
def train(bureau: TheBureau, model: Model, params: Params = None) -> dict[str, Any]:
    """Train a model on the label maps that were saved; the same request on the same labels goes on."""
    return bureau.training.start(model, params or {}).to_dict()


@router.delete("/train/")
def train_stop(bureau: TheBureau) -> dict[str, Any]:
    """Stop the training that runs."""
    return bureau.training.tasks.stop().to_dict()
