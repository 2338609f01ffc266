"""The way from an image and prompts to masks."""

from __future__ import annotations

import time
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from anytomy.core.errors import AnytomyWarning, OptionError, PromptError
from anytomy.core.intensity import IntensityPolicy, choose_policy
from anytomy.core.prediction import ClassLabel
from anytomy.core.prompt import numbered
from anytomy.core.view import SliceView, axis_number
from anytomy.engine.model import check_prompt_kinds
from anytomy.predict.canvas import Canvas, check_overlap
from anytomy.predict.cleaning import clean_objects
from anytomy.predict.combine import combine_objects, recipes
from anytomy.predict.placing import place
from anytomy.predict.result import Interrupted, Result
from anytomy.predict.zoom import Zoom

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from anytomy.core.combination import Combination
    from anytomy.core.image import Image
    from anytomy.core.intensity import GreyScale
    from anytomy.core.prediction import ObjectMask
    from anytomy.core.prompt import Prompt
    from anytomy.engine.model import PromptableModel
    from anytomy.predict.combine import Recipe
    from anytomy.predict.placing import Track
    from anytomy.volumes.strategy import VolumeStrategy
    from anytomy.zoo.card import ModelCard


def segment(
    model: PromptableModel,
    image: Image,
    prompts: Iterable[Prompt] = (),
    *,
    zoom: str | float = "off",
    intensity: str = "auto",
    axis: str = "z",
    volume: str = "auto",
    overlap: str = "higher-logit",
    largest: bool = False,
    fill_holes: bool = False,
    fit_box: bool = False,
    combine: Iterable[Combination | str] = (),
    uncertainty: bool = False,
    grey: GreyScale | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Result:
    """Segment objects in an image or a volume.

    Args:
        model: What answers prompts.
        image: From `io.read`, or `Image.from_array`.
        prompts: One per object, on the file's own grid; none for a model that finds classes.
        zoom: `off`, `auto` or a factor: look at a crop of that many times the box.
        intensity: `auto` (the model card's policy for the modality) or a policy.
        axis: The file's axis that slices run along.
        volume: Strategy for volumes.
        overlap: How the label map resolves overlaps: `higher-logit`, `last`, `keep`.
        largest: Keep only the largest part of each object.
        fill_holes: Fill enclosed holes of each object.
        fit_box: Widen masks that do not fill the box that they were prompted with (`volumes.fitted`).
        combine: Objects to make of the others, once these are cleaned:
            `"myocardium = epicardium - endocardium"`.
        uncertainty: Also map how unsure the answer is; for strategies that know (`triplanar`).
        grey: The fitted policy, from an earlier result on the same image; fitted here where None.
        progress: Called with slices done and slices in all, as far as is known; an object on a slice of any
            plane counts as one.

    Raises:
        PromptError: If a prompt lies outside the image or is not one, or a combination is of unknown objects.
        UnsupportedPromptError: If the model never learned such prompts.
        OptionError: If an option has no such value.
        ImageReadError: If no voxel has a finite value.
        Interrupted: A `KeyboardInterrupt` with what is done of a volume.
    """
    from anytomy.volumes.fitted import Fitted
    from anytomy.volumes.strategy import Slices
    from anytomy.volumes.work import Work

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
        uncertainty=uncertainty,
    )
    asked, view, tracks, carry = request.objects, request.view, request.tracks, request.strategy
    choice = choose_policy(image, model.card.intensity, intensity)
    grey = grey or choice.policy.fit(image)
    if fit_box:
        carry = Fitted(carry)
    visits = carry.visits(tracks)
    shape = image.geometry.shape_zyx
    canvas = Canvas(view, shape, asked, overlap=overlap, visits=visits, uncertainty=uncertainty)
    encoded_before = getattr(model, "encodings", 0)
    work = Work(visits.total(), progress)
    slices = Slices.of(image, view, grey, work)

    def result(made: Sequence[ObjectMask] = (), scores: Sequence[float] = (), **more: Any) -> Result:
        return Result(
            geometry=image.geometry,
            is_volume=image.is_volume,
            masks=canvas.stack(made, is_volume=image.is_volume),
            label_map=canvas.label_map if image.is_volume else canvas.label_map[0],
            prompts=tuple(request.prompts),
            classes=tuple(request.classes),
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
                **more,
            },
            combinations=tuple(each.combination for each in request.recipes) if made else (),
            image=image,
            intensity=choice,
            grey=grey,
            axis=axis,
            uncertainty=canvas.uncertainty,
        )

    try:
        for found in carry.run(model, slices, tracks, request.zoom):
            canvas.draw(found.track, found.slice, found.decoded, found.uncertainty)
    except KeyboardInterrupt as error:
        if not image.is_volume or not any(canvas.drawn):
            raise
        raise Interrupted(result(done=_ranges(canvas, view)), work.done, work.expected) from error
    ids = [int(p.id or 0) for p in asked]
    if largest or fill_holes:
        clean_objects(canvas.masks, canvas.label_map, ids, largest=largest, fill_holes=fill_holes)
    made, scores, canvas.label_map = combine_objects(
        request.recipes, canvas.masks, ids, canvas.scores, canvas.label_map
    )
    return result(made, scores)


def _ranges(canvas: Canvas, view: SliceView) -> list[list[list[int]]]:
    """For each object the ranges of the file's slices that were drawn, last + 1."""
    found = []
    for drawn in canvas.drawn:
        ranges: list[list[int]] = []
        for slice_ in sorted(view.slice_to_view(s) for s in drawn):
            if ranges and ranges[-1][1] == slice_:
                ranges[-1][1] += 1
            else:
                ranges.append([slice_, slice_ + 1])
        found.append(ranges)
    return found


@dataclass(frozen=True, eq=False)
class Request:
    """A checked request.

    Attributes:
        prompts: Numbered; none where there are classes.
        view: How slices are shown.
        tracks: The prompts on the view's slices.
        zoom: Parsed.
        strategy: For volumes.
        recipes: Of combined objects.
        classes: What the model finds without prompts.
    """

    prompts: list[Prompt]
    view: SliceView
    tracks: list[Track]
    zoom: Zoom
    strategy: VolumeStrategy
    recipes: list[Recipe]
    classes: tuple[ClassLabel, ...] = ()

    @property
    def objects(self) -> Sequence[Prompt | ClassLabel]:
        """What is looked for."""
        return self.classes or self.prompts


def check_request(
    card: ModelCard,
    image: Image,
    prompts: Iterable[Prompt],
    *,
    zoom: str | float = "off",
    intensity: str = "auto",
    axis: str = "z",
    overlap: str = "higher-logit",
    volume: str = "auto",
    combine: Iterable[Combination | str] = (),
    uncertainty: bool = False,
) -> Request:
    """Find everything that is wrong with a request before a model is loaded; see `segment`."""
    from anytomy.volumes.registry import strategy

    asked = numbered(prompts)
    if not asked and not card.classes:
        raise PromptError("there is no prompt", hint="give a box, points or a prompt file")
    for prompt in asked:
        check_prompt_kinds(card, prompt.kinds, prompt.label)
    if intensity.strip().lower() != "auto":
        IntensityPolicy.parse(intensity)
    check_overlap(overlap)
    carry = strategy(volume, uncertainty=uncertainty)
    if not image.is_volume and uncertainty:
        raise OptionError(
            f"{image.name} is a single picture, so there are no planes that could disagree",
            hint="an uncertainty can be had of volumes only",
        )
    if not image.is_volume and axis_number(axis) != 2:
        raise OptionError(f"{image.name} is a single picture, so there are no slices along {axis}")
    view = SliceView.canonical(image.geometry, axis)
    if card.classes:
        if card.student is not None:
            from anytomy.predict.student.run import student_view

            view = student_view(card.student.card, image, axis)
        _warn_of_other_slices(card, image, axis)
        return _class_request(card.classes, image, view, zoom, carry, combine)
    tracks = [place(image, prompt, view, axis) for prompt in asked]
    return Request(asked, view, tracks, Zoom.parse(zoom), carry, recipes(asked, combine))


def _warn_of_other_slices(card: ModelCard, image: Image, axis: str) -> None:
    """Say that an adapter has learned classes in slices along another axis."""
    learned = axis if card.adapter is None else card.adapter.card.training.get("axis", axis)
    if image.is_volume and learned != axis:
        warnings.warn(
            f"{card.title} was tuned on slices along the axis {learned} of its files, and {image.name} is"
            f" segmented along {axis}; give --axis {learned} if it lies as they did",
            AnytomyWarning,
            stacklevel=4,
        )


def _class_request(
    names: Sequence[str],
    image: Image,
    view: SliceView,
    zoom: str | float,
    carry: VolumeStrategy,
    combine: Iterable[Combination | str],
) -> Request:
    """A request to a model without prompts: every slice, every class."""
    from anytomy.volumes.classes import Classes

    looked = Zoom.parse(zoom)
    if looked != Zoom.parse("off"):
        raise OptionError(
            "zoom looks at a crop around a box, and this model takes none", hint="use --zoom off"
        )
    if image.is_volume and carry.name not in ("auto", Classes.name):
        raise OptionError(
            f"this model takes no prompts and goes slice by slice, so --volume {carry.name} has no meaning",
            hint="leave --volume out",
        )
    labels = tuple(ClassLabel(name, number) for number, name in enumerate(names, start=1))
    slices = Classes(len(labels), view.size[2])
    return Request([], view, [], looked, slices, recipes(labels, combine), labels)
