"""The way from an image and prompts to masks."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from anytomy.core.errors import OptionError, PromptError
from anytomy.core.intensity import IntensityPolicy, choose_policy
from anytomy.core.prompt import numbered
from anytomy.core.view import SliceView, axis_number
from anytomy.engine.model import check_prompt_kinds
from anytomy.predict.canvas import Canvas, check_overlap
from anytomy.predict.cleaning import clean_objects
from anytomy.predict.combine import combine_objects, recipes
from anytomy.predict.placing import place
from anytomy.predict.result import Result
from anytomy.predict.zoom import Zoom

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from anytomy.core.combination import Combination
    from anytomy.core.image import Image
    from anytomy.core.intensity import GreyScale
    from anytomy.core.prompt import Prompt
    from anytomy.engine.model import PromptableModel
    from anytomy.predict.combine import Recipe
    from anytomy.predict.placing import Track
    from anytomy.volumes.strategy import VolumeStrategy
    from anytomy.zoo.card import ModelCard


def segment(
    model: PromptableModel,
    image: Image,
    prompts: Iterable[Prompt],
    *,
    zoom: str | float = "off",
    intensity: str = "auto",
    axis: str = "z",
    volume: str = "authors",
    overlap: str = "higher-logit",
    largest: bool = False,
    fill_holes: bool = False,
    combine: Iterable[Combination | str] = (),
    grey: GreyScale | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Result:
    """Segment objects in an image or a volume.

    Args:
        model: What answers prompts.
        image: From `io.read`, or `Image.from_array`.
        prompts: One per object, on the file's own grid.
        zoom: `off`, `auto` or a factor: look at a crop of that many times the box.
        intensity: `auto` (the model card's policy for the modality) or a policy.
        axis: The file's axis that slices run along.
        volume: Strategy for volumes.
        overlap: How the label map resolves overlaps: `higher-logit`, `last`, `keep`.
        largest: Keep only the largest part of each object.
        fill_holes: Fill enclosed holes of each object.
        combine: Objects to make of the others, once these are cleaned:
            `"myocardium = epicardium - endocardium"`.
        grey: The fitted policy, from an earlier result on the same image; fitted here where None.
        progress: Called with slices done and slices in all.

    Raises:
        PromptError: If a prompt lies outside the image or is not one, or a combination is of unknown objects.
        UnsupportedPromptError: If the model never learned such prompts.
        OptionError: If an option has no such value.
        ImageReadError: If no voxel has a finite value.
    """
    from anytomy.volumes.strategy import Slices

    started = time.perf_counter()
    request = check_request(
        model.card,
        image,
        prompts,
        zoom=zoom,
        intensity=intensity,
        axis=axis,
        overlap=overlap,
        volume=volume,
        combine=combine,
    )
    asked, view, tracks, carry = request.prompts, request.view, request.tracks, request.strategy
    choice = choose_policy(image, model.card.intensity, intensity)
    grey = grey or choice.policy.fit(image)
    visits = carry.visits(tracks)
    canvas = Canvas(view, image.geometry.shape_zyx, asked, overlap=overlap, visits=visits)
    encoded_before = getattr(model, "encodings", 0)
    slices = Slices.of(image, view, grey)
    for done, found in enumerate(carry.run(model, slices, tracks, request.zoom), start=1):
        canvas.draw(found.track, found.slice, found.decoded)
        if progress is not None:
            progress(done, visits.total())
    ids = [int(p.id or 0) for p in asked]
    if largest or fill_holes:
        clean_objects(canvas.masks, canvas.label_map, ids, largest=largest, fill_holes=fill_holes)
    made, scores, label_map = combine_objects(
        request.recipes, canvas.masks, ids, canvas.scores, canvas.label_map
    )
    return Result(
        geometry=image.geometry,
        is_volume=image.is_volume,
        masks=canvas.stack(made, is_volume=image.is_volume),
        label_map=label_map if image.is_volume else label_map[0],
        prompts=tuple(asked),
        scores=(*canvas.scores, *scores),
        overlap=overlap,
        details={
            "model": model.card.id,
            "zoom": str(zoom),
            "axis": axis,
            "volume": carry.name if image.is_volume else None,
            "slices": len(visits),
            "encodings": getattr(model, "encodings", 0) - encoded_before,
            "seconds": round(time.perf_counter() - started, 3),
        },
        combinations=tuple(each.combination for each in request.recipes),
        image=image,
        intensity=choice,
        grey=grey,
        axis=axis,
    )


@dataclass(frozen=True, eq=False)
class Request:
    """A checked request.

    Attributes:
        prompts: Numbered.
        view: How slices are shown.
        tracks: The prompts on the view's slices.
        zoom: Parsed.
        strategy: For volumes.
        recipes: Of combined objects.
    """

    prompts: list[Prompt]
    view: SliceView
    tracks: list[Track]
    zoom: Zoom
    strategy: VolumeStrategy
    recipes: list[Recipe]


def check_request(
    card: ModelCard,
    image: Image,
    prompts: Iterable[Prompt],
    *,
    zoom: str | float = "off",
    intensity: str = "auto",
    axis: str = "z",
    overlap: str = "higher-logit",
    volume: str = "authors",
    combine: Iterable[Combination | str] = (),
) -> Request:
    """Find everything that is wrong with a request before a model is loaded; see `segment`."""
    from anytomy.volumes.registry import strategy

    asked = numbered(prompts)
    if not asked:
        raise PromptError("there is no prompt", hint="give a box, points or a prompt file")
    for prompt in asked:
        check_prompt_kinds(card, prompt.kinds, prompt.label)
    if intensity.strip().lower() != "auto":
        IntensityPolicy.parse(intensity)
    check_overlap(overlap)
    if not image.is_volume and axis_number(axis) != 2:
        raise OptionError(f"{image.name} is a single picture, so there are no slices along {axis}")
    view = SliceView.canonical(image.geometry, axis)
    tracks = [place(image, prompt, view, axis) for prompt in asked]
    return Request(asked, view, tracks, Zoom.parse(zoom), strategy(volume), recipes(asked, combine))
