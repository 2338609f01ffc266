"""`anytomy info`: what a file holds and how its values would become grey levels."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from anytomy.core.image import Image
    from anytomy.core.intensity import GreyScale, PolicyChoice

_PLANES = ("sagittal", "coronal", "axial")


def info(
    path: Annotated[Path, typer.Argument(help="An image or volume, or a folder with a DICOM series.")],
    series: Annotated[
        str | None, typer.Option(help="Which series, where there are several: number or UID.")
    ] = None,
    time: Annotated[int | None, typer.Option(help="Which time point, from 0.")] = None,
    channel: Annotated[int | None, typer.Option(help="Which channel, from 0.")] = None,
    preview: Annotated[Path | None, typer.Option(help="Draw the image into this PNG or JPEG.")] = None,
    axis: Annotated[str, typer.Option(help="The file's axis to look along in the preview: x, y or z.")] = "z",
    model: Annotated[str, typer.Option(help="Whose intensity policy to show.")] = "litemedsam",
    intensity: Annotated[
        str,
        typer.Option(help="auto, ct:PRESET, window:WIDTH,LEVEL, percentile:LOW,HIGH or none."),
    ] = "auto",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")] = False,
) -> None:
    """Show what a file holds: grid, values, modality and the grey levels that a model would see.

    Example: anytomy info ct.nii.gz --preview ct.png
    """
    from anytomy.cli.output import emit
    from anytomy.cli.safety import check_targets, sources
    from anytomy.core.intensity import choose_policy, value_range
    from anytomy.core.view import axis_number
    from anytomy.io.read import read
    from anytomy.report.draw import check_picture
    from anytomy.zoo.registry import card

    policies = card(model).intensity
    axis_number(axis)
    if preview is not None:
        check_picture(preview)
        check_targets([("the preview", preview)], sources(path))
    image = read(path, series=series, time=time, channel=channel)
    choice = choose_policy(image, policies, intensity)
    grey = choice.policy.fit(image)
    data: dict[str, Any] = {
        "path": str(path),
        "format": image.format,
        "kind": "volume" if image.is_volume else "image",
        "geometry": _geometry(image),
        "values": _values(image, value_range(image)),
        "intensity": _intensity(choice, grey, model),
    }
    if image.format == "dicom-seg":
        data["segments"] = _segments(image)
    if preview is not None:
        from anytomy.report.preview import preview as draw

        draw(image, None, grey, preview, axis=axis)
        data["preview"] = str(preview)
    emit("info", data, as_json=as_json, render=lambda console: _render(console, data))


def _geometry(image: Image) -> dict[str, Any]:
    geometry = image.geometry
    used = 3 if image.is_volume else 2
    spacing = geometry.spacing_xyz_mm[:used]
    return {
        "size_xyz": list(geometry.size_xyz[:used]),
        "spacing_xyz_mm": list(spacing),
        "extent_xyz_mm": [n * s for n, s in zip(geometry.size_xyz, spacing, strict=False)],
        "origin_lps_mm": list(geometry.origin_lps_mm),
        "orientation": geometry.orientation,
        "tilt_degrees": _tilt_degrees(image),
        "slices": _PLANES[geometry.nearest_axes[2]],
        "direction": [list(row) for row in geometry.direction],
    }


def _tilt_degrees(image: Image) -> float:
    """The largest angle between an axis of the grid and the patient axis that it is nearest to."""
    import numpy as np

    matrix = image.geometry.direction_matrix
    cosines = [abs(float(matrix[p, j])) for j, p in enumerate(image.geometry.nearest_axes)]
    return round(float(np.degrees(np.arccos(min(1.0, *cosines)))), 2)


def _values(image: Image, found: tuple[float, float, int]) -> dict[str, Any]:
    low, high, bad = found
    return {
        "type": str(image.array.dtype),
        "channels": 3 if image.is_colour else 1,
        "lowest": low,
        "highest": high,
        "not_finite": bad,
    }


def _segments(image: Image) -> list[dict[str, Any]]:
    """What a DICOM segmentation holds, by the numbers in its label map."""
    found = []
    for segment, mask in zip(image.header.segments, image.header.masks.objects, strict=True):
        kind = " ".join(code.meaning for code in (*segment.modifiers, segment.type) if code)
        entry = {"number": segment.number, "name": segment.name, "voxels": mask.voxels, "type": kind}
        entry["regions"] = [code.meaning for code in segment.regions]
        found.append({**entry, "code": segment.type and f"{segment.type.value} {segment.type.scheme}"})
    return found


def _intensity(choice: PolicyChoice, grey: GreyScale, model: str) -> dict[str, Any]:
    return {
        "model": model,
        "modality": choice.modality,
        "guessed": choice.guessed,
        "why": choice.why,
        "policy": choice.policy.text,
        "black": grey.low,
        "white": grey.high,
        "as_stored": grey.keep,
    }


def _render(console: Console, data: dict[str, Any]) -> None:
    from rich.markup import escape

    from anytomy.core.image import PLACELESS

    geometry, values, intensity = data["geometry"], data["values"], data["intensity"]
    rows: list[tuple[str, str]] = []
    rows.append(("file", f"{data['path']} ({data['format']})"))
    rows.append((data["kind"], _times(geometry["size_xyz"]) + f" {'voxels' if _is_3d(data) else 'pixels'}"))
    placeless = data["format"] in PLACELESS
    unstated = placeless and set(geometry["spacing_xyz_mm"]) == {1.0}
    rows.append(("spacing", _times(geometry["spacing_xyz_mm"]) + (" (not stated)" if unstated else " mm")))
    if not unstated:
        rows.append(("extent", f"{_times(geometry['extent_xyz_mm'], '.1f')} mm"))
    if _is_3d(data) and not placeless:
        origin = ", ".join(f"{v:.6g}" for v in geometry["origin_lps_mm"])
        rows.append(("origin", f"{origin} mm (LPS)"))
        rows.append(("orientation", _orientation(geometry)))
    colour = "red, green, blue" if values["channels"] == 3 else "grey"
    rows.append(("values", f"{values['type']}, {values['lowest']:g} to {values['highest']:g}, {colour}"))
    if values["not_finite"]:
        rows.append(("", f"{values['not_finite']} values are NaN or infinite; they become black"))
    for entry in data.get("segments", ()):
        words = ", ".join([f"{entry['voxels']} voxels", entry["type"], *entry["regions"]])
        rows.append(("segment", f"{entry['number']}: {entry['name']} ({words.rstrip(', ')})"))
    said = "a guess: " if intensity["guessed"] else ""
    rows.append(("modality", f"{intensity['modality']} ({said}{intensity['why']})"))
    rows.append(("grey levels", f"{_grey(intensity)} ({intensity['policy']}, {intensity['model']})"))
    if "preview" in data:
        rows.append(("preview", data["preview"]))
    for name, value in rows:
        # Not a table: paths stay whole in narrow terminals and in files.
        console.print(f"[dim]{name:12}[/dim] {escape(value)}", soft_wrap=True)


def _is_3d(data: dict[str, Any]) -> bool:
    return bool(data["kind"] == "volume")


def _orientation(geometry: dict[str, Any]) -> str:
    tilt = geometry["tilt_degrees"]
    how = "along the patient's axes" if tilt < 0.01 else f"oblique by {tilt:g} degrees"
    return f"x, y, z run to {', '.join(geometry['orientation'])} ({geometry['slices']} slices), {how}"


def _grey(intensity: dict[str, Any]) -> str:
    if intensity["as_stored"]:
        return "as stored"
    return f"{intensity['black']:g} becomes black, {intensity['white']:g} white"


def _times(values: list[float], spec: str = "g") -> str:
    return " x ".join(format(v, spec) for v in values)
