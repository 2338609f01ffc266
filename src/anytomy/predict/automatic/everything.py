"""Every object of a picture, without a prompt from a person: `segment_everything`.

Source: Kirillov et al., Segment Anything (arXiv 2304.02643), appendix B, "automatic mask generation". Tiles
of large pictures, and objects over their borders, are ours.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from anytomy.core.errors import ModelError, OptionError
from anytomy.core.intensity import IntensityPolicy, choose_policy
from anytomy.core.prediction import MaskStack, ObjectMask
from anytomy.core.prompt import Prompt
from anytomy.core.view import SliceView, axis_number
from anytomy.engine.model import ProposingModel, check_prompt_kinds
from anytomy.predict.automatic.instance import Instance, suppress, tight
from anytomy.predict.automatic.proposals import find_in_window
from anytomy.predict.automatic.settings import AutomaticSettings
from anytomy.predict.automatic.stitching import matches, stitch
from anytomy.predict.automatic.windows import grid_points, layers_of
from anytomy.predict.cleaning import clean_mask
from anytomy.predict.result import Result

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from anytomy.core.image import Image
    from anytomy.core.intensity import GreyScale
    from anytomy.engine.model import PromptableModel
    from anytomy.zoo.card import ModelCard

OVERLAPS = ("smaller", "keep")
_MOST_OBJECTS = 65535


def segment_everything(
    model: PromptableModel,
    image: Image,
    settings: AutomaticSettings | None = None,
    *,
    intensity: str = "auto",
    axis: str = "z",
    slice_: int | None = None,
    overlap: str = "smaller",
    largest: bool = False,
    fill_holes: bool = False,
    grey: GreyScale | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Result:
    """Find every object in a picture, or in one slice of a volume.

    Args:
        model: A `ProposingModel` that learned points.
        image: What to look at.
        settings: Grid, filters, layers and tiles.
        intensity: `auto` (the model card's policy for the modality) or a policy.
        axis: The file's axis that slices run along.
        slice_: Which slice (the file's) of a volume.
        overlap: How the label map resolves overlaps: `smaller` (the smaller object lies in front, so that a
            nucleus stays visible in its cell) or `keep` (the same, but files keep objects whole).
        largest: Keep only the largest part of each object.
        fill_holes: Fill enclosed holes of each object.
        grey: The fitted intensity policy, from an earlier result on the same image.
        progress: Called with points asked so far and points in all.

    Returns:
        Objects numbered from 1 in the order of their scores; the prompt of each is the point that brought it.
        `details["stability"]` has the stability of each.

    Raises:
        UnsupportedPromptError: If the model never learned points.
        ModelError: If the model can only be asked one by one.
        OptionError: If an option has no such value, or the image is a volume and no slice is named.
    """
    started = time.perf_counter()
    settings = (settings or AutomaticSettings()).for_model(model.card)
    check_everything(model.card, image, intensity=intensity, axis=axis, slice_=slice_, overlap=overlap)
    if not isinstance(model, ProposingModel):
        raise ModelError(
            f"{model.card.title} cannot be asked about many points at once, which automatic masks need",
            hint="choose another --model (anytomy models list)",
        )
    view = SliceView.canonical(image.geometry, axis)
    choice = choose_policy(image, model.card.intensity, intensity)
    grey = grey or choice.policy.fit(image)
    shown = view.slice_to_view(slice_ or 0)
    encoded_before = getattr(model, "encodings", 0)
    picture = np.ascontiguousarray(grey.apply(view.apply(image.volume)[shown]))
    found = find_objects(model, picture, settings, progress)
    if largest or fill_holes:
        found = [_cleaned(each, largest=largest, fill_holes=fill_holes) for each in found]
    scene = _Scene(image, view, shown, axis, slice_)
    return Result(
        geometry=image.geometry,
        is_volume=image.is_volume,
        masks=scene.masks(found),
        label_map=scene.label_map(found),
        prompts=tuple(scene.prompt(each, number) for number, each in enumerate(found, start=1)),
        scores=tuple(each.score for each in found),
        overlap=overlap,
        details={
            "model": model.card.id,
            "everything": vars(settings),
            "stability": [round(each.stability, 4) for each in found],
            "axis": axis,
            "slices": 1,
            "encodings": getattr(model, "encodings", 0) - encoded_before,
            "seconds": round(time.perf_counter() - started, 3),
        },
        image=image,
        intensity=choice,
        grey=grey,
        axis=axis,
    )


def check_everything(
    card: ModelCard,
    image: Image,
    *,
    intensity: str = "auto",
    axis: str = "z",
    slice_: int | None = None,
    overlap: str = "smaller",
) -> None:
    """Find everything that is wrong with a request before a model is loaded; see `segment_everything`."""
    check_prompt_kinds(card, ("points",), "the grid of automatic masks")
    check_words(intensity=intensity, overlap=overlap)
    across = axis_number(axis)
    if not image.is_volume:
        if across != 2 or slice_ is not None:
            raise OptionError(f"{image.name} is a single picture, so there are no slices to choose from")
        return
    count = image.geometry.size_xyz[across]
    if slice_ is None:
        raise OptionError(
            f"{image.name} is a volume of {count} slices, and automatic masks are of one picture",
            hint=f"name one with --slice 0 to {count - 1}",
        )
    if not 0 <= slice_ < count:
        raise OptionError(f"expected a slice of 0 to {count - 1} for {image.name}, got {slice_}")


def check_words(*, intensity: str, overlap: str) -> None:
    """Refuse words that mean nothing whatever the image is.

    Raises:
        OptionError: For an overlap rule or intensity policy that does not exist.
    """
    if overlap not in OVERLAPS:
        raise OptionError(f"expected an overlap of {' or '.join(OVERLAPS)} for everything, got {overlap!r}")
    if intensity.strip().lower() != "auto":
        IntensityPolicy.parse(intensity)


def find_objects(
    model: ProposingModel,
    picture: NDArray[np.uint8],
    settings: AutomaticSettings,
    progress: Callable[[int, int], None] | None = None,
) -> list[Instance]:
    """The objects in a picture, each once, the one with the highest score first.

    Of the first layer, tiles are stitched; of closer looks only what no window cuts counts, since another
    layer sees the rest whole. Between layers the closest look is the better one, as the authors have it.
    """
    settings = settings.for_model(model.card)
    shape = (picture.shape[0], picture.shape[1])
    layers = layers_of(shape, model.card.input_size, settings)
    grids = [
        [grid_points(window.shape, max(settings.points >> layer, 1)) for window in windows]
        for layer, windows in enumerate(layers)
    ]
    total, done = sum(len(grid) for layer in grids for grid in layer), 0

    def step(count: int) -> None:
        nonlocal done
        done += count
        if progress is not None:
            progress(done, total)

    found: list[Instance] = []
    for layer, (windows, points) in enumerate(zip(layers, grids, strict=True)):
        each_window = [
            find_in_window(model, picture, window, grid, settings, step)
            for window, grid in zip(windows, points, strict=True)
        ]
        if layer > 0:
            each_window = [[each for each in several if not each.cut] for several in each_window]
        some = stitch(windows, each_window)
        most = settings.most * shape[0] * shape[1]
        some = [each for each in some if settings.least <= each.area <= most]
        some.sort(key=lambda each: -each.score)
        seen_again = {place for place, _ in matches(found, some)}
        found = some + [each for place, each in enumerate(found) if place not in seen_again]
    kept = [found[place] for place in suppress(found, settings.duplicate, range(len(found)))]
    return sorted(kept, key=lambda each: -each.score)[:_MOST_OBJECTS]


@dataclass(frozen=True, eq=False)
class _Scene:
    """The slice that was looked at, and the file that it belongs to."""

    image: Image
    view: SliceView
    shown: int
    axis: str
    slice_: int | None

    def masks(self, found: Sequence[Instance]) -> MaskStack:
        masks = []
        for each in found:
            masks.append(ObjectMask(self.view))
            masks[-1].set(self.shown, each.mask, top=each.box.top, left=each.box.left)
        return MaskStack(masks, is_volume=self.image.is_volume, shape_zyx=self.image.geometry.shape_zyx)

    def label_map(self, found: Sequence[Instance]) -> NDArray[Any]:
        """Numbers from 1; of two objects in a pixel that of the smaller one, of equal ones the better."""
        kind = np.uint8 if len(found) < 256 else np.uint16
        whole: NDArray[Any] = np.zeros(self.image.geometry.shape_zyx, dtype=kind)
        plane = self.view.apply(whole)[self.shown]
        areas = np.array([each.area for each in found])
        for place in sorted(range(len(found)), key=lambda i: (-areas[i], -i)):
            plane[found[place].box.part][found[place].mask] = place + 1
        return whole if self.image.is_volume else whole[0]

    def prompt(self, each: Instance, number: int) -> Prompt:
        """The point that brought an object, as a person would type it."""
        point = self.view.to_file((*each.point, self.shown))
        flat = [float(round(v, 3)) for axis, v in enumerate(point) if axis != axis_number(self.axis)]
        return Prompt(points=((flat[0], flat[1]),), slice=self.slice_, id=number)


def _cleaned(each: Instance, *, largest: bool, fill_holes: bool) -> Instance:
    mask = clean_mask(each.mask[None], largest=largest, fill_holes=fill_holes)[0]
    found = tight(mask, each.box.top, each.box.left)
    return each if found is None else replace(each, box=found[0], mask=found[1])
