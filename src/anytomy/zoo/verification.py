"""Read cached weights in full and hold them against their hashes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from anytomy.core.errors import ChecksumError, ModelError
from anytomy.zoo.added import check_added
from anytomy.zoo.artifact import weights_artifact
from anytomy.zoo.registry import card, model_ids
from anytomy.zoo.store import check_cached, weights_path

__all__ = ["Verified", "verify"]


@dataclass(frozen=True)
class Verified:
    """What was found.

    Attributes:
        model_id: The model.
        state: `ok` (the published hash), `recorded` (nobody published one; it is the hash of the
            first fetch), `absent` (not cached) or `damaged`.
        path: Where the file is, or would be.
        message: What is wrong and what to do, or "".
    """

    model_id: str
    state: str
    path: Path
    message: str = ""


def verify(model_id: str | None = None) -> list[Verified]:
    """Hash the weights of one model, or of all.

    A damaged file of the cache is removed, so that it cannot be used and is fetched anew; a file
    that the user added stays.

    Args:
        model_id: A model's id, or None for all.

    Raises:
        ModelError: There is no such model, or its card is broken.
    """
    return [_verify(name) for name in ([model_id] if model_id is not None else model_ids())]


def _verify(model_id: str) -> Verified:
    found = card(model_id)
    path = weights_path(found)
    if not path.is_file() and not found.weights.path:
        return Verified(model_id, "absent", path)
    try:
        if found.weights.path:
            check_added(found, full=True)
        else:
            check_cached(weights_artifact(found))
    except (ChecksumError, ModelError) as error:
        return Verified(model_id, "damaged", path, str(error))
    return Verified(model_id, "ok" if found.weights.sha256 else "recorded", path)
