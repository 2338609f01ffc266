"""What changes masks: prompts, drawing by hand, clearing, undo, redo, restore."""

from __future__ import annotations

import asyncio
from typing import Any

from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool

from anytomy.core.errors import PromptError
from anytomy.server.gaps import fill_gaps
from anytomy.server.replies import changed
from anytomy.server.routes.access import LongId, TheDesk
from anytomy.server.routes.sessions import check_slice
from anytomy.server.session import Session
from anytomy.server.types import (
    Action,
    Clearing,
    Interpolation,
    NewDrawing,
    NewPrompt,
    Reply,
    Restoring,
)

router = APIRouter(tags=["actions"])


@router.post("/sessions/{session_id}/prompts")
async def prompt(desk: TheDesk, session_id: LongId, asked: NewPrompt) -> Reply:
    """Say something about a label on a slice; the model's answer is drawn."""
    if asked.box is None and not asked.points:
        raise PromptError("there is no box and no point", hint="give one of them")
    # Waits without holding a thread, so that slices for the screen always find one.
    session = await run_in_threadpool(desk.sessions.take, session_id)
    try:
        shown = _shown(session, asked, (asked.axis, asked.slice))
        future = await run_in_threadpool(desk.prompt, session, asked)
        flips, score = await asyncio.wrap_future(future)
        return await run_in_threadpool(_reply, session, flips, shown, score=score)
    finally:
        await run_in_threadpool(desk.sessions.give_back, session)


@router.post("/sessions/{session_id}/drawings")
def draw(desk: TheDesk, session_id: LongId, asked: NewDrawing) -> Reply:
    """Brush, eraser, polygon or lasso, as bits of a part of a slice."""
    with desk.sessions.using(session_id) as session:
        shown = _shown(session, asked, (asked.axis, asked.slice))
        place = asked.label, asked.axis, asked.slice
        return _reply(session, session.draw(place, asked.box, asked.data, asked.mode, asked.who), shown)


@router.post("/sessions/{session_id}/clear")
def clear(desk: TheDesk, session_id: LongId, asked: Clearing) -> Reply:
    """Empty a label, or one slice of it, and forget its prompts there."""
    if (asked.axis is None) != (asked.slice is None):
        raise PromptError("there is an axis without a slice, or a slice without an axis")
    with desk.sessions.using(session_id) as session:
        shown = _shown(session, asked, None)
        if asked.axis is not None and asked.slice is not None:
            check_slice(session, asked.axis, asked.slice)
        return _reply(session, session.clear(asked.label, asked.axis, asked.slice, asked.who), shown)


@router.post("/sessions/{session_id}/interpolate")
def interpolate(desk: TheDesk, session_id: LongId, asked: Interpolation) -> Reply:
    """Fill the slices between those of a label by the shape of their neighbours; no model is asked."""
    with desk.sessions.using(session_id) as session:
        shown = _shown(session, asked, None)
        flips = fill_gaps(session, asked.label, asked.axis, asked.range, asked.who)
        return _reply(session, flips, shown)


@router.post("/sessions/{session_id}/undo")
def undo(desk: TheDesk, session_id: LongId, asked: Action) -> Reply:
    """Take the latest action back."""
    return _move(desk, session_id, "undo", None, asked)


@router.post("/sessions/{session_id}/redo")
def redo(desk: TheDesk, session_id: LongId, asked: Action) -> Reply:
    """Do again what was undone last."""
    return _move(desk, session_id, "redo", None, asked)


@router.post("/sessions/{session_id}/restore")
def restore(desk: TheDesk, session_id: LongId, asked: Restoring) -> Reply:
    """Bring the state after any earlier action back."""
    return _move(desk, session_id, "restore", asked.seq, asked)


def _move(desk: Any, session_id: str, kind: str, seq: int | None, asked: Action) -> Reply:
    with desk.sessions.using(session_id) as session:
        shown = _shown(session, asked, None)
        return _reply(session, session.move(kind, seq, asked.who), shown)


def _shown(session: Session, asked: Action, otherwise: tuple[str, int] | None) -> tuple[str, int] | None:
    """The slice whose bits are wanted, checked before anything is done."""
    shown = otherwise if asked.show is None else (asked.show.axis, asked.show.slice)
    for place in (otherwise, shown):
        if place is not None:
            check_slice(session, *place)
    return shown


def _reply(session: Session, flips: Any, shown: tuple[str, int] | None, **more: Any) -> Reply:
    return Reply(**changed(session, flips, shown), **more)
