"""`/info/`, `/auth/`, `/logs/`, `/activelearning/`, and what is not here."""

from __future__ import annotations

import hmac
from typing import Annotated, Any

from fastapi import APIRouter, Body, Form, HTTPException, Path, Query, Response

from anytomy import __version__
from anytomy.server.monai_label.access import TheBureau
from anytomy.server.monai_label.asking import offers
from anytomy.server.monai_label.images import Shelf
from anytomy.server.monai_label.sampling import STRATEGIES, next_case
from anytomy.server.problems import NotFoundError
from anytomy.server.routes.access import TheDesk

router = APIRouter(tags=["MONAI Label"])
Params = Annotated[dict[str, Any] | None, Body()]


@router.get("/info/")
def info(desk: TheDesk, bureau: TheBureau) -> dict[str, Any]:
    """What a plug-in asks first: models, labels, strategies, trainers, how much is labelled."""
    shelf = Shelf(desk)
    found = offers(desk.models)
    names = [*shelf.labels, *(name for offer in found.values() for name in offer.card.classes)]
    return {
        "name": "Anytomy",
        "description": "Prompt, correct, save. For research, not a medical device.",
        "version": __version__,
        # The plug-ins need a label to click for.
        "labels": list(dict.fromkeys(names)) or ["object"],
        "models": {name: offer.to_dict() for name, offer in found.items()},
        "trainers": bureau.training.trainers(),
        "strategies": {name: {"description": words, "config": {}} for name, words in STRATEGIES.items()},
        "scoring": {},
        "train_stats": bureau.training.stats(),
        "datastore": status(shelf),
    }


def status(shelf: Shelf) -> dict[str, Any]:
    """How much is labelled."""
    saved = len(shelf.cases) - len(shelf.unlabelled)
    begun = sum(shelf.state(case).begun for case in shelf.cases)
    return {
        "total": len(shelf.cases),
        "completed": saved,
        "label_tags": {"final": saved, "original": begun},
        "train": [],
    }


@router.get("/auth/")
def login_needed(desk: TheDesk) -> dict[str, bool]:
    """Whether a plug-in has to log in."""
    return {"enabled": desk.settings.token is not None}


@router.post("/auth/token")
def login(
    desk: TheDesk,
    password: Annotated[str, Form(max_length=200, description="The server's token.")],
    username: Annotated[str, Form(max_length=200, description="Anything.")] = "",
) -> dict[str, str]:
    """The token, for those who know it: this is how a plug-in that has a login box sends it from then on."""
    token = desk.settings.token or ""
    if not token or not hmac.compare_digest(password.encode(errors="replace"), token.encode()):
        raise HTTPException(401, "that is not the token, which was printed when the server started")
    return {"access_token": token, "token_type": "bearer"}


@router.get("/auth/token/valid")
def valid() -> dict[str, bool]:
    """Answered to those only who know the token."""
    return {"valid": True}


@router.post("/activelearning/{strategy}")
def next_sample(
    desk: TheDesk, strategy: Annotated[str, Path(max_length=64)], params: Params = None
) -> dict[str, Any]:
    """The image to label next; nothing where all are labelled."""
    shelf = Shelf(desk)
    case = next_case(desk, shelf, strategy)
    return {} if case is None else {"id": case.id, **shelf.info(case)}


@router.get("/logs/", response_class=Response)
def logs(bureau: TheBureau, lines: Annotated[int, Query(ge=0, le=1000)] = 300) -> Response:
    """What the latest training and batch said; nothing else is logged here."""
    tasks = [*bureau.training.tasks.all, *bureau.batches.all]
    tasks.sort(key=lambda task: task.begun)
    said = [f"{task.id[:8]} {task.status}: {line}" for task in tasks for line in task.details]
    return Response("\n".join(said[-lines:] if lines else []) + "\n", media_type="text/plain")


@router.get("/logs/gpu")
@router.get("/ohif/")
@router.get("/model/{name:path}")
def not_here(name: str = "") -> None:
    """What other servers of the protocol have."""
    raise NotFoundError("that part of the protocol is not here", hint="see docs/server.md for what is")
