"""`anytomy measure`: volume, surface, diameters and intensity of the objects in a file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from anytomy.core.image import Image
    from anytomy.io.objects import Labelled
    from anytomy.predict.measures import Measures


def measure(
    labels: Annotated[Path, typer.Argument(help="Mask, label map or DICOM segmentation.")],
    image: Annotated[
        Path | None,
        typer.Argument(help="What it was drawn on: a file or DICOM folder. Without it no intensities."),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write the table as .csv and .json.")
    ] = None,
    series: Annotated[str | None, typer.Option(help="DICOM series of the image.")] = None,
    time: Annotated[int | None, typer.Option(help="Time point of the image (from 0).")] = None,
    channel: Annotated[int | None, typer.Option(help="Channel of the image (from 0).")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")] = False,
) -> None:
    """Measure the objects of a label map: the same table as that of `segment --measure`.

    Names are those in the file, or in the manifest beside it. Objects that overlap are measured whole where
    the format holds them so (.seg.nrrd, .seg.dcm, .npz).

    Example: anytomy measure liver.nii.gz scan.nii.gz -o liver.csv
    """
    from anytomy.cli.output import emit
    from anytomy.cli.safety import check_targets, sources
    from anytomy.io.objects import read_objects
    from anytomy.io.read import read
    from anytomy.io.table import table_paths, write_table
    from anytomy.predict.measures import SCHEMA

    targets = [] if output is None else [("the table", each) for each in table_paths(output)]
    kept = [labels.with_name(labels.name + ".json"), *sources(labels)]
    check_targets(targets, [*kept, *(sources(image) if image else [])])
    marked = read_objects(labels)
    seen = None if image is None else read(image, series=series, time=time, channel=channel)
    rows = [{"case": str(image or labels), **each.row()} for each in _measured(marked, seen)]
    tables = [] if output is None else [str(p) for p in write_table(output, rows, schema=SCHEMA)]
    emit(
        "measure",
        {"measures": rows, "tables": tables},
        as_json=as_json,
        render=lambda console: _render(console, rows, tables),
    )


def _measured(marked: Labelled, image: Image | None) -> list[Measures]:
    from anytomy.predict.measures import check_same_grid, measure_masks

    labels, segments = marked
    if image is not None and labels.format == "dicom-seg":  # its grid may be a part of the image's
        segments = segments.on(image.geometry)
    elif image is not None:
        check_same_grid(labels, image)
    names = _names(segments.path)
    objects = [
        (number, name or names.get(number) or f"object {number}", mask)
        for number, name, mask in zip(segments.numbers, segments.names, segments.masks.objects, strict=True)
    ]
    return measure_masks(objects, image or labels, image)


def _names(path: Path) -> dict[int, str]:
    """Names of objects by id, from the manifest that `anytomy segment` left beside a label map."""
    import json

    try:
        text = Path(f"{path}.json").read_text(encoding="utf-8")
        return {int(each["id"]): str(each["name"]) for each in json.loads(text)["objects"]}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def _render(console: Console, rows: list[dict[str, Any]], tables: list[str]) -> None:
    for row in rows:
        console.print(summary(row), markup=False, soft_wrap=True)
    if not rows:
        console.print("there is no object")
    for path in tables:
        console.print(f"wrote {path}", markup=False, soft_wrap=True)


def summary(row: dict[str, Any]) -> str:
    """The figures of one object in a line."""
    unit = row["unit"]
    facts = []
    for key, form in (
        ("volume_ml", "{:.4g} ml"),
        ("area_mm2", "{:.4g} mm2"),
        ("area_px", "{} px"),
        (f"surface_{unit}2", f"surface {{:.4g}} {unit}2"),
        (f"perimeter_{unit}", f"perimeter {{:.4g}} {unit}"),
        (f"diameter_3d_{unit}", f"3D diameter {{:.4g}} {unit}"),
    ):
        facts += [form.format(row[key])] if key in row else []
    for long, short in (("axial_diameter", "axial_short"), ("diameter", "short_diameter")):
        if f"{long}_{unit}" in row:
            size = f"{row[f'{long}_{unit}']:.4g} x {row[f'{short}_{unit}']:.4g} {unit}"
            where = f" in slice {row['axial_slice']}" if "axial_slice" in row else ""
            facts.append(f"{'axial' if where else 'diameters'} {size}{where}")
    if "mean" in row:
        facts.append(f"mean {row['mean']:.4g}, SD {row['sd']:.4g} {row['intensity_unit']}".rstrip())
    return f"{row['id']:>3} {row['name']}: {', '.join(facts)}"
