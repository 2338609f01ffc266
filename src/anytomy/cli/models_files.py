"""`anytomy models merge` and `export`: a model with its adapter as files for others."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console

_Reference = Annotated[
    str, typer.Argument(metavar="MODEL", help="A model: ID, or the folder of an adapter, DIR or ID+DIR.")
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
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="DIR", help="Folder to write; new or empty.")
    ],
    onnx: Annotated[
        bool, typer.Option("--onnx", help="As ONNX graphs with a JSON file of all that is around them.")
    ] = False,
    as_json: _Json = False,
) -> None:
    """Write a model as graphs that run without Anytomy, checked in ONNX Runtime.

    Example: anytomy models export litemedsam --onnx -o litemedsam_onnx
    """
    from anytomy.cli.output import emit
    from anytomy.core.errors import OptionError
    from anytomy.engine.onnx_export import export_onnx
    from anytomy.engine.threads import available_cores
    from anytomy.zoo.registry import card

    if not onnx:
        raise OptionError("expected a format to export to, got none", hint="give --onnx")
    files = export_onnx(card(model), output, threads=available_cores())
    data = {"model": model, "files": [str(path) for path in files]}

    def render(console: Console) -> None:
        for path in files:
            console.print(f"wrote {path}", markup=False, soft_wrap=True)

    emit("models export", data, as_json=as_json, render=render)
