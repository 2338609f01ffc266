"""Teachers that are wrong in a known way, around a model that is right: what they must not do is teach."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from anytomy.engine.model import Decoded
from anytomy.predict.model import Model

if TYPE_CHECKING:
    from anytomy.engine.frame import PlanePrompt
    from anytomy.engine.model import Embedding

_SURE = 8.0


class Blobs(Model):
    """Answers each box with discs of random places and sizes in it, always the same for the same box."""

    def decode(self, embedding: Embedding, prompt: PlanePrompt) -> Decoded:
        """See `PromptableModel`."""
        shape = (embedding.frame.height, embedding.frame.width)
        x0, y0, x1, y1 = prompt.box or (0.0, 0.0, float(shape[1]), float(shape[0]))
        rng = np.random.default_rng([round(v) for v in (x0, y0, x1, y1)])
        y, x = np.indices(shape)
        inside = np.zeros(shape, dtype=bool)
        for _ in range(int(rng.integers(1, 4))):
            column, row = rng.uniform(x0, x1), rng.uniform(y0, y1)
            inside |= np.hypot(x - column, y - row) < rng.uniform(0.1, 0.5) * max(x1 - x0, y1 - y0)
        return Decoded(np.where(inside, _SURE, -_SURE).astype(np.float32), 0.95)


class Shifted(Model):
    """Answers as the model does, but a quarter of the box's size to the lower right."""

    def decode(self, embedding: Embedding, prompt: PlanePrompt) -> Decoded:
        """See `PromptableModel`."""
        found = super().decode(embedding, prompt)
        x0, y0, x1, y1 = prompt.box or (0.0, 0.0, 4.0, 4.0)
        down, right = max(round((y1 - y0) / 4), 1), max(round((x1 - x0) / 4), 1)
        moved = np.full_like(found.logits, -_SURE)
        moved[down:, right:] = found.logits[:-down, :-right]
        return Decoded(moved, found.score)


WRONG = {"blobs": Blobs, "shifted": Shifted}


def made_wrong(name: str, model: Model) -> Model:
    """A wrong teacher around a model, by its name."""
    return WRONG[name](
        model.card,
        model.engine,
        weights_sha256=model.weights_sha256,
        encoder_sha256=model.encoder_sha256,
        cache=model.cache,
    )
