"""One object, one box, one Dice: what `zero_shot.py` and `zoom.py` repeat for every object of the data.

The model gets the tight ground-truth box and nothing else of the label. Results are kept by object and by
what was asked (view, zoom), in `runs/objects.jsonl`.
"""

from __future__ import annotations

import warnings
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from anytomy.core.errors import AnytomyError
from anytomy.core.intensity import choose_policy
from anytomy.core.prompt import Prompt
from anytomy.core.view import SliceView
from anytomy.engine.frame import PlanePrompt
from anytomy.predict.plane import decode_plane
from anytomy.predict.zoom import Zoom
from data import loaded
from ledger import Ledger, code_version, progress

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from anytomy.core.image import Image
    from anytomy.predict.model import Model
    from data import Case, Target

OBJECT = ("dataset", "image", "structure", "number")
KEYS = (*OBJECT, "view", "zoom", "code")
STEPS = ("core/intensity.py", "core/view.py", "engine/frame.py", "engine/model.py", "engine/resample.py")
CROPS = ("predict/zoom.py", "predict/plane.py")


def ledger() -> Ledger:
    """Results of all objects so far."""
    return Ledger("objects", KEYS)


@cache
def code_of(zoom: str) -> str:
    """The version of the code behind a result; read once, as the code itself is."""
    return code_version(*STEPS, *(() if zoom == "off" else CROPS))


def current(kept: Ledger) -> list[dict[str, Any]]:
    """The results of today's code."""
    versions = {zoom: code_of(zoom) for zoom in {row["zoom"] for row in kept}}
    return [row for row in kept if row["code"] == versions[row["zoom"]]]


def measure(
    model: Model,
    every: list[Case],
    asked: Sequence[tuple[str, str]],
    wanted: Callable[[dict[str, Any]], bool] = lambda row: True,
) -> Ledger:
    """Measure what is not in the ledger yet.

    Args:
        model: The model.
        every: The cases.
        asked: Views and zooms (`off`, `auto` or a factor). `canonical` goes through `Model.segment`;
            `stored` shows the slice as the file has it, where that is another picture.
        wanted: Which objects, from box and image size (a row without results).
    """
    kept = ledger()
    with progress("objects", len(every)) as step:
        for case, image, targets in _readable(every, step):
            for view, zoom in asked:
                if view == "stored" and same_view(image):
                    continue
                how = {"view": view, "zoom": zoom, "code": code_of(zoom)}
                facts = [_facts(case, image, t) for t in targets]
                left = [
                    (t, f)
                    for t, f in zip(targets, facts, strict=True)
                    if wanted(f) and kept.get(**f, **how) is None
                ]
                if left:
                    found = _find(model, image, [t for t, _ in left], view, zoom)
                    for (target, fact), (mask, score) in zip(left, found, strict=True):
                        quality = dice(mask, target.mask)
                        kept.add(**fact, **how, dice=quality, score=score)
    return kept


def dice(found: NDArray[np.bool_], true: NDArray[np.bool_]) -> float:
    """Dice coefficient; true is never empty here."""
    return float(2 * (found & true).sum() / (found.sum() + true.sum()))


def same_view(image: Image) -> bool:
    """Whether the canonical view shows the slices as they are stored."""
    return SliceView.canonical(image.geometry) == SliceView.stored(image.geometry)


def stored_slice(image: Image, model: Model, slice_: int | None) -> NDArray[np.uint8]:
    """Grey levels of a slice as the file stores it, after the model's intensity policy."""
    grey = choose_policy(image, model.card.intensity).policy.fit(image)
    return np.ascontiguousarray(grey.apply(image.volume[slice_ or 0]))


def _readable(every: list[Case], step: Callable[[str], None]) -> Any:
    for case in every:
        try:
            yield from loaded([case])
        except AnytomyError as error:
            warnings.warn(f"left out: {error}", stacklevel=2)
        step(case.dataset)


def _facts(case: Case, image: Image, target: Target) -> dict[str, Any]:
    """What is known of an object before it is segmented."""
    return {
        "dataset": case.dataset,
        "image": case.image_path,
        "structure": target.structure,
        "number": target.number,
        "slice": target.slice,
        "box": target.box,
        "shape": target.mask.shape,
        "pixels": int(target.mask.sum()),
    }


def _find(model: Model, image: Image, targets: list[Target], view: str, zoom: str) -> list[Any]:
    """Masks `(y, x)` on the stored grid, and scores."""
    if view == "canonical":
        prompts = [Prompt(box=t.box, slice=t.slice) for t in targets]
        result = model.segment(image, prompts, zoom=zoom)
        masks = (m if t.slice is None else m[t.slice] for t, m in zip(targets, result.masks, strict=True))
        return list(zip(masks, result.scores, strict=True))
    found = []
    for target in targets:
        picture = stored_slice(image, model, target.slice)
        decoded = decode_plane(model, picture, PlanePrompt(box=target.box), Zoom.parse(zoom))
        found.append((decoded.logits > 0, decoded.score))
    return found
