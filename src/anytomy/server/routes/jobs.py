"""Propagation: start, follow, cancel."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter
from fastapi.responses import StreamingResponse

from anytomy.core.errors import OptionError
from anytomy.predict.zoom import Zoom
from anytomy.server.jobs import Job, Task
from anytomy.server.problems import body_of
from anytomy.server.replies import changed
from anytomy.server.routes.access import LongId, TheDesk
from anytomy.server.types import JobOut, Propagation, Reply

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

router = APIRouter(tags=["jobs"])
_LOOK_EVERY_S = 0.1
_SIGN_OF_LIFE_S = 15.0


@router.post("/sessions/{session_id}/propagate", status_code=202)
def propagate(desk: TheDesk, session_id: LongId, asked: Propagation) -> JobOut:
    """Carry the prompts of labels through the volume, in the background."""
    from anytomy.volumes.registry import strategy

    with desk.sessions.using(session_id) as session:
        found = desk.open(session)
        if not found.image.is_volume:
            raise OptionError("this is a single picture: there is nothing to carry prompts through")
        found.view(asked.axis)
        reference = asked.model or session.row.model
        task = Task(
            axis=asked.axis,
            keys=session.keys(asked.labels, asked.axis),
            range=asked.range,
            strategy=strategy(asked.volume),
            zoom=Zoom.parse(asked.zoom),
            model=reference,
            who=asked.who,
        )
        grey = found.grey("auto", desk.models.card(reference).intensity)
        return _out(desk, desk.jobs.start(session, found, grey, task))


@router.get("/jobs/{job_id}")
def job_state(desk: TheDesk, job_id: LongId) -> JobOut:
    """How far it is."""
    return _out(desk, desk.jobs.get(job_id))


@router.delete("/jobs/{job_id}")
def cancel(desk: TheDesk, job_id: LongId, keep: bool = False) -> JobOut:
    """Stop before the next slice; with `keep`, what is done so far is drawn."""
    job = desk.jobs.get(job_id)
    job.cancel(keep=keep)
    return _out(desk, job)


@router.get("/jobs/{job_id}/events", response_class=StreamingResponse)
async def events(desk: TheDesk, job_id: LongId) -> StreamingResponse:
    """Its progress as server-sent events, each a job as JSON; the last one is over."""
    job = desk.jobs.get(job_id)
    return StreamingResponse(_events(desk, job), media_type="text/event-stream")


async def _events(desk: Any, job: Job) -> AsyncIterator[str]:
    told, quiet = "", 0.0
    while True:
        over = job.is_over  # read first, so that nothing is missed between
        text = json.dumps(_out(desk, job).model_dump())
        if text != told:
            yield f"event: progress\ndata: {text}\n\n"
            told, quiet = text, 0.0
        if over:
            return
        await asyncio.sleep(_LOOK_EVERY_S)
        quiet += _LOOK_EVERY_S
        if quiet >= _SIGN_OF_LIFE_S:
            yield ": still here\n\n"
            quiet = 0.0


def _out(desk: Any, job: Job) -> JobOut:
    reply = None
    if job.seq is not None and job.is_over:
        with desk.sessions.using(job.session) as session:
            reply = Reply(**{**changed(session, job.flips, None), "seq": job.seq})
    return JobOut(
        id=job.id,
        session=job.session,
        state=job.state,  # type: ignore[arg-type]  # a Literal of these
        done=job.done,
        expected=job.expected,
        error=None if job.error is None else body_of(job.error, desk.settings)["error"],
        reply=reply,
    )
