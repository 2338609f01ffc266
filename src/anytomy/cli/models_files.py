"""`anytomy models merge` and `export`: a model with its adapter, or a student, as files for others."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console

_Reference = Annotated[
    str,
    typer.Argument(
        metavar="MODEL", help="A model: ID, or a folder: DIR of a student, DIR or ID+DIR of an adapter."
    ),
]
_Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]


def merge(
    model: _Reference,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE", help="Checkpoint to write (.safetensors, .pth).")
    ],
    as_json: _Json = False,
) -> None:
    """Fold an adapter into the weights of its base and write one checkpoint, under the authors' names.

    Example: anytomy models merge medsam+runs/liver -o medsam_liver.safetensors
    """
    from anytomy.cli.output import emit
    from anytomy.cli.safety import check_targets, sources
    from anytomy.engine.merging import merge_model
    from anytomy.zoo.registry import card
    from anytomy.zoo.store import weights_path

    found = card(model)
    check_targets([("the checkpoint", output)], sources(weights_path(found)))
    path = merge_model(found, output)
    add = f"anytomy models add {path} --like {found.base_id} --id NAME"
    data = {
        "model": model,
        "path": str(path),
        "bytes": path.stat().st_size,
        "architecture": found.architecture,
    }
    emit(
        "models merge",
        data,
        as_json=as_json,
        render=lambda console: console.print(
            f"wrote {path}\nuse it by an id: {add}", markup=False, soft_wrap=True, highlight=False
        ),
    )


def export(
    model: _Reference,
    place: Annotated[
        Path | None,
        typer.Argument(
            metavar="[PATH]",
            help="What to write: a file .onnx for a student, else a folder, new or empty.",
            show_default=False,
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="PATH", help="The same.", show_default=False),
    ] = None,
    onnx: Annotated[
        bool, typer.Option("--onnx", help="As ONNX graphs with a JSON file of all that is around them.")
    ] = False,
    as_json: _Json = False,
) -> None:
    """Write a model as graphs that run without Anytomy, checked in ONNX Runtime.

    A student becomes one graph, from the file's own values to the label map.

    Example: anytomy models export litemedsam --onnx litemedsam_onnx

    Example: anytomy models export runs/student --onnx student.onnx
    """
    from anytomy.cli.output import emit
    from anytomy.cli.safety import check_targets
    from anytomy.core.errors import OptionError
    from anytomy.engine.onnx_export import export_onnx
    from anytomy.engine.threads import available_cores
    from anytomy.zoo.registry import card

    if not onnx:
        raise OptionError("expected a format to export to, got none", hint="give --onnx")
    target = output or place
    if target is None or (output is not None and place is not None):
        raise OptionError(
            f"expected one place to write to, got {'none' if target is None else f'{place} and {output}'}",
            hint="for example: anytomy models export MODEL --onnx PATH",
        )
    found, threads = card(model), available_cores()
    if found.student is None:
        files = export_onnx(found, target, threads=threads)
    else:
        from anytomy.predict.student.export import export_student

        beside = target.with_name(f"{target.name}.json")
        check_targets([("the graph", target), ("its description", beside)], found.student.folder.iterdir())
        files = export_student(found, target, threads=threads)
    data = {"model": model, "files": [str(path) for path in files]}

    def render(console: Console) -> None:
        for path in files:
            console.print(f"wrote {path}", markup=False, soft_wrap=True)

    emit("models export", data, as_json=as_json, render=render)
