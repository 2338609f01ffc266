"""`anytomy datasets add`: folders of images and masks become data sets with a name."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from anytomy.datasets.adding import Added

_NAMED = 15
_Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]


def add(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="What to call it; left out (or a prefix) with --each.")
    ],
    folder: Annotated[
        Path | None, typer.Argument(metavar="FOLDER", help="The folder with its images and masks.")
    ] = None,
    like: Annotated[
        str | None, typer.Option(metavar="ID", help="The data set of the catalogue that it is.")
    ] = None,
    label: Annotated[
        list[str] | None,
        typer.Option(
            metavar="VALUE=STRUCTURE",
            help="What a value (1=liver) or colour (255,0,0=tumour) means; may be given again.",
        ),
    ] = None,
    objects: Annotated[
        str | None,
        typer.Option(
            metavar="HOW", help="What a label is: one object, instances (by value) or parts (by connection)."
        ),
    ] = None,
    modality: Annotated[
        str | None, typer.Option(metavar="CODE", help="CT, MR, ..., where no file says it.")
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--replace", help="Replace a data set that was added under this name.")
    ] = False,
    no_check: Annotated[bool, typer.Option("--no-check", help="Do not open images and masks.")] = False,
    each: Annotated[
        bool, typer.Option("--each", help="Add each subfolder that is a data set of the catalogue.")
    ] = False,
    as_json: _Json = False,
) -> None:
    """Make a folder usable by a name. Nothing is copied, and nothing is written into the folder.

    Example: anytomy datasets add mine scans/liver --label 1=liver
    """
    from anytomy.cli.output import emit
    from anytomy.core.errors import OptionError

    if each:
        if like or label or objects or modality:
            raise OptionError("expected --each without --like, --label, --objects and --modality")
        prefix, parent = ("", Path(name)) if folder is None else (name, folder)
        _add_each(parent, prefix, overwrite=overwrite, check=not no_check, as_json=as_json)
        return
    if folder is None:
        raise OptionError(
            f"expected a name and a folder, but got {name!r} alone",
            hint="give NAME and FOLDER, or --each for a folder of data sets",
        )
    options = {"like": like, "labels": _labels(label or []), "objects": objects, "modality": modality}
    added = _add(name, folder, overwrite=overwrite, check=not no_check, quiet=as_json, **options)

    def render(console: Console) -> None:
        _print_added(console, added)
        _say(console, f"look at it by: anytomy datasets show {added.card.id}", "dim")

    emit("datasets add", _as_dict(added), as_json=as_json, render=render)


def _add(name: str, folder: Path, *, overwrite: bool, check: bool, quiet: bool, **options: Any) -> Added:
    from anytomy.cli.progress import slices_bar
    from anytomy.datasets.adding import add_dataset

    if not check:
        options["limit"] = 0
    with slices_bar(f"opening files of {name}", shown=not quiet) as step:
        return add_dataset(name, folder, replace=overwrite, progress=step, **options)


def _labels(given: Sequence[str]) -> dict[str, str]:
    """`1=liver` and the like.

    Raises:
        OptionError: One is none.
    """
    from anytomy.core.errors import OptionError

    labels = {}
    for text in given:
        value, equals, structure = (part.strip() for part in text.partition("="))
        if not (value and equals and structure):
            raise OptionError(f"expected a label as 1=liver, but got {text!r}")
        labels[value] = structure
    return labels


def _add_each(parent: Path, prefix: str, *, overwrite: bool, check: bool, as_json: bool) -> None:
    """Add the subfolders that are known; say of the others why not."""
    from anytomy.cli.output import emit
    from anytomy.core.errors import DatasetError

    folders = sorted(p for p in parent.iterdir() if p.is_dir()) if parent.is_dir() else []
    folders = [path for path in folders if not path.name.startswith(".")]
    if not folders:
        what = "there are none in it" if parent.is_dir() else "there is no such folder"
        raise DatasetError(f"expected folders of data sets in {parent}, but {what}")
    added: list[Added] = []
    skipped: dict[str, str] = {}
    there = 0
    for path in folders:
        try:
            known = _known(path)
            name = prefix + known
            if earlier := next((a for a in added if a.card.id == name), None):
                raise DatasetError(f"{earlier.dataset.root.name} is {known} already")
            if _is_added(name, path) and not overwrite:
                there += 1
                raise DatasetError(f"it was added as {name} before")
            added.append(_add(name, path, like=known, overwrite=overwrite, check=check, quiet=as_json))
        except DatasetError as error:
            skipped[path.name] = str(error)
    if not added and not there:
        first = next(iter(skipped))
        raise DatasetError(
            f"expected data sets of the catalogue in {parent}, but none of {len(folders)} folders is one:"
            f" {first}: {skipped[first]}",
            hint="add a folder of your own by: anytomy datasets add NAME FOLDER",
        )
    data = {
        "added": [_as_dict(one) for one in added],
        "skipped": [{"folder": str(parent / name), "why": why} for name, why in skipped.items()],
    }

    def render(console: Console) -> None:
        for one in added:
            _print_added(console, one)
        for name, why in skipped.items():
            _say(console, f"{name} left out: {why}")

    emit("datasets add", data, as_json=as_json, render=render)


def _known(folder: Path) -> str:
    """The data set of the catalogue that a folder is: by its name, or by how its files lie.

    Raises:
        DatasetError: It is none.
    """
    from anytomy.core.errors import DatasetError
    from anytomy.datasets.recognising import recognise
    from anytomy.datasets.registry import builtin_cards
    from anytomy.datasets.tree import Tree

    cards = builtin_cards()
    word = folder.name.lower()
    for names in ([[c.id] for c in cards], [[a.lower() for a in c.aliases] for c in cards]):
        for card, called in zip(cards, names, strict=True):
            if word in called:
                return card.id
    like = recognise(Tree.of(folder)).like
    if not like:
        raise DatasetError("it is not known; add it by a name of its own")
    return like


def _is_added(name: str, folder: Path) -> bool:
    """Whether the folder was added under this name before, as by a run that was stopped."""
    from anytomy.core.errors import DatasetError
    from anytomy.datasets.registry import added_dir, card

    if not added_dir(name).is_dir():
        return False
    try:
        root = card(name).root
    except DatasetError:
        return False
    return root is not None and root.resolve() == folder.resolve()


def _as_dict(added: Added) -> dict[str, Any]:
    recognition, dataset = added.recognition, added.dataset
    return {
        "id": added.card.id,
        "path": str(dataset.root),
        "card": str(added.card.source),
        "kind": recognition.kind,
        "like": recognition.like or None,
        "similar": list(recognition.similar),
        "cases": len(dataset),
        "patients": len(dataset.patients),
        "structures": list(dataset.structures),
        "understood": list(recognition.understood),
        "odd": _odd(added),
        "findings": [dict(vars(finding)) for finding in added.findings],
    }


def _odd(added: Added) -> list[str]:
    """What is strange, one line each: what was seen in names and what was found in files."""
    from anytomy.datasets.checking import summarise

    return list(dict.fromkeys([*added.recognition.odd, *summarise(added.findings)]))


def _print_added(console: Console, added: Added) -> None:
    from anytomy.cli.datasets_list import size_of

    dataset = added.dataset
    names = dataset.structures
    structures = ", ".join(names[:_NAMED]) + (f" and {len(names) - _NAMED} more" * (len(names) > _NAMED))
    _say(console, f"{added.card.id}: {size_of(len(dataset), len(dataset.patients))}; {structures}", "bold")
    for line in added.recognition.understood:
        _say(console, f"  {line}")
    for line in _odd(added):
        _say(console, f"  odd: {line}")
    if not added.recognition.like:
        _say(console, f"  what was understood can be corrected in {added.card.source}", "dim")


def _say(console: Console, text: str, style: str = "") -> None:
    console.print(text, soft_wrap=True, markup=False, style=style)
