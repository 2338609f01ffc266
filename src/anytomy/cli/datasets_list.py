"""`anytomy datasets list` and `info`: which data sets there are and what is known of them."""

from __future__ import annotations

import re
import textwrap
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console
    from rich.table import Table

    from anytomy.datasets.card import DatasetCard
    from anytomy.datasets.dataset import Dataset
    from anytomy.datasets.layout import Layout

_Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]
_LONGEST_SIZE = 22
# Columns from which on all is shown, and those of output that goes elsewhere.
_ROOMY, _WHOLE = 110, 140


def list_datasets(
    modality: Annotated[
        str | None, typer.Option(metavar="NAME", help="Only these: CT, MR, X-ray, ultrasound, ...")
    ] = None,
    anatomy: Annotated[
        str | None, typer.Option(metavar="NAME", help="Only these: heart, abdomen, ...")
    ] = None,
    structure: Annotated[
        str | None, typer.Option(metavar="NAME", help='Only those with labels of it: "adrenal gland".')
    ] = None,
    licence_class: Annotated[
        str | None,
        typer.Option(metavar="CLASS", help="open, share-alike, non-commercial, no-derivatives, ..."),
    ] = None,
    survey: Annotated[bool, typer.Option("--survey", help="Only the 33 of the survey.")] = False,
    local: Annotated[bool, typer.Option("--local", help="Only those that are on this machine.")] = False,
    as_json: _Json = False,
) -> None:
    """List the data sets.

    Example: anytomy datasets list --modality CT --structure "adrenal gland"
    """
    from anytomy.cli.output import emit
    from anytomy.datasets.choosing import choose, is_here
    from anytomy.datasets.fetching import why_by_hand
    from anytomy.datasets.registry import cards, locate

    found = choose(
        cards(),
        modality=modality,
        anatomy=anatomy,
        structure=structure,
        licence_class=licence_class,
        survey=survey,
        local=local,
    )
    rows = [
        {
            **card.to_dict(),
            "structures": list(card.structures),
            "can_get": not why_by_hand(card),
            "here": is_here(card),
            "path": str(locate(card)) if is_here(card) else None,
            "builtin": card.builtin,
        }
        for card in found
    ]

    def render(console: Console) -> None:
        if not console.is_terminal:
            # Whole lines for `grep` and files.
            console.width = max(console.width, _WHOLE)
        if rows:
            console.print(_table(found, wide=console.width >= _ROOMY))
        here = sum(bool(row["here"]) for row in rows)
        narrow = "" if console.width >= _ROOMY else "; a wider window shows size and licence"
        console.print(f"{len(rows)} data sets, {here} of them here{narrow}", style="dim")

    emit("datasets list", {"datasets": rows}, as_json=as_json, render=render)


def info(
    dataset_id: Annotated[
        str, typer.Argument(metavar="ID", help="A data set's id, as `datasets list` shows it.")
    ],
    as_json: _Json = False,
) -> None:
    """Show all that is known of a data set, how to get it, and what of it is here.

    Example: anytomy datasets info acdc
    """
    from anytomy.cli.output import emit
    from anytomy.datasets.fetching import why_by_hand
    from anytomy.datasets.registry import card

    found = card(dataset_id)
    data: dict[str, Any] = {
        **found.to_dict(),
        "structures": list(found.structures),
        "can_get": not why_by_hand(found),
        "why_by_hand": why_by_hand(found) or None,
        "builtin": found.builtin,
        "card": str(found.source),
        "here": _here(found),
    }
    for layout, entry in zip(found.layouts, data["layouts"], strict=True):
        entry["documented"] = layout.documented

    def render(console: Console) -> None:
        from rich.markup import escape
        from rich.table import Table

        facts = []
        for name, value in _facts(found, data):
            mark = any(name == f or name.startswith(f"{f}.") for f in found.unverified)
            facts.append((name, value + (" (unverified)" if mark else "")))
        if not console.is_terminal:
            # Whole lines for `grep` and files.
            width = max(len(name) for name, _ in facts)
            for name, value in facts:
                console.print(f"{name:{width}}  {value}", soft_wrap=True, markup=False)
            return
        table = Table(box=None, show_header=False, pad_edge=False)
        table.add_column(no_wrap=True, style="bold")
        table.add_column(overflow="fold")
        for name, value in facts:
            table.add_row(escape(name), escape(value))
        console.print(table)

    emit("datasets info", data, as_json=as_json, render=render)


def size_of(cases: int, patients: int) -> str:
    """`12 cases of 6 patients`."""
    return f"{cases} case{'s' * (cases != 1)} of {patients} patient{'s' * (patients != 1)}"


def _here(card: DatasetCard) -> dict[str, Any] | None:
    """Where the data are and how many; None where they are not here."""
    from anytomy.core.errors import DatasetError
    from anytomy.datasets.choosing import is_here
    from anytomy.datasets.dataset import dataset_at
    from anytomy.datasets.registry import locate

    root = locate(card)
    if root is None or not is_here(card):
        return None
    try:
        dataset = dataset_at(card, root)
    except DatasetError as error:
        return {"path": str(root), "cases": 0, "patients": 0, "fault": str(error)}
    publisher: dict[str, int] = {}
    for case in dataset:
        if case.split:
            publisher[case.split] = publisher.get(case.split, 0) + 1
    return {
        "path": str(root),
        "cases": len(dataset),
        "patients": len(dataset.patients),
        "images_without_masks": len(dataset.lone_images),
        "masks_without_images": len(dataset.lone_masks),
        "structures": list(dataset.structures),
        "publisher_splits": publisher,
        "splits": _splits(dataset),
        "fault": None,
    }


def _splits(dataset: Dataset) -> dict[str, Any] | None:
    """How cases are divided, by the data set's own folder or by `datasets split`; None where they are not."""
    from anytomy.core.errors import AnytomyError
    from anytomy.datasets.splits import load_splits, splits_path

    try:
        splits = load_splits(dataset)
    except AnytomyError as error:
        return (
            {"path": str(splits_path(dataset)), "fault": str(error)}
            if splits_path(dataset).is_file()
            else None
        )
    counts = {name: len(ids) for name, ids in splits.cases.items()}
    return {"path": str(splits.source), "seed": splits.seed, "cases": counts, "fault": None}


def _facts(card: DatasetCard, data: dict[str, Any]) -> list[tuple[str, str]]:
    """All of a card, a line each."""
    facts = [
        ("id", card.id),
        ("title", card.title),
        ("summary", card.summary),
        ("survey", f"row {card.survey} of its table" if card.survey else "not in it"),
        ("modality", ", ".join(card.modality) or "unknown"),
        ("anatomy", card.anatomy or "unknown"),
        ("dimension", card.dimension),
        ("size.survey", card.size.survey),
        ("size.found", card.size.found),
        ("quality", f"labels: {card.quality}"),
        ("licence", f"{card.licence or 'unknown'} ({card.licence_class})"),
        ("citation", card.citation),
        ("targets", ", ".join(card.structures) or "named by the files"),
        ("patient_key", card.patient_key),
        ("parents", ", ".join(card.parents)),
        ("overlaps", ", ".join(card.overlaps)),
        ("aliases", ", ".join(card.aliases)),
        ("access.how", f"{card.access.how}: {data['why_by_hand'] or f'anytomy datasets get {card.id}'}"),
        ("access.place", card.access.place),
        ("access.steps", card.access.steps),
    ]
    facts += [
        (f"access.downloads.{number}", f"{download.file}, {download.url}")
        for number, download in enumerate(card.access.downloads, start=1)
    ]
    facts += [("layouts." + layout.name, _layout(layout)) for layout in card.layouts]
    facts += _facts_here(data["here"])
    facts += [("unverified", ", ".join(card.unverified) or "nothing"), ("card", str(card.source))]
    return [(name, value) for name, value in facts if value]


def _facts_here(here: dict[str, Any] | None) -> list[tuple[str, str]]:
    if here is None:
        return [("here", "no")]
    if here["fault"]:
        return [("here", f"not usable: {here['fault']}")]
    facts = [("here", here["path"]), ("cases", size_of(here["cases"], here["patients"]))]
    for name, what in (("images_without_masks", "images"), ("masks_without_images", "masks")):
        if here[name]:
            facts.append((f"lone {what}", str(here[name])))
    if here["publisher_splits"]:
        facts.append(("publisher's split", _counts(here["publisher_splits"])))
    if splits := here["splits"]:
        facts.append(("splits", splits["fault"] or f"{_counts(splits['cases'])} cases ({splits['path']})"))
    return facts


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in counts.items())


def _layout(layout: Layout) -> str:
    how = "documented" if layout.documented else "inferred"
    masks = ", ".join(layout.masks.values())
    note = f"; {layout.note}" if layout.note else ""
    return f"{how}: {layout.image}" + (f" with {masks}" if masks else f" (reader {layout.reader})") + note


def _modalities(card: DatasetCard) -> str:
    shown = ", ".join(card.modality[:2])
    return shown + (f" + {len(card.modality) - 2}" if len(card.modality) > 2 else "")


def _table(cards: Sequence[DatasetCard], *, wide: bool) -> Table:
    from rich.markup import escape
    from rich.table import Table

    from anytomy.datasets.choosing import is_here

    columns = {
        "id": [card.id for card in cards],
        "modality": [_modalities(card) for card in cards],
        "anatomy": [card.anatomy for card in cards],
        "size": [_short_size(card) for card in cards],
        "labels": [_labels(card) for card in cards],
        "licence": [card.licence_class for card in cards],
        "access": [_access(card) for card in cards],
        "here": ["here" if is_here(card) else "-" for card in cards],
    }
    if not wide:
        del columns["size"], columns["licence"]
    table = Table(box=None, pad_edge=False)
    for name in columns:
        whole = name in ("id", "labels", "here")
        table.add_column(name, no_wrap=whole, justify="right" if name == "labels" else "left")
    for cells in zip(*columns.values(), strict=True):
        table.add_row(*(escape(cell) for cell in cells))
    return table


def _short_size(card: DatasetCard) -> str:
    """The first of what is said of the size."""
    text = re.split(r"[;:(]", card.size.found or card.size.survey or "unknown")[0].strip()
    return textwrap.shorten(text, _LONGEST_SIZE, placeholder=" …")


def _labels(card: DatasetCard) -> str:
    return str(len(card.structures)) if card.structures else "?"


def _access(card: DatasetCard) -> str:
    """What to do: `get`, or how one gets in by hand."""
    from anytomy.datasets.fetching import why_by_hand

    if not why_by_hand(card):
        return "get"
    return "by hand" if card.access.how == "open" else card.access.how
