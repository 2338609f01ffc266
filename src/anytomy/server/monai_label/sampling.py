"""Which image should be labelled next: `STRATEGIES`, `next_case`."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from anytomy.server.problems import NotFoundError

if TYPE_CHECKING:
    from anytomy.server.cases import Case
    from anytomy.server.desk import Desk
    from anytomy.server.monai_label.images import Shelf

STRATEGIES = {
    "first": "the first image without a saved label map",
    "random": "any image without a saved label map",
    "unsure": "of the images without a saved label map the one of whose answer the model was least sure; "
    "then those that no model has answered yet, in order",
}


def next_case(desk: Desk, shelf: Shelf, strategy: str) -> Case | None:
    """The next image; None where all are labelled.

    Raises:
        NotFoundError: If there is no such strategy.
    """
    if strategy not in STRATEGIES:
        raise NotFoundError("there is no such strategy", hint=f"one of {', '.join(STRATEGIES)}")
    left = shelf.unlabelled
    if not left:
        return None
    if strategy == "random":
        return random.choice(left)
    if strategy == "unsure":
        return min(left, key=lambda case: _score(desk, shelf, case))  # of equal ones the first
    return left[0]


def _score(desk: Desk, shelf: Shelf, case: Case) -> float:
    """How sure the model was of its latest answer; above all others where it was not asked."""
    row = shelf.state(case).row
    about = None if row is None else desk.store.latest(row.id, ("import", "prompt"))
    if about is None:
        return 2.0
    if "group" in about:
        return float(about["group"]["score"])
    scores = about["imported"].get("scores") or {}
    return min(map(float, scores.values()), default=2.0)
