"""The objects in one window: points on a grid, and of their masks those that the model is sure of.

Masks are sorted out at the resolution of the decoder; only what stays is enlarged to the picture, and of it
only the part that it covers.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from anytomy.predict.automatic.instance import Instance, suppress, tight
from anytomy.predict.automatic.windows import Window

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from anytomy.engine.model import Proposals, ProposingModel
    from anytomy.predict.automatic.settings import AutomaticSettings

# Pixels of the decoder's output around a mask that decide where its edge lies in the picture.
_RIM = 2
# A mask that ends this many of the decoder's pixels before a side may well go on behind it.
_NEAR = 1


@dataclass(frozen=True, eq=False)
class _Low:
    """A mask in the decoder's pixels, and the logits that it came from, with a rim."""

    instance: Instance
    logits: NDArray[np.float16]
    place: Window


def find_in_window(
    model: ProposingModel,
    picture: NDArray[np.uint8],
    window: Window,
    points: NDArray[np.float64],
    settings: AutomaticSettings,
    step: Callable[[int], None],
) -> list[Instance]:
    """The objects in a window of a picture, each once, in the picture's pixels.

    Args:
        model: What answers.
        picture: uint8 `(y, x[, c])`, as the model should see it.
        window: Where to look.
        points: `(n, 2)`, x and y in the window's pixels.
        settings: Filters, of this model.
        step: Told how many points were answered, after each batch.
    """
    embedding = model.encode(np.ascontiguousarray(picture[window.part]))
    frame = embedding.frame
    rows = columns = np.zeros((0, 0), dtype=np.float32)
    found: list[_Low] = []
    for start in range(0, len(points), max(model.batch, 1)):
        some = points[start : start + max(model.batch, 1)]
        proposals = model.propose(embedding, some)
        if not rows.size:
            rows, columns = frame.logit_weights(proposals.logits.shape[-1])
        seen = (_reach(rows), _reach(columns))
        found += _sure(proposals, some, seen, settings)
        step(len(some))
    lows = [each.instance for each in found]
    inner = window.inner_sides((picture.shape[0], picture.shape[1]))
    out = []
    for kept in suppress(lows, settings.duplicate):
        each = _enlarged(found[kept], rows, columns, window)
        if each is not None:
            out.append(_marked(each, found[kept].instance.box, inner, (_reach(rows), _reach(columns))))
    return out


def _reach(weights: NDArray[np.float32]) -> int:
    """How many rows (columns) of the decoder's output show the picture; behind them is padding."""
    return int(np.flatnonzero(weights.any(axis=0))[-1]) + 1


def _sure(
    proposals: Proposals,
    points: NDArray[np.float64],
    seen: tuple[int, int],
    settings: AutomaticSettings,
) -> Iterator[_Low]:
    """The masks of a batch that pass the filters."""
    assert settings.score is not None, "see for_model"
    assert settings.stability is not None, "see for_model"
    for point, token in np.argwhere(proposals.scores >= settings.score):
        logits = proposals.logits[point, token, : seen[0], : seen[1]]
        stable = stability(logits, settings.offset)
        found = tight(logits > 0) if stable >= settings.stability else None
        if found is None:
            continue
        box, mask = found
        place = Window(
            max(box.top - _RIM, 0),
            max(box.left - _RIM, 0),
            min(box.bottom + _RIM, seen[0]),
            min(box.right + _RIM, seen[1]),
        )
        x, y = points[point]
        score = float(proposals.scores[point, token])
        # Half precision keeps the sign of every logit, so that the mask stays what was judged.
        limits = np.finfo(np.float16)
        kept = logits[place.part].clip(limits.min, limits.max).astype(np.float16)
        yield _Low(Instance(box, mask, score, stable, (float(x), float(y))), kept, place)


def stability(logits: NDArray[np.float32], offset: float) -> float:
    """IoU between the masks at the thresholds `offset` and `-offset`; 0 where there is no mask at all.

    Source: Segment Anything, appendix B ("stable masks").
    """
    outer = int(np.count_nonzero(logits > -offset))
    return int(np.count_nonzero(logits > offset)) / outer if outer else 0.0


def _enlarged(
    low: _Low, rows: NDArray[np.float32], columns: NDArray[np.float32], window: Window
) -> Instance | None:
    """A mask on the pixels of the picture; None if nothing of it is left (thinner than a pixel)."""
    box, place = low.instance.box, low.place
    y = np.flatnonzero(rows[:, box.top : box.bottom].any(axis=1))
    x = np.flatnonzero(columns[:, box.left : box.right].any(axis=1))
    if not y.size or not x.size:
        return None
    down = rows[y[0] : y[-1] + 1, place.top : place.bottom]
    across = columns[x[0] : x[-1] + 1, place.left : place.right]
    mask = down @ low.logits.astype(np.float32) @ across.T > 0
    found = tight(mask, window.top + int(y[0]), window.left + int(x[0]))
    if found is None:
        return None
    point = (low.instance.point[0] + window.left, low.instance.point[1] + window.top)
    return Instance(*found, low.instance.score, low.instance.stability, point)


def _marked(
    each: Instance, low: Window, inner: tuple[bool, bool, bool, bool], seen: tuple[int, int]
) -> Instance:
    """The object, with whether its window cuts it."""
    near = (
        low.top <= _NEAR,
        low.left <= _NEAR,
        low.bottom >= seen[0] - _NEAR,
        low.right >= seen[1] - _NEAR,
    )
    return replace(each, cut=any(a and b for a, b in zip(near, inner, strict=True)))
