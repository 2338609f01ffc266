"""Pictures of blobs, and a model that answers with the blob under a point."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import ndimage

from anytomy.engine.cache import EmbeddingCache
from anytomy.predict.model import Model
from tests.engine.tiny import EVERYTHING, card

if TYPE_CHECKING:
    from numpy.typing import NDArray

SURE, UNSURE = 0.95, 0.2


class BlobEngine:
    """Answers to a point: the connected bright pixels under it; background is an answer it is not sure of.

    Masks have the size of the input. Tokens 1 to 3 (whole, part, subpart) are: the blob, the same a bit less
    sure, and the blob with soft logits, which is not stable.
    """

    precision = "f32"
    description = "blobs cpu f32 x1"

    def __init__(self) -> None:
        self.encoded = 0
        self.asked = 0
        # What the latest embedding shows: its blobs, and the answers to points in each.
        self._seen: tuple[Any, NDArray[Any], dict[int, Any]] | None = None

    def encode(self, pixels: NDArray[np.float32]) -> NDArray[np.float32]:
        self.encoded += 1
        return pixels.mean(axis=1, keepdims=True)

    def decode(
        self,
        embedding: NDArray[np.float32],
        coords: NDArray[np.float32],
        labels: NDArray[np.float32],
        mask_input: NDArray[np.float32] | None,
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        self.asked += 1
        if self._seen is None or self._seen[0] is not embedding:
            self._seen = (embedding, ndimage.label(embedding[0, 0] > 0.5)[0], {})
        _, parts, answers = self._seen
        x, y = np.rint(coords[0, 0]).astype(int).clip(0, parts.shape[0] - 1)
        number = int(parts[y, x])
        if number not in answers:
            answers[number] = self._answer(parts == number, SURE if number else UNSURE)
        return answers[number]

    def _answer(self, inside: NDArray[np.bool_], sure: float) -> tuple[NDArray[Any], NDArray[Any]]:
        # Distance to the edge, so that the edge lies between pixels wherever it is enlarged.
        depth = ndimage.distance_transform_edt(inside) - ndimage.distance_transform_edt(~inside)
        edge = (10 * (depth - 0.5 * np.sign(depth))).astype(np.float32)
        scores = np.array([sure, sure, sure - 0.02, sure + 0.03], dtype=np.float32)
        return np.stack([edge, edge, edge + 1, edge / 100]), scores


class BatchingBlobEngine(BlobEngine):
    """The same, many points at once."""

    batch = 7

    def __init__(self) -> None:
        super().__init__()
        self.batches: list[int] = []

    def decode_many(
        self,
        embedding: NDArray[np.float32],
        coords: NDArray[np.float32],
        labels: NDArray[np.float32],
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        self.batches.append(len(coords))
        answers = [
            self.decode(embedding, c[None], k[None], None) for c, k in zip(coords, labels, strict=True)
        ]
        logits, scores = zip(*answers, strict=True)
        return np.stack(logits), np.stack(scores)


def blob_model(engine: BlobEngine | None = None, **changes: Any) -> Model:
    """A `Model` on a `BlobEngine` with an input of 64 pixels, or of `input_size`."""
    return Model(
        card(**{**EVERYTHING, **changes}),
        engine or BlobEngine(),
        weights_sha256="1" * 64,
        cache=EmbeddingCache(),
    )


def blobs(shape: tuple[int, int], centres: list[tuple[float, float]], radius: float) -> NDArray[np.uint8]:
    """A label map of discs at `(y, x)`, numbered from 1."""
    y, x = np.indices(shape)
    out = np.zeros(shape, dtype=np.uint8)
    for number, (cy, cx) in enumerate(centres, start=1):
        out[np.hypot(y - cy, x - cx) <= radius] = number
    return out


def spread(shape: tuple[int, int], rows: int, columns: int, radius: float) -> NDArray[np.uint8]:
    """Discs in the middles of `rows` x `columns` cells."""
    centres = [
        ((i + 0.5) * shape[0] / rows, (j + 0.5) * shape[1] / columns)
        for i in range(rows)
        for j in range(columns)
    ]
    return blobs(shape, centres, radius)


def matched(found: NDArray[Any], truth: NDArray[Any]) -> list[float]:
    """For each true object the IoU with the found object that it has most pixels of."""
    out = []
    for number in range(1, int(truth.max()) + 1):
        mask = truth == number
        most = np.bincount(found[mask]).argmax()
        other = found == most
        out.append(float((mask & other).sum() / (mask | other).sum()) if most else 0.0)
    return out
