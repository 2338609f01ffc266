"""`anytomy view`: pictures of a result that a person can judge."""

from __future__ import annotations

import os
import time as clock
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from rich.console import Console

    from anytomy.cli.results import Found

KINDS = ("sheet", "planes", "surface")


def view(
    result: Annotated[
        Path, typer.Argument(help="A label map or DICOM segmentation, or the manifest (.json) beside it.")
    ],
    image: Annotated[
        Path | None, typer.Option(help="What it was drawn on; that of the manifest by default.")
    ] = None,
    no_image: Annotated[bool, typer.Option("--no-image", help="Show the masks alone, on black.")] = False,
    output: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            metavar="PATH",
            help="Folder (ending in /), or a PNG or JPEG for one picture; beside the result.",
        ),
    ] = None,
    kind: Annotated[str, typer.Option(help="sheet, planes, surface or all.")] = "all",
    only: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Show this object (name or id); repeatable.")
    ] = None,
    axis: Annotated[
        str | None, typer.Option(help="The file's axis to look along in the sheet: x, y or z.")
    ] = None,
    intensity: Annotated[
        str,
        typer.Option(help="auto, ct:soft|lung|brain|bone, window:WIDTH,LEVEL, percentile:LOW,HIGH or none."),
    ] = "auto",
    series: Annotated[str | None, typer.Option(help="DICOM series of the image.")] = None,
    time: Annotated[int | None, typer.Option(help="Time point of the image (from 0).")] = None,
    channel: Annotated[int | None, typer.Option(help="Channel of the image (from 0).")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")] = False,
) -> None:
    """Draw a result: a sheet of slices, three planes and the surfaces of all objects; an overlay in 2D.

    Image, prompts and names come from the manifest that `anytomy segment` leaves beside a result.

    Example: anytomy view liver.nii.gz

    Example: anytomy view labels.nii.gz --image scan.nii.gz --kind surface -o organs.png
    """
    from anytomy.cli.output import emit
    from anytomy.cli.results import Source, open_result
    from anytomy.cli.safety import check_targets, sources
    from anytomy.core.intensity import IntensityPolicy
    from anytomy.report.draw import check_picture, save_picture

    if intensity.strip().lower() != "auto":
        IntensityPolicy.parse(intensity)
    _check_kind(kind)
    source = Source(image, no_image, series, time, channel, intensity, axis, tuple(only or ()))
    found = open_result(result, source)
    targets = _targets(found, result, kind, output)
    for target in targets.values():
        check_picture(target)
    check_targets(
        [(f"the {name}", target) for name, target in targets.items()],
        [part for file in found.files for part in sources(file)],
    )
    pictures: list[dict[str, Any]] = []
    for name, target in targets.items():
        started = clock.perf_counter()
        picture = _draw(found, name)
        save_picture(target, picture)
        pictures.append(
            {
                "kind": name,
                "path": str(target),
                "size": [picture.shape[1], picture.shape[0]],
                "seconds": round(clock.perf_counter() - started, 3),
            }
        )
    data = {
        "result": str(result),
        "image": None if found.grey is None else str(found.image.path),
        "objects": _objects(found),
        "pictures": pictures,
    }
    emit("view", data, as_json=as_json, render=lambda console: _render(console, data))


def _check_kind(kind: str) -> None:
    from anytomy.core.errors import OptionError

    if kind not in (*KINDS, "all"):
        raise OptionError(f"expected a kind of {', '.join(KINDS)} or all, got {kind!r}")


def _targets(found: Found, result: Path, kind: str, output: str | None) -> dict[str, Path]:
    """The pictures to draw and where they go.

    Raises:
        OptionError: For a body of a flat image, or one file for several pictures.
    """
    from anytomy.core.errors import OptionError
    from anytomy.io.detect import stem

    kinds = KINDS if kind == "all" else (kind,)
    if not found.image.is_volume:
        if kind in ("planes", "surface"):
            raise OptionError(f"--kind {kind} needs a volume, and {result} is 2D", hint="leave it out")
        kinds = ("overlay",)
    elif kind == "all" and min(found.image.geometry.size_xyz) == 1:
        kinds = ("sheet",)
    name = stem(Path(result.stem) if result.suffix.lower() == ".json" else result)
    if output is not None and _is_file(output):
        if len(kinds) > 1:
            raise OptionError(
                f"there are {len(kinds)} pictures for one file, {output}",
                hint=f"choose one with --kind ({', '.join(kinds)}), or give -o a folder",
            )
        return {kinds[0]: Path(output)}
    folder = result.parent if output is None else Path(output)
    return {each: folder / f"{name}_{each}.png" for each in kinds}


def _is_file(output: str) -> bool:
    """Whether a picture is meant, and not a folder for pictures."""
    return bool(Path(output).suffix) and not output.endswith(("/", os.sep)) and not Path(output).is_dir()


def _draw(found: Found, kind: str) -> NDArray[np.uint8]:
    from anytomy.report.draw import colour_of

    colours = [colour_of(place) for place in found.places]
    if kind == "surface":
        from anytomy.report.surface import surface

        return surface(found.image, found.prediction, colours=colours)
    if kind == "planes":
        from anytomy.report.planes import planes

        return planes(found.image, found.prediction, found.grey, colours=colours)
    from anytomy.report.preview import picture

    return picture(found.image, found.prediction, found.grey, colours=colours)


def _objects(found: Found) -> list[dict[str, Any]]:
    shown = []
    x, y, z = found.image.geometry.spacing_xyz_mm
    prediction = found.prediction
    for id_, name, mask in zip(prediction.ids, prediction.names, prediction.masks.objects, strict=True):
        entry: dict[str, Any] = {"id": id_, "name": name, "voxels": mask.voxels}
        if found.image.is_volume and found.image.has_scale:
            entry["volume_ml"] = round(mask.voxels * x * y * z / 1000, 4)
        shown.append(entry)
    return shown


def _render(console: Console, data: dict[str, Any]) -> None:
    if data["image"] is None:
        console.print("without an image; give it with --image", markup=False, soft_wrap=True)
    for each in data["pictures"]:
        console.print(f"wrote {each['path']}", markup=False, soft_wrap=True)
