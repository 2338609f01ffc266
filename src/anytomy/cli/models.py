"""`anytomy models`: which models there are, what is known of them, and their weights."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from anytomy.cli.models_files import export, merge

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.console import Console

    from anytomy.zoo.card import ModelCard

app = typer.Typer(name="models", help="Models: what they are, and their weights.", no_args_is_help=True)

_Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]
_Id = Annotated[str, typer.Argument(metavar="ID", help="A model's id, as `models list` shows it.")]
_Reference = Annotated[
    str,
    typer.Argument(
        metavar="MODEL", help="A model: ID, or a folder: DIR of a student, DIR or ID+DIR of an adapter."
    ),
]
app.command()(merge)
app.command()(export)


@app.command("list")
def list_models(as_json: _Json = False) -> None:
    """List the models.

    Example: anytomy models list
    """
    from anytomy.cli.output import emit
    from anytomy.zoo.registry import cards
    from anytomy.zoo.store import weights_path

    found = cards()
    rows = [
        {
            "id": card.id,
            "title": card.title,
            "architecture": card.architecture,
            "input_size": card.input_size,
            "prompts": list(card.prompts),
            "licence": card.licence,
            "builtin": card.builtin,
            "bytes": card.weights.bytes,
            "cached": weights_path(card).is_file(),
            "summary": card.summary,
        }
        for card in found
    ]

    def render(console: Console) -> None:
        from rich.table import Table

        table = Table("id", "input", "prompts", "weights", "what", box=None, pad_edge=False)
        for card, row in zip(found, rows, strict=True):
            state = "cached" if row["cached"] else _size(card.weights.bytes)
            table.add_row(card.id, str(card.input_size), ", ".join(card.prompts), state, card.summary)
        console.print(table)

    emit("models list", {"models": rows}, as_json=as_json, render=render)


@app.command()
def info(model: _Reference, as_json: _Json = False) -> None:
    """Show all that is known of a model, an adapter or a student, and what nobody could check.

    Example: anytomy models info litemedsam
    """
    from anytomy.cli.output import emit
    from anytomy.zoo.registry import card
    from anytomy.zoo.store import weights_path

    found = card(model)
    path = weights_path(found)
    data = {**found.to_dict(), "path": str(path), "cached": path.is_file()}
    emit(
        "models info",
        data,
        as_json=as_json,
        render=lambda console: _print_card(console, found, path),
    )


@app.command()
def fetch(model_id: _Id, as_json: _Json = False) -> None:
    """Fetch the weights of a model and check them.

    Example: anytomy models fetch litemedsam
    """
    from anytomy.cli.output import emit
    from anytomy.zoo.registry import card
    from anytomy.zoo.store import ensure

    path = ensure(model_id, progress=not as_json)
    published = bool(card(model_id).weights.sha256)
    data = {
        "id": model_id,
        "path": str(path),
        "bytes": path.stat().st_size,
        "hash": "published" if published else "recorded",
    }

    def render(console: Console) -> None:
        console.print(str(path), soft_wrap=True, highlight=False)
        if not published:
            console.print("nobody published a hash of it: the one of this file is kept and checked")

    emit("models fetch", data, as_json=as_json, render=render)


@app.command()
def verify(
    model_id: Annotated[
        str | None, typer.Argument(metavar="[ID]", help="A model's id; all if left out.")
    ] = None,
    as_json: _Json = False,
) -> None:
    """Read cached weights in full and compare their hashes. A damaged cached file is removed.

    Example: anytomy models verify
    """
    from anytomy.cli.output import emit
    from anytomy.core.errors import ChecksumError
    from anytomy.zoo.verification import verify as verify_weights

    results = verify_weights(model_id)
    damaged = [result for result in results if result.state == "damaged"]
    if damaged:
        intact = ", ".join(f"{r.model_id} {r.state}" for r in results if r.state != "damaged")
        raise ChecksumError(
            "; ".join(f"{result.model_id}: {result.message}" for result in damaged),
            hint=f"the others: {intact}" if intact else None,
        )
    data = {"models": [{"id": r.model_id, "state": r.state, "path": str(r.path)} for r in results]}

    def render(console: Console) -> None:
        for result in results:
            console.print(f"{result.model_id:16} {result.state:10} {result.path}", soft_wrap=True)

    emit("models verify", data, as_json=as_json, render=render)


@app.command()
def add(
    file: Annotated[Path, typer.Argument(help="A checkpoint (.pth, .pt, .safetensors).")],
    architecture: Annotated[
        str | None, typer.Option("--arch", metavar="NAME", help="Its architecture, as sam_vit_b.")
    ] = None,
    model_id: Annotated[
        str | None, typer.Option("--id", help="What to call it; its name if left out.")
    ] = None,
    like: Annotated[
        str | None,
        typer.Option("--like", metavar="ID", help="The model whose preparation of images applies."),
    ] = None,
    copy: Annotated[bool, typer.Option("--copy", help="Keep a copy, so that the file may go.")] = False,
    overwrite: Annotated[
        bool, typer.Option("--replace", help="Replace a model of yours of the same id.")
    ] = False,
    as_json: _Json = False,
) -> None:
    """Make a checkpoint of your own usable by an id.

    Example: anytomy models add medsam_tuned.pth --arch sam_vit_b --like medsam
    """
    from anytomy.cli.output import emit
    from anytomy.zoo.added import add_model

    added = add_model(
        file,
        architecture=architecture,
        model_id=model_id,
        like=like,
        copy=copy,
        overwrite=overwrite,
    )

    def render(console: Console) -> None:
        console.print(f"{added.id}: {added.weights.path}", soft_wrap=True, highlight=False)
        console.print(
            f"taken over, not checked: {', '.join(added.unverified)}; correct them in {added.source}",
            soft_wrap=True,
            highlight=False,
        )

    emit("models add", added.to_dict(), as_json=as_json, render=render)


def _size(count: int) -> str:
    from anytomy.zoo.disk import megabytes

    return megabytes(count) if count else "size unknown"


def _print_card(console: Console, card: ModelCard, path: Path) -> None:
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(no_wrap=True, style="bold")
    table.add_column(overflow="fold")
    for name, value in _facts(card, path):
        unverified = any(name == field or name.startswith(f"{field}.") for field in card.unverified)
        mark = " (unverified)" if unverified else ""
        table.add_row(escape(name), escape(value + mark))
    console.print(table)


def _facts(card: ModelCard, path: Path) -> list[tuple[str, str]]:
    """All of a card, a line each."""
    weights, preprocess, wheel = card.weights, card.preprocess, card.weights.wheel
    facts = [
        ("id", card.id),
        ("title", card.title),
        ("summary", card.summary),
        ("architecture", card.architecture),
        ("licence", card.licence),
        ("paper", card.paper or "none"),
        ("homepage", card.homepage or "none"),
        ("input_size", _input_size(card)),
        ("prompts", ", ".join(card.prompts) or "none: it finds classes"),
        ("mask_output", card.mask_output),
        ("weights.file", f"{path} ({'there' if path.is_file() else 'not fetched yet'})"),
        ("weights.bytes", f"{weights.bytes:,}" if weights.bytes else "unknown"),
        ("weights.sha256", weights.sha256 or "unknown, recorded at the first fetch"),
        ("weights.url", weights.url or "none"),
    ]
    if wheel is not None:
        facts.append(("weights.wheel.member", wheel.member))
        facts.append(("weights.wheel.requirement", f"{wheel.requirement}, by pip"))
    if weights.note:
        facts.append(("weights.note", weights.note))
    facts += [
        ("preprocess.resize", preprocess.resize),
        ("preprocess.aspect", preprocess.aspect),
        ("preprocess.scale", preprocess.scale),
    ]
    if preprocess.scale == "mean-std":
        facts.append(("preprocess.mean", ", ".join(f"{value:g}" for value in preprocess.mean)))
        facts.append(("preprocess.std", ", ".join(f"{value:g}" for value in preprocess.std)))
    facts.append(("preprocess.integer_boxes", "yes" if preprocess.integer_boxes else "no"))
    facts += [(f"intensity.{name}", policy) for name, policy in card.intensity.items()]
    if card.automatic is not None:
        facts += [(f"automatic.{name}", str(value)) for name, value in vars(card.automatic).items()]
    facts += _adapter_facts(card) + _student_facts(card)
    facts += [
        ("training.datasets", ", ".join(card.training.datasets) or "not listed"),
        ("training.note", card.training.note or "none"),
        ("unverified", ", ".join(card.unverified) or "nothing"),
        ("card", str(card.source)),
    ]
    return facts


def _adapter_facts(card: ModelCard) -> list[tuple[str, str]]:
    """What was tuned, a line each; nothing of a plain model."""
    if card.adapter is None:
        return []
    mine = card.adapter.card
    return [
        ("adapter.folder", str(card.adapter.folder)),
        ("adapter.base", f"{mine.base} (sha256 {mine.base_sha256[:12]}…)"),
        ("adapter.method", mine.method),
        ("adapter.mode", mine.mode),
        ("adapter.classes", ", ".join(mine.classes) or "none"),
        ("adapter.routes", f"{', '.join(mine.routes)} as the base" if mine.routes else "none"),
        ("adapter.touches_encoder", "yes" if mine.touches_encoder else "no: embeddings are the base's"),
        ("adapter.data", ", ".join(mine.data) or "not recorded"),
        ("adapter.metrics", _numbers(mine.metrics) or "see adapter.json"),
        ("adapter.versions", ", ".join(f"{k} {v}" for k, v in mine.versions.items()) or "not recorded"),
    ]


def _student_facts(card: ModelCard) -> list[tuple[str, str]]:
    """What a student is, a line each; nothing of other models."""
    if card.student is None:
        return []
    mine = card.student.card
    teacher = [f"{name} {value}" for name, value in mine.teacher.items() if isinstance(value, str)]
    if mine.size is not None:
        grid = f"longer side {mine.size} pixels"
    elif mine.spacing_mm:
        grid = f"{' x '.join(f'{mm:g}' for mm in mine.spacing_mm)} mm"
    else:
        grid = "pixels as they are"
    along = f"slices along {mine.axis}" if mine.dims == 2 else "whole volumes"
    return [
        ("student.folder", str(card.student.folder)),
        ("student.classes", ", ".join(mine.classes)),
        ("student.sees", f"{along if mine.volumes else 'pictures'}, {grid}"),
        ("student.channels", f"{mine.colours} of the picture, {mine.extra} of the teacher"),
        ("student.teacher", "; ".join(teacher) or "not recorded"),
        ("student.recipe", mine.recipe or "not recorded"),
        ("student.data", ", ".join(mine.data) or "not recorded"),
        ("student.metrics", _numbers(mine.metrics) or "see student.json"),
        ("student.versions", ", ".join(f"{k} {v}" for k, v in mine.versions.items()) or "not recorded"),
    ]


def _input_size(card: ModelCard) -> str:
    if card.student is not None:
        return f"windows of {' x '.join(str(n) for n in card.student.card.patch)} pixels"
    return f"{card.input_size} x {card.input_size} pixels"


def _numbers(metrics: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value:.3f}" for name, value in metrics.items() if isinstance(value, float))
