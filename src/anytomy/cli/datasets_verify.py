"""`anytomy datasets verify` and `split`: whether all cases can be used, and for what."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console

_Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]
_Id = Annotated[str, typer.Argument(metavar="ID", help="A data set that is on this machine.")]
# Findings that stop a case from being used.
_UNUSABLE = ("unreadable image", "unreadable mask", "shape")


def verify(
    dataset_id: _Id,
    limit: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="Open only N cases, evenly spread; all if left out."),
    ] = None,
    as_json: _Json = False,
) -> None:
    """Open every image and mask of a data set and say what is wrong. Exit code 1 if something cannot be used.

    Example: anytomy datasets verify acdc
    """
    from anytomy.cli.output import emit
    from anytomy.cli.progress import slices_bar
    from anytomy.datasets.checking import check_cases, summarise
    from anytomy.datasets.dataset import open_dataset
    from anytomy.datasets.fetched import check_fetched

    dataset = open_dataset(dataset_id)
    changed = check_fetched(dataset.root)
    with slices_bar("cases", shown=not as_json) as step:
        findings = check_cases(dataset, progress=step, limit=limit)
    bad = {finding.case for finding in findings if finding.kind in _UNUSABLE}
    ok = not bad and not changed
    opened = len(dataset) if limit is None else min(limit, len(dataset))
    data = {
        "id": dataset.card.id,
        "path": str(dataset.root),
        "cases": len(dataset),
        "opened": opened,
        "unusable": sorted(bad),
        "changed_since_fetched": changed,
        "summary": summarise(findings),
        "findings": [dict(vars(finding)) for finding in findings],
    }

    def render(console: Console) -> None:
        def say(text: str) -> None:
            console.print(text, soft_wrap=True, markup=False)

        for line in summarise(findings):
            say(line)
        for line in changed[:10]:
            say(line)
        if len(changed) > 10:
            say(f"and {len(changed) - 10} more files have changed since they were fetched")
        verdict = f"{len(bad)} cannot be used" if bad else "all can be used"
        say(f"{dataset.card.id}: {opened} of {len(dataset)} cases opened, {verdict}")

    emit("datasets verify", data, as_json=as_json, render=render, ok=ok)
    if not ok:
        raise typer.Exit(1)


def split(
    dataset_id: _Id,
    seed: Annotated[int, typer.Option(help="Another one gives other splits.")] = 0,
    train: Annotated[float, typer.Option(min=0, max=1, help="Part of the patients.")] = 0.7,
    val: Annotated[float, typer.Option(min=0, max=1, help="Part of the patients.")] = 0.1,
    test: Annotated[float, typer.Option(min=0, max=1, help="Part of the patients.")] = 0.2,
    as_json: _Json = False,
) -> None:
    """Divide the patients of a data set into train, val and test, and keep that under ANYTOMY_HOME.

    Example: anytomy datasets split acdc --seed 1
    """
    from anytomy.cli.datasets_list import size_of
    from anytomy.cli.output import emit
    from anytomy.datasets.dataset import open_dataset
    from anytomy.datasets.splits import make_splits

    dataset = open_dataset(dataset_id)
    made = make_splits(dataset, seed=seed, fractions={"train": train, "val": val, "test": test})
    data = {
        "id": dataset.card.id,
        "path": str(made.source),
        "seed": made.seed,
        "cases": {name: list(ids) for name, ids in made.cases.items()},
        "patients": {name: list(keys) for name, keys in made.patients.items()},
    }

    def render(console: Console) -> None:
        for name, ids in made.cases.items():
            console.print(f"{name:6} {size_of(len(ids), len(made.patients[name]))}")
        console.print(str(made.source), soft_wrap=True, markup=False, style="dim")

    emit("datasets split", data, as_json=as_json, render=render)
