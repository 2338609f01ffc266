"""Two decoders behind one image encoder: some kinds of prompts keep the base's own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from anytomy.engine.protocol import Interruptible

if TYPE_CHECKING:
    from collections.abc import Collection

    from numpy.typing import NDArray

    from anytomy.engine.protocol import BatchEngine


class RoutedEngine:
    """An `Engine` that answers prompts of some kinds as the base does.

    Args:
        tuned: Encodes, and decodes all other prompts.
        base: Decodes prompts that hold nothing but the kinds of `routes`; it is not asked to encode.
        routes: Of box, points, mask.
    """

    def __init__(self, tuned: BatchEngine, base: BatchEngine, routes: Collection[str]) -> None:
        self._tuned = tuned
        self._base = base
        self._routes = frozenset(routes)
        self.precision = tuned.precision
        self.description = tuned.description

    def encode(self, pixels: NDArray[np.float32]) -> NDArray[np.float32]:
        """See `Engine`."""
        return self._tuned.encode(pixels)

    def interrupt(self) -> None:
        """See `Interruptible`."""
        if isinstance(self._tuned, Interruptible):
            self._tuned.interrupt()

    def decode(
        self,
        embedding: NDArray[np.float32],
        coords: NDArray[np.float32],
        labels: NDArray[np.float32],
        mask_input: NDArray[np.float32] | None,
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """See `Engine`."""
        return self._decoder(labels, mask_input).decode(embedding, coords, labels, mask_input)

    @property
    def batch(self) -> int:
        """See `BatchEngine`."""
        return self._tuned.batch

    def decode_many(
        self,
        embedding: NDArray[np.float32],
        coords: NDArray[np.float32],
        labels: NDArray[np.float32],
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """See `BatchEngine`; the prompts of a call are of one kind."""
        return self._decoder(labels, None).decode_many(embedding, coords, labels)

    def _decoder(self, labels: NDArray[np.float32], mask_input: NDArray[np.float32] | None) -> BatchEngine:
        return self._base if _kinds(labels, mask_input) <= self._routes else self._tuned


def _kinds(labels: NDArray[np.float32], mask_input: NDArray[np.float32] | None) -> set[str]:
    found = {"mask"} if mask_input is not None else set()
    if np.isin(labels, (2, 3)).any():
        found.add("box")
    if np.isin(labels, (0, 1)).any():
        found.add("points")
    return found
