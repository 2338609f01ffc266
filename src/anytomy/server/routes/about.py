"""Health and models."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from anytomy import __version__
from anytomy.server.routes.access import TheDesk

router = APIRouter(tags=["about"])


@router.get("/health")
def health(desk: TheDesk) -> dict[str, Any]:
    """Whether it works, and its versions."""
    return {"status": "ok", "anytomy": __version__, "api": 1, "live_sessions": desk.sessions.live}


@router.get("/models")
def models(desk: TheDesk) -> list[dict[str, Any]]:
    """The models that are here, the prompts that each understands, and why it refuses others."""
    return [desk.models.describe(reference) for reference in desk.models.offered()]
