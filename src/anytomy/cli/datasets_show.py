"""`anytomy datasets show`: a contact sheet of cases with their labels."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console

_Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]


def show(
    dataset_id: Annotated[str, typer.Argument(metavar="ID", help="A data set that is on this machine.")],
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="FILE", help="PNG or JPEG; ID.png if left out.")
    ] = None,
    cases: Annotated[int, typer.Option(min=1, max=100, help="How many cases.")] = 12,
    structure: Annotated[
        str | None, typer.Option(metavar="NAME", help="Only labels of it, and cases that have them.")
    ] = None,
    seed: Annotated[
        int | None, typer.Option(help="Draw cases at random by this number; evenly spaced without.")
    ] = None,
    as_json: _Json = False,
) -> None:
    """Draw some cases with their labels on one picture, volumes in the slice where most is labelled.

    Example: anytomy datasets show acdc -o acdc.png
    """
    from anytomy.cli.output import emit
    from anytomy.cli.progress import slices_bar
    from anytomy.cli.safety import check_targets
    from anytomy.datasets.choosing import structures_like
    from anytomy.datasets.dataset import open_dataset
    from anytomy.report.dataset_sheet import dataset_sheet
    from anytomy.report.draw import check_picture, save_picture

    dataset = open_dataset(dataset_id)
    path = output or Path(f"{dataset.card.id}.png")
    check_picture(path)
    files = [p for case in dataset for p in (case.image.path, *(p for m in case.masks for p in m.paths))]
    check_targets([("the contact sheet", path)], files)
    wanted = [] if structure is None else structures_like(structure, dataset.structures)
    with slices_bar("cases", shown=not as_json) as step:
        sheet = dataset_sheet(dataset, count=cases, structures=wanted, seed=seed, progress=step)
    save_picture(path, sheet.picture)
    faults = {tile.name: tile.fault for tile in sheet.tiles if tile.fault}
    data = {
        "id": dataset.card.id,
        "path": str(path),
        "cases": [tile.name for tile in sheet.tiles],
        "structures": sorted({name for tile in sheet.tiles for name in tile.labels}),
        "unreadable": faults,
    }

    def render(console: Console) -> None:
        console.print(f"{path}: {len(sheet.tiles)} cases", soft_wrap=True, markup=False)
        for name, fault in faults.items():
            console.print(f"{name} cannot be read: {fault}", soft_wrap=True, markup=False)

    emit("datasets show", data, as_json=as_json, render=render)
