"""What a client asks of a model: `offers`, `Offer.prompts`."""

from __future__ import annotations

import itertools
import json
import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anytomy.core.errors import OptionError, PromptError
from anytomy.core.prompt import Prompt
from anytomy.server.problems import NotFoundError, TooLargeError
from anytomy.server.types import MOST_POINTS

if TYPE_CHECKING:
    from anytomy.core.image import Image
    from anytomy.server.models import Models
    from anytomy.zoo.card import ModelCard


@dataclass(frozen=True)
class Offer:
    """A model under a name of the protocol.

    Attributes:
        name: In addresses.
        reference: What `Models` calls it.
        card: Its card.
        kind: `slice` (clicks, each slice by itself), `volume` (clicks, carried through the volume), `box` or
            `classes`.
    """

    name: str
    reference: str
    card: ModelCard
    kind: str

    def to_dict(self) -> dict[str, Any]:
        """As `/info/` has it."""
        said = {
            "slice": ("deepgrow", 2, "clicks on a slice; the answer is that slice"),
            "volume": ("deepgrow", 3, "clicks on any slices, carried through the volume"),
            "box": ("box", 3, "a box (`roi`: x0, x1, y0, y1, z0, z1); this model never learned clicks"),
            "classes": ("segmentation", 3, "finds its classes without prompts"),
        }
        type_, dimension, words = said[self.kind]
        return {
            "type": type_,
            "labels": {name: value for value, name in enumerate(self.card.classes, start=1)} or [],
            "dimension": dimension,
            "description": f"{self.card.title}: {words}. For research, not a medical device.",
            "config": {},
        }

    def prompts(self, params: dict[str, Any], image: Image) -> list[Prompt]:
        """The prompts in the parameters of a request; voxel indices of the image's file.

        Raises:
            PromptError: If there are none, or they are no numbers.
            TooLargeError: If there are too many.
        """
        if self.kind == "classes":
            return []
        box = _box(params.get("roi"), image)
        points, labels = _clicks(params, image)
        if box is not None and self.kind == "box":
            return [Prompt(box=box)]
        if not any(labels):
            raise PromptError("there is no foreground click", hint="set one inside of the structure")
        if self.kind == "volume" or not image.is_volume:
            return [Prompt(points=tuple(points), labels=tuple(labels), box=box)]
        return _by_slice(points, labels)

    def strategy(self, image: Image) -> str:
        """How it is carried through a volume."""
        return "propagate" if self.kind == "volume" and image.is_volume else "auto"


def offers(models: Models) -> dict[str, Offer]:
    """The models of a server by their names in the protocol."""
    found = []
    for reference in models.offered():
        card, name = models.card(reference), _plain(reference)
        if "points" in card.prompts:
            found += [
                Offer(name, reference, card, "slice"),
                Offer(f"{name}-volume", reference, card, "volume"),
            ]
        else:
            found.append(Offer(name, reference, card, "box"))
    found += [Offer(_plain(each), each, models.card(each), "classes") for each in models.finders()]
    return {offer.name: offer for offer in found}


def offer(models: Models, name: str) -> Offer:
    """One of them.

    Raises:
        NotFoundError: If there is none of that name.
    """
    found = offers(models).get(name)
    if found is None:
        raise NotFoundError("there is no such model", hint="list them at /info/")
    return found


def parsed(text: str) -> dict[str, Any]:
    """The parameters of a request, JSON in a form field.

    Raises:
        OptionError: If they are no JSON object.
    """
    try:
        params = json.loads(text or "{}", parse_constant=_no_number, parse_float=_finite)
        json.dumps(params, ensure_ascii=False).encode()  # halves of letters have no bytes
    except (ValueError, RecursionError):
        params = None
    if not isinstance(params, dict):
        raise OptionError("expected params to be a JSON object")
    return params


def _no_number(text: str) -> float:
    raise ValueError(text)


def _finite(text: str) -> float:
    value = float(text)
    return value if math.isfinite(value) else _no_number(text)


def _plain(reference: str) -> str:
    """A reference without the path of an adapter's folder."""
    base, plus, folder = reference.partition("+")
    text = f"{base}-{Path(folder).name}" if plus else Path(base).name
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", text)


def _clicks(params: dict[str, Any], image: Image) -> tuple[list[tuple[float, ...]], list[int]]:
    """All clicks, foreground first; `points` with `point_labels` as well."""
    groups = [(params.get("foreground"), 1), (params.get("background"), 0)]
    given = params.get("points")
    if given is not None:
        kinds = params.get("point_labels")
        kinds = [1] * len(_listed(given)) if kinds is None else _listed(kinds)
        if len(kinds) != len(_listed(given)) or any(kind not in (0, 1) for kind in kinds):
            raise PromptError("expected a 0 or a 1 in point_labels for each of the points")
        groups += [([p], int(kind)) for p, kind in zip(given, kinds, strict=True)]
    points: list[tuple[float, ...]] = []
    labels: list[int] = []
    for listed, kind in groups:
        for point in _listed(listed):
            if len(points) >= MOST_POINTS:
                raise TooLargeError(f"expected at most {MOST_POINTS} clicks")
            numbers = _numbers(point, (2, 3))
            points.append(numbers[:2] if not image.is_volume else numbers)
            labels.append(kind)
            if image.is_volume and len(numbers) != 3:
                raise PromptError("expected three numbers for a click in a volume: x, y, z")
    return points, labels


def _by_slice(points: list[tuple[float, ...]], labels: list[int]) -> list[Prompt]:
    """A prompt for each slice with a click inside; each is answered by itself."""
    clicks = sorted(zip(points, labels, strict=True), key=lambda click: click[0][2])
    prompts = []
    for _, group in itertools.groupby(clicks, key=lambda click: click[0][2]):
        here = list(group)
        if any(kind for _, kind in here):
            prompts.append(Prompt(points=tuple(p for p, _ in here), labels=tuple(kind for _, kind in here)))
    return prompts


def _box(roi: Any, image: Image) -> tuple[float, ...] | None:
    """A region as the plug-ins send it: for each axis both ends, the last voxel included, in any order."""
    if roi is None or roi == []:
        return None
    numbers = _numbers(roi, (6,) if image.is_volume else (4, 6))
    pairs = [sorted(numbers[at : at + 2]) for at in range(0, len(numbers), 2)][: 3 if image.is_volume else 2]
    size = image.geometry.size_xyz
    low = [max(low, 0.0) for low, _ in pairs]
    high = [min(high + 1, float(n)) for (_, high), n in zip(pairs, size, strict=False)]
    return (*low, *high)


def _listed(value: Any) -> list[Any]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise PromptError("expected a list of clicks")
    return value


def _numbers(value: Any, counts: tuple[int, ...]) -> tuple[float, ...]:
    plain = isinstance(value, list) and len(value) in counts
    if not plain or any(isinstance(v, bool) or not isinstance(v, int | float) for v in value):
        raise PromptError(f"expected a list of {' or '.join(str(n) for n in counts)} numbers")
    if any(abs(v) > 1e6 for v in value):
        raise PromptError("expected voxel indices of the image")
    return tuple(float(v) for v in value)
