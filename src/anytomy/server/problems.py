"""Errors as HTTP answers: one line, what to do, a status; never a traceback or a path of the machine."""

from __future__ import annotations

import logging
import traceback
from typing import TYPE_CHECKING, Any

from anytomy.core.errors import (
    AnytomyError,
    FetchError,
    InputError,
    MissingDependencyError,
    ModelError,
    OutputError,
)

if TYPE_CHECKING:
    from fastapi import FastAPI, Request
    from fastapi.responses import JSONResponse

    from anytomy.server.settings import Settings

log = logging.getLogger("anytomy.server")


class NotFoundError(InputError):
    """There is no such case, session, job or slice."""


class ConflictError(InputError):
    """It cannot be done in the present state: a locked label, nothing to undo."""


class BusyError(AnytomyError):
    """Too much of this client waits already."""


class TooLargeError(InputError):
    """More than the server takes."""


_STATUS: tuple[tuple[type[Exception], int], ...] = (
    (NotFoundError, 404),
    (ConflictError, 409),
    (BusyError, 429),
    (TooLargeError, 413),
    (MissingDependencyError, 501),
    (FetchError, 503),
    (OutputError, 409),
    (ModelError, 422),
    (AnytomyError, 422),
)


def status_of(error: AnytomyError) -> int:
    """The HTTP status of an error."""
    return next(status for kind, status in _STATUS if isinstance(error, kind))


def body(kind: str, message: str, hint: str | None = None) -> dict[str, Any]:
    """What every refusal looks like."""
    return {"error": {"kind": kind, "message": message, "hint": hint}}


def body_of(error: Exception, settings: Settings) -> dict[str, Any]:
    """An error as an answer; of an unforeseen one only that it happened."""
    if not isinstance(error, AnytomyError):
        return body("Unforeseen", "something went wrong that should not", "this is a bug of ours")
    message, hint = (_without_paths(text, settings) for text in (error.message, error.hint or ""))
    return body(type(error).__name__, message, hint or None)


def _without_paths(text: str, settings: Settings) -> str:
    """Paths from their root on: where things lie on the machine is nobody's business."""
    folders = [root if root.is_dir() else root.parent for root in settings.roots]
    for folder in [settings.state, *([settings.output] if settings.output else []), *folders]:
        text = text.replace(f"{folder}/", "").replace(str(folder), "the folder")
    return text


def record(error: BaseException) -> None:
    """Log an unforeseen error: its kind and where it arose; its message may name a patient."""
    frames = traceback.extract_tb(error.__traceback__)[-6:]
    where = " < ".join(f"{frame.name}:{frame.lineno}" for frame in reversed(frames))
    log.error("unforeseen %s at %s", type(error).__name__, where)


def install(app: FastAPI, settings: Settings) -> None:
    """Make the app answer all errors this way."""
    from fastapi.exceptions import RequestValidationError
    from fastapi.responses import JSONResponse
    from starlette.exceptions import HTTPException

    def known(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, AnytomyError)
        return JSONResponse(body_of(error, settings), status_of(error))

    def invalid(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, RequestValidationError)
        # What came is not repeated: it may be huge, or no valid JSON (NaN).
        faults = [
            ".".join(str(part)[:40] for part in fault["loc"]) + f": {fault['msg']}"
            for fault in error.errors()[:5]
        ]
        text = "; ".join(faults).encode("ascii", "backslashreplace").decode()
        return JSONResponse(body("InvalidRequest", text[:500]), 422)

    def plain(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, HTTPException)
        return JSONResponse(body("HttpError", str(error.detail)), error.status_code, headers=error.headers)

    def unforeseen(request: Request, error: Exception) -> JSONResponse:
        record(error)
        return JSONResponse(body_of(error, settings), 500)

    app.add_exception_handler(AnytomyError, known)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(HTTPException, plain)
    app.add_exception_handler(Exception, unforeseen)
