"""`anytomy segment`: prompts in, masks out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from anytomy.cli.cases import Case

_MODEL = "The model and how it runs"
_IMAGE = "Which part of the file"
_RESULT = "The result"
_EVERYTHING = "Everything, without prompts"


def segment(
    inputs: Annotated[
        list[str],
        typer.Argument(
            help="Images, volumes or DICOM folders; quoted patterns (*, ?) too.", show_default=False
        ),
    ],
    output: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            metavar="PATH",
            help="File to write; a folder (existing, or ending in /) for many inputs.",
            rich_help_panel=_RESULT,
        ),
    ] = None,
    box: Annotated[
        list[str] | None,
        typer.Option(
            help="x0,y0,x1,y1 or x0,y0,z0,x1,y1,z1; ends exclusive; repeat for more objects. "
            "On several slices of a volume: x0,y0,x1,y1@slice;x0,y0,x1,y1@slice."
        ),
    ] = None,
    point: Annotated[
        list[str] | None, typer.Option(help="x,y or x,y,z inside the object; repeatable.")
    ] = None,
    negative: Annotated[
        list[str] | None, typer.Option(help="x,y or x,y,z outside the object; repeatable.")
    ] = None,
    slice_: Annotated[
        int | None, typer.Option("--slice", help="Slice (from 0) of two-dimensional prompts in a volume.")
    ] = None,
    z: Annotated[
        str | None, typer.Option("--z", help="First and last + 1 slice that the object may reach: 30,60.")
    ] = None,
    name: Annotated[list[str] | None, typer.Option(help="Name of each object, in order.")] = None,
    prompts: Annotated[
        Path | None, typer.Option(help="Prompt file (JSON) instead of --box and --point.")
    ] = None,
    prompts_dir: Annotated[
        Path | None, typer.Option(help="Folder with one prompt file per input: CASE.json for CASE.nii.gz.")
    ] = None,
    everything: Annotated[
        bool,
        typer.Option(
            "--everything",
            help="Find every object of a picture (or of one --slice); for models that take points.",
            rich_help_panel=_EVERYTHING,
        ),
    ] = False,
    grid: Annotated[
        int | None,
        typer.Option(
            help="Points along the longer side of a picture or tile; default 32.", rich_help_panel=_EVERYTHING
        ),
    ] = None,
    min_score: Annotated[
        float | None,
        typer.Option(
            help="Least predicted IoU of a mask; the model's by default.", rich_help_panel=_EVERYTHING
        ),
    ] = None,
    min_stability: Annotated[
        float | None,
        typer.Option(help="Least stability of a mask; the model's by default.", rich_help_panel=_EVERYTHING),
    ] = None,
    layers: Annotated[
        int | None,
        typer.Option(help="How often to look closer, through crops; default 0.", rich_help_panel=_EVERYTHING),
    ] = None,
    tile: Annotated[
        str | None,
        typer.Option(
            help="Cut large pictures into tiles: auto (default), off or their side in pixels.",
            rich_help_panel=_EVERYTHING,
        ),
    ] = None,
    least: Annotated[
        int | None,
        typer.Option(help="Smallest object in pixels; default 10.", rich_help_panel=_EVERYTHING),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            help="Model (anytomy models list); litemedsam by default, litemedsam-click for points.",
            rich_help_panel=_MODEL,
            show_default=False,
        ),
    ] = None,
    axis: Annotated[
        str, typer.Option(help="The file's axis that slices run along: x, y or z.", rich_help_panel=_IMAGE)
    ] = "z",
    series: Annotated[
        str | None, typer.Option(help="DICOM series, where a folder has several.", rich_help_panel=_IMAGE)
    ] = None,
    time: Annotated[int | None, typer.Option(help="Time point (from 0).", rich_help_panel=_IMAGE)] = None,
    channel: Annotated[int | None, typer.Option(help="Channel (from 0).", rich_help_panel=_IMAGE)] = None,
    intensity: Annotated[
        str,
        typer.Option(
            help="auto, ct:soft|lung|brain|bone, window:WIDTH,LEVEL, percentile:LOW,HIGH or none.",
            rich_help_panel=_IMAGE,
        ),
    ] = "auto",
    zoom: Annotated[
        str,
        typer.Option(help="off, auto, or look at a crop of FACTOR times the box.", rich_help_panel=_MODEL),
    ] = "off",
    volume: Annotated[
        str,
        typer.Option(
            metavar="STRATEGY",
            help="How to go through a volume: auto, propagate, slices, authors, 2.5d, triplanar.",
            rich_help_panel=_MODEL,
        ),
    ] = "auto",
    overlap: Annotated[
        str | None,
        typer.Option(
            help="Overlaps: higher-logit (default), last or keep; of --everything smaller (default) or keep.",
            rich_help_panel=_RESULT,
            show_default=False,
        ),
    ] = None,
    largest: Annotated[
        bool, typer.Option("--largest", help="Keep each object's largest part.", rich_help_panel=_RESULT)
    ] = False,
    fill_holes: Annotated[
        bool, typer.Option("--fill-holes", help="Fill each object's holes.", rich_help_panel=_RESULT)
    ] = False,
    fit_box: Annotated[
        bool,
        typer.Option(
            "--fit-box",
            help="Widen masks that do not fill the box drawn.",
            rich_help_panel=_RESULT,
        ),
    ] = False,
    combine: Annotated[
        list[str] | None,
        typer.Option(
            help="Make an object of others: 'ring = disc - hole'; also + and &; repeatable.",
            rich_help_panel=_RESULT,
        ),
    ] = None,
    measure: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Write volume, surface, diameters and intensity of all objects as .csv and .json.",
            rich_help_panel=_RESULT,
        ),
    ] = None,
    uncertainty: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Write how much the planes of triplanar disagree, 0 to 1 (a folder for many inputs).",
            rich_help_panel=_RESULT,
        ),
    ] = None,
    preview: Annotated[
        Path | None,
        typer.Option(help="Draw the result (PNG, JPEG; a folder for many inputs).", rich_help_panel=_RESULT),
    ] = None,
    output_format: Annotated[
        str | None,
        typer.Option("--format", help="Ending for many inputs, .nii.gz say.", rich_help_panel=_RESULT),
    ] = None,
    redo: Annotated[
        bool, typer.Option("--redo", help="Do cases of many inputs again.", rich_help_panel=_RESULT)
    ] = False,
    engine: Annotated[
        str, typer.Option(help="auto, openvino, onnxruntime or torch.", rich_help_panel=_MODEL)
    ] = "auto",
    device: Annotated[
        str, typer.Option(help="auto, cpu, cuda, cuda:N or mps.", rich_help_panel=_MODEL)
    ] = "auto",
    threads: Annotated[
        int | None, typer.Option(help="CPU threads; the available cores by default.", rich_help_panel=_MODEL)
    ] = None,
    precision: Annotated[
        str,
        typer.Option(help="f32, or bf16: faster, but differs from CPU to CPU.", rich_help_panel=_MODEL),
    ] = "f32",
    cache_embeddings: Annotated[
        bool,
        typer.Option("--cache-embeddings", help="Keep embeddings on disk.", rich_help_panel=_MODEL),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")] = False,
) -> None:
    """Segment objects from boxes, clicks or both.

    Coordinates are 0-based voxels of the file, box ends exclusive.

    Example: anytomy segment photo.png --box 60,80,140,160 -o mask.png --preview overlay.png

    Example: anytomy segment photo.png --point 100,110 --negative 60,150 -o mask.png

    Example: anytomy segment scan.nii.gz --box 60,80,40,140,160,90 --name liver -o liver.nii.gz

    Example: anytomy segment dicom/ --slice 41 --z 30,60 --box 90,70,210,200 -o liver.seg.nrrd

    Example: anytomy segment scan.nii.gz --box "90,70,210,200@35;84,70,200,190@52" -o liver.nii.gz

    Example: anytomy segment cells.png --everything -o masks.json

    Example: anytomy segment "cases/*.nii.gz" --prompts-dir prompts/ -o out/ --measure out/measures.csv
    """
    from anytomy.cli.cases import Places, expand, plan, run_cases
    from anytomy.cli.default_model import DEFAULT, default_model, say_who_answered
    from anytomy.cli.everything import model_for, settings_of
    from anytomy.cli.output import emit
    from anytomy.cli.request import Options

    automatic = settings_of(
        everything,
        points=grid,
        score=min_score,
        stability=min_stability,
        layers=layers,
        tile=tile,
        least=least,
    )
    if automatic is not None:
        chosen = model_for(model or DEFAULT)
    else:
        clicked = bool(point or negative)
        chosen = model or default_model(clicked=clicked, files=prompts, folder=prompts_dir)
    options = Options(
        boxes=tuple(box or ()),
        points=tuple(point or ()),
        negatives=tuple(negative or ()),
        slice=slice_,
        z=z,
        names=tuple(name or ()),
        prompts=prompts,
        prompts_dir=prompts_dir,
        model=chosen,
        axis=axis.lower(),
        series=series,
        time=time,
        channel=channel,
        intensity=intensity,
        zoom=zoom,
        volume=volume,
        overlap=overlap or ("higher-logit" if automatic is None else "smaller"),
        largest=largest,
        fill_holes=fill_holes,
        fit_box=fit_box,
        combine=tuple(combine or ()),
        measure=measure is not None,
        uncertainty=uncertainty is not None,
        engine=engine,
        device=device,
        threads=threads,
        precision=precision,
        cache_embeddings=cache_embeddings,
        everything=automatic,
    )
    many, paths = expand(inputs, output, options)
    places = Places(Path(output or ""), preview, uncertainty)
    cases = plan(paths, places, output_format, options, many=many, table=measure)
    done = run_cases(cases, options, redo=redo, many=many)
    if model is None and automatic is None:
        say_who_answered(chosen)
    failed = [case for case in done if case.error]
    tables = [] if measure is None else _write_measures(measure, done)
    data: dict[str, Any] = done[0].to_dict()
    if many:
        data = {"cases": [case.to_dict() for case in done], "failed": len(failed)}
    emit(
        "segment",
        data | {"tables": tables} if tables else data,
        as_json=as_json,
        render=lambda console: _render(console, done, tables, many=many),
        ok=not failed,
    )
    if failed:
        raise typer.Exit(1)


def _write_measures(path: Path, done: list[Case]) -> list[str]:
    """One table of all objects of all cases that are done; nothing where none is."""
    from anytomy.io.table import write_table
    from anytomy.predict.measures import SCHEMA

    rows = [
        {"case": str(case.input), **row}
        for case in done
        if case.manifest is not None
        for row in case.manifest["measures"]
    ]
    if not rows:
        return []
    return [str(each) for each in write_table(path, rows, schema=SCHEMA)]


def _render(console: Console, done: list[Case], tables: list[str], *, many: bool) -> None:
    for case in done:
        if many:
            state = f"failed: {case.error}" if case.error else ("already done" if case.skipped else "done")
            console.print(f"{case.input}: {state}", markup=False, soft_wrap=True)
            continue
        manifest: dict[str, Any] = case.manifest or {}
        for entry in manifest["objects"]:
            size = f"{entry['volume_ml']:.2f} ml" if "volume_ml" in entry else f"{entry['voxels']} px"
            text = f"{entry['id']:>3} {entry['name']}: {size}, confidence {entry['score']:.2f}"
            console.print(text, markup=False, soft_wrap=True)
        for path in manifest["outputs"]:
            console.print(f"wrote {path}", markup=False, soft_wrap=True)
    if many:
        failed = sum(bool(case.error) for case in done)
        console.print(
            f"{len(done) - failed} of {len(done)} cases done" + (f", {failed} failed" if failed else "")
        )
    for table in tables:
        console.print(f"wrote {table}", markup=False, soft_wrap=True)
