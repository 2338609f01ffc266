"""`anytomy datasets get` and `remove`: have a data set here, and be rid of it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from anytomy.datasets.card import DatasetCard
    from anytomy.datasets.dataset import Dataset
    from anytomy.datasets.fetching import Plan

_Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]
_ASK_FROM = 10**9


def get(
    dataset_id: Annotated[str, typer.Argument(metavar="ID", help="A data set's id.")],
    to: Annotated[
        Path | None,
        typer.Option(
            "--to",
            metavar="DIR",
            help="The folder that will hold it, new or empty; one under ANYTOMY_HOME if left out.",
        ),
    ] = None,
    only: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FILE", help="Only this of its files, * stands for anything; may be given again."
        ),
    ] = None,
    keep_archives: Annotated[
        bool, typer.Option("--keep-archives", help="Keep the archives after they are unpacked.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before a large download.")] = False,
    as_json: _Json = False,
) -> None:
    """Fetch a data set that is open, or say how to get it by hand. A run that was stopped is gone on with.

    Example: anytomy datasets get msd_hippocampus
    """
    from anytomy.cli.output import emit
    from anytomy.datasets.fetched import remember_place
    from anytomy.datasets.fetching import fetch_dataset, why_by_hand
    from anytomy.datasets.registry import card

    found = card(dataset_id)
    plan = _plan(found, to, only or [])
    fetched = None
    if plan is not None:
        _agree(plan, yes=yes, as_json=as_json)
        fetched = fetch_dataset(plan, keep_archives=keep_archives, progress=not as_json)
        remember_place(found, fetched.root)
    root = _root_of(found) if fetched is None else fetched.root
    dataset = None if root is None else _opened(found, partial=bool(only))
    data: dict[str, Any] = {
        "id": found.id,
        "status": "by-hand" if root is None else "fetched" if fetched and fetched.files else "here",
        "path": None if root is None else str(root),
        "cases": None if dataset is None else len(dataset),
        "patients": None if dataset is None else len(dataset.patients),
        "files": list(fetched.files) if fetched else [],
        "hash_recorded": list(fetched.recorded) if fetched else [],
        "licence": found.licence,
        "citation": found.citation,
        "why_by_hand": why_by_hand(found) or None,
        "place": found.access.place,
        "steps": found.access.steps,
    }
    emit("datasets get", data, as_json=as_json, render=lambda console: _print_got(console, data))


def remove(
    dataset_id: Annotated[str, typer.Argument(metavar="ID", help="A data set that you added or fetched.")],
    data: Annotated[
        bool, typer.Option("--data", help="Delete what `datasets get` fetched under ANYTOMY_HOME.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before data are deleted.")] = False,
    as_json: _Json = False,
) -> None:
    """Forget a data set that you added. Your own files stay where they are, whatever is given.

    Example: anytomy datasets remove mine
    """
    from anytomy.cli.output import emit, print_line
    from anytomy.core.errors import DatasetError, OptionError
    from anytomy.datasets.fetched import remove_fetched, staging_dir
    from anytomy.datasets.registry import added_dir, card, download_dir

    found = card(dataset_id)
    added = added_dir(found.id).is_dir()
    folder = download_dir(found)
    fetched = folder.exists() or staging_dir(folder).exists()
    if data and not fetched:
        raise DatasetError(
            f"expected data of {found.id} that were fetched to {folder}, but there are none",
            hint="files in folders of yours are yours to remove; leave --data out to forget them",
        )
    if not data and not added:
        hint = "delete what was fetched by --data" if fetched else "only what you added can be forgotten"
        raise DatasetError(f"expected a data set that was added, but {found.id} was not", hint=hint)
    if data and not yes:
        if as_json:
            raise OptionError("expected --yes along with --data and --json, but got none")
        if not typer.confirm(f"Delete {folder} and all that is in it?", err=True):
            print_line("nothing was removed")
            raise typer.Exit(1)
    removed = remove_fetched(found) if data else None
    if added:
        from anytomy.datasets.adding import remove_dataset

        remove_dataset(found.id)
    result = {
        "id": found.id,
        "forgotten": added,
        "deleted": None if removed is None else str(removed),
        "kept": str(found.root) if added and found.root is not None and found.root != removed else None,
    }

    def render(console: Console) -> None:
        for name, text in (("deleted", "deleted {}"), ("kept", f"{found.id} is forgotten; {{}} stays")):
            if result[name]:
                console.print(text.format(result[name]), soft_wrap=True, markup=False)

    emit("datasets remove", result, as_json=as_json, render=render)


def _root_of(found: DatasetCard) -> Path | None:
    """The data set's folder, if it is there."""
    from anytomy.datasets.registry import locate

    root = locate(found)
    return root if root is not None and root.is_dir() else None


def _plan(found: DatasetCard, to: Path | None, only: list[str]) -> Plan | None:
    """What to fetch; None where it is here already, or has to be fetched by hand."""
    import os

    from anytomy.core.errors import DatasetError, OptionError
    from anytomy.datasets.fetched import read_record
    from anytomy.datasets.fetching import plan_fetch, why_by_hand
    from anytomy.datasets.registry import builtin_cards

    root = _root_of(found)
    if root is None and found.id not in [one.id for one in builtin_cards()]:
        raise DatasetError(
            f"expected {found.id} in {found.root}, but that folder is gone",
            hint=f"add it anew by `anytomy datasets add {found.id} FOLDER --replace`",
        )
    if root is None:
        return None if why_by_hand(found) else plan_fetch(found, to=to, only=only)
    if to is not None and os.path.realpath(to) != os.path.realpath(root):
        raise OptionError(
            f"expected no --to, since {found.id} is here already, at {root}",
            hint=f"forget that place first by `anytomy datasets remove {found.id}`",
        )
    if read_record(root).get("id") != found.id or why_by_hand(found):
        return None
    return plan_fetch(found, to=root, only=only)


def _agree(plan: Plan, *, yes: bool, as_json: bool) -> None:
    """Say how much will be fetched, and ask where that is much and somebody is there to answer.

    Raises:
        Exit: The answer was no.
    """
    from anytomy.cli.output import print_line
    from anytomy.zoo.disk import megabytes

    if not plan.missing:
        return
    sizes = plan.sizes()
    total, unknown = sum(sizes), sizes.count(0)
    count = f"{len(sizes)} file{'s' * (len(sizes) > 1)}"
    size = megabytes(total) if total else ""
    size += (" and " * bool(size) + f"{unknown} of unknown size") if unknown else ""
    text = f"{plan.card.id}: {count}, {size}, to {plan.root}; licence: {plan.card.licence}"
    if not as_json:
        print_line(text)
    if yes or as_json or not sys.stdin.isatty() or (total <= _ASK_FROM and not unknown):
        return
    if not typer.confirm("Fetch it?", err=True):
        print_line("nothing was fetched")
        raise typer.Exit(1)


def _opened(found: DatasetCard, *, partial: bool = False) -> Dataset | None:
    """The cases of what is here; None where only a part of it was asked for and has none yet.

    Raises:
        DatasetError: Nothing in it is recognised.
    """
    from anytomy.core.errors import DatasetError
    from anytomy.datasets.dataset import open_dataset

    try:
        return open_dataset(found.id)
    except DatasetError as error:
        if partial:
            return None
        raise DatasetError(error.message, hint=found.access.steps or error.hint) from error


def _print_got(console: Console, data: dict[str, Any]) -> None:
    from anytomy.cli.datasets_list import size_of

    def say(text: str, style: str = "") -> None:
        console.print(text, soft_wrap=True, markup=False, style=style)

    if data["status"] == "by-hand":
        say(f"{data['id']} cannot be fetched: {data['why_by_hand']}")
        for name in ("place", "steps", "licence"):
            if data[name]:
                say(f"{name + ':':9}{data[name]}")
        return
    word = "fetched to" if data["status"] == "fetched" else "here:"
    counted = "" if data["cases"] is None else f", {size_of(data['cases'], data['patients'])}"
    say(f"{data['id']} {word} {data['path']}{counted}")
    if data["hash_recorded"]:
        say(f"nobody published hashes of {', '.join(data['hash_recorded'])}: those of now are kept", "dim")
    if data["status"] == "fetched":
        say(f"licence: {data['licence']}; cite: {data['citation']}", "dim")
