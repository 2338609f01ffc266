"""A result read back with what it was made from: `open_result`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from anytomy.cli.manifest import find_manifest, image_of, outputs_of
from anytomy.core.errors import AnytomyError, GeometryError, ImageReadError, OptionError
from anytomy.core.prediction import MaskStack, ObjectMask, Prediction
from anytomy.core.prompt import Prompt
from anytomy.core.view import SliceView, axis_number

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from anytomy.core.image import Image
    from anytomy.core.intensity import GreyScale
    from anytomy.io.segments import Segments


@dataclass(frozen=True)
class Source:
    """What is to be shown, and how it is read.

    Attributes:
        image: The image, instead of the manifest's; None for that one.
        alone: Show no image.
        series: Which DICOM series of the image; None for the manifest's. So are the next two.
        time: Which time point.
        channel: Which channel.
        intensity: A policy, or `auto` for the manifest's.
        axis: The axis that slices run along; None for the manifest's.
        only: Names or ids of objects; empty for all.
    """

    image: Path | None = None
    alone: bool = False
    series: str | None = None
    time: int | None = None
    channel: int | None = None
    intensity: str = "auto"
    axis: str | None = None
    only: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Found:
    """A result to look at.

    Attributes:
        image: What it was drawn on; its own label map where there is no image.
        grey: Values to grey levels; None where there is no image.
        prediction: Objects and prompts. An object without a prompt has one that draws nothing.
        places: Where each object stands among all in the file, from 0: its colour.
        files: All that was read.
    """

    image: Image
    grey: GreyScale | None
    prediction: Prediction
    places: tuple[int, ...]
    files: tuple[Path, ...]


@dataclass(frozen=True, eq=False)
class _Object:
    id: int
    name: str | None
    mask: ObjectMask


def open_result(path: Path, source: Source) -> Found:
    """Read a label map or a manifest, and the image and the prompts that the manifest names.

    Raises:
        ImageReadError: If a file cannot be read, is no label map or no manifest, or holds no object.
        GeometryError: If the image has another grid.
        OptionError: If there is no object of a wanted name, or an option has no such value.
    """
    axis = None if source.axis is None else axis_number(source.axis)
    if source.image is not None and source.alone:
        raise OptionError("there are --image and --no-image", hint="give one of them")
    where, manifest = find_manifest(path)
    masks = outputs_of(where, manifest) if path == where else [path]
    image_path = None if source.alone else source.image or image_of(path, where, manifest)
    made = manifest.get("options") or {}
    image = None if image_path is None else _read_image(image_path, source, made)
    label_image, objects = _objects(masks, manifest, image, where)
    shown = image or label_image
    if axis is None or not shown.is_volume:
        axis = axis_number(str(made.get("axis", "z"))) if shown.is_volume else 2
    prompts = _prompts(objects, manifest, axis_number(str(made.get("axis", "z"))), axis, where, shown)
    places = _chosen(objects, source.only, path)
    view = SliceView.canonical(shown.geometry, axis)
    stack = MaskStack(
        [_in_view(objects[place].mask, view) for place in places],
        is_volume=shown.is_volume,
        shape_zyx=shown.geometry.shape_zyx,
    )
    prediction = Prediction(
        geometry=shown.geometry,
        is_volume=shown.is_volume,
        masks=stack,
        label_map=label_image.array,
        prompts=tuple(prompts[place] for place in places),
        scores=(0.0,) * len(places),
    )
    grey = None if image is None else _grey(image, source.intensity, manifest)
    read = [*masks, *([where] if where else []), *([image_path] if image_path else [])]
    return Found(shown, grey, prediction, tuple(places), tuple(read))


# -- the image ----------------------------------------------------------------------------------


def _read_image(path: Path, source: Source, made: dict[str, Any]) -> Image:
    from anytomy.io.read import read

    chosen = {key: getattr(source, key) for key in ("series", "time", "channel")}
    if source.image is None:  # the same part of the same file
        chosen = {key: made.get(key) if value is None else value for key, value in chosen.items()}
    return read(path, **chosen)


def _grey(image: Image, option: str, manifest: dict[str, Any]) -> GreyScale:
    """Grey levels as the model saw them, or as was asked for."""
    from anytomy.core.intensity import choose_policy
    from anytomy.zoo.registry import card

    if option.strip().lower() == "auto":
        option = str((manifest.get("intensity") or {}).get("policy") or "auto")
    return choose_policy(image, card("litemedsam").intensity, option).policy.fit(image)


# -- objects -------------------------------------------------------------------------------------


def _objects(
    masks: Sequence[Path], manifest: dict[str, Any], image: Image | None, where: Path | None
) -> tuple[Image, list[_Object]]:
    """A label map as image, and the objects with the names that the manifest or the file gives them."""
    from anytomy.io.objects import read_objects

    described = [
        entry for entry in manifest.get("objects") or () if isinstance(entry, dict) and "id" in entry
    ]
    ids = {int(entry["id"]): str(entry.get("name") or "") for entry in described}
    outputs = [path.name for path in outputs_of(where, manifest)] if where else []
    found: list[_Object] = []
    for path in masks:
        labels, segments = read_objects(path)
        if image is not None:
            segments = _placed(segments, labels, image)
        parts = [
            _Object(number, name, mask)
            for number, name, mask in zip(
                segments.numbers, segments.names, segments.masks.objects, strict=True
            )
        ]
        if len(outputs) > 1 and path.name in outputs and len(outputs) == len(ids):
            # A file of its own: zeros and ones.
            number, name = list(ids.items())[outputs.index(path.name)]
            empty = ObjectMask(SliceView.stored(segments.geometry))
            parts = [_Object(number, name, parts[0].mask if parts else empty)]
        elif labels.format == "dicom-seg" and len(ids) == len(parts):
            # Segments are numbered from 1, whatever the ids were.
            parts = [replace(p, id=i, name=n) for p, (i, n) in zip(parts, ids.items(), strict=True)]
        else:
            parts = [replace(part, name=ids.get(part.id) or part.name or None) for part in parts]
            there = {part.id for part in parts}
            view = SliceView.stored(segments.geometry)
            parts += [_Object(i, n, ObjectMask(view)) for i, n in ids.items() if i not in there]
            order = list(ids)
            parts.sort(key=lambda p: (order.index(p.id) if p.id in ids else len(order), p.id))
        found += parts
    return labels, found


def _placed(segments: Segments, labels: Image, image: Image) -> Segments:
    """The segments on the image's grid.

    Raises:
        GeometryError: If they have another one.
    """
    hint = "give the image that it was made from, or show the masks alone with --no-image"
    mine, other = labels.geometry.size_xyz, image.geometry.size_xyz
    if labels.has_place and image.has_place and segments.is_volume and image.is_volume:
        try:
            return segments.on(image.geometry)
        except GeometryError as error:
            if mine != other:
                raise _another_grid(labels, image, hint) from error
            raise GeometryError(
                f"{labels.name} and {image.name} do not lie in the same place", hint=hint
            ) from error
    if mine != other:
        raise _another_grid(labels, image, hint)
    # Formats for pictures say nothing of a place.
    view = SliceView.stored(image.geometry)
    masks = [_in_view(mask, view) for mask in segments.masks.objects]
    stack = MaskStack(masks, is_volume=image.is_volume, shape_zyx=image.geometry.shape_zyx)
    return replace(segments, geometry=image.geometry, is_volume=image.is_volume, masks=stack)


def _another_grid(labels: Image, image: Image, hint: str) -> GeometryError:
    sizes = [" x ".join(str(n) for n in each.geometry.size_xyz) for each in (labels, image)]
    return GeometryError(
        f"{labels.name} has {sizes[0]} voxels and {image.name} {sizes[1]}, expected one grid", hint=hint
    )


def _in_view(mask: ObjectMask, view: SliceView) -> ObjectMask:
    """The same mask in the slices of another view."""
    if mask.view == view:
        return mask
    moved = ObjectMask(view)
    if mask.slices:
        for index, plane in enumerate(view.apply(mask.expand())):
            moved.set(index, plane)
    return moved


def _chosen(objects: Sequence[_Object], only: Sequence[str], path: Path) -> list[int]:
    """Places of the wanted objects.

    Raises:
        OptionError: If there is none of a name.
        ImageReadError: If nothing is there to be seen.
    """
    names = [each.name or f"object {each.id}" for each in objects]
    places: list[int] = []
    for wanted in only:
        found = [
            place
            for place, (name, each) in enumerate(zip(names, objects, strict=True))
            if wanted.strip().casefold() in (name.casefold(), str(each.id))
        ]
        if not found:
            raise OptionError(
                f"there is no object {wanted!r} in {path}",
                hint=f"it holds {', '.join(names[:20]) or 'none'}" + (", ..." if len(names) > 20 else ""),
            )
        places += found
    places = sorted(set(places)) if only else list(range(len(objects)))
    if not any(objects[place].mask.slices for place in places):
        what = ", ".join(names[place] for place in places) if only else ""
        raise ImageReadError(
            f"{path} holds nothing of {what}" if what else f"{path} holds no object: all voxels are 0",
            hint="there is nothing to be shown",
        )
    return places


# -- prompts -------------------------------------------------------------------------------------


def _prompts(
    objects: Sequence[_Object],
    manifest: dict[str, Any],
    made_along: int,
    shown_along: int,
    where: Path | None,
    image: Image,
) -> list[Prompt]:
    """One prompt for each object: the manifest's, or one that draws nothing."""
    from anytomy.io.prompts import prompts_from_dict
    from anytomy.report.signs import in_space

    entries = [dict(each) for each in manifest.get("prompts") or () if isinstance(each, dict)]
    for entry in entries:
        entry.pop("mask", None)  # the manifest says that there was one, not which
    entries = [entry for entry in entries if entry.get("box") or entry.get("points")]
    asked: dict[int | None, Prompt] = {}
    if entries:
        try:
            read = prompts_from_dict({"objects": entries}, is_volume=image.is_volume, source=str(where))
        except AnytomyError as error:
            raise ImageReadError(f"cannot use the manifest: {error.message}", hint=error.hint) from error
        asked = {prompt.id: prompt for prompt in read}
    found = []
    for each in objects:
        prompt = asked.get(each.id)
        if prompt is not None and image.is_volume and made_along != shown_along:
            # Its two numbers ran along other axes than those of the slices to be shown.
            signs = in_space(prompt, made_along)
            points = tuple(tuple(float(v) for v in point) for point in signs.points)
            lost = signs.box is None and not points
            prompt = None if lost else Prompt(box=signs.box, points=points, labels=prompt.labels, id=each.id)
        if prompt is None:
            prompt = Prompt(mask=np.ones((1, 1), dtype=bool), id=each.id)
        found.append(replace(prompt, id=each.id, name=each.name))
    return found
