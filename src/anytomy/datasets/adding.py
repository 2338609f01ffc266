"""Data sets of the user's own: `add_dataset` writes a card of a folder, which stays where and as it is."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from anytomy.core.errors import AnytomyWarning, DatasetError, OutputError
from anytomy.datasets.card import ID, Access, DatasetCard, Size
from anytomy.datasets.checking import Finding, check_cases
from anytomy.datasets.dataset import Dataset, dataset_at
from anytomy.datasets.recognising import Recognition, recognise
from anytomy.datasets.recognising.wishes import wishes_from
from anytomy.datasets.registry import added_dir, builtin_cards, card
from anytomy.datasets.tree import Tree
from anytomy.io.atomic import write_text
from anytomy.io.toml_write import toml_text
from anytomy.zoo.home import home_dir

__all__ = ["Added", "add_dataset", "remove_dataset"]

_CARD = "dataset.toml"
# What Anytomy itself writes beside a card.
_OURS = (_CARD, "splits.json")
_OPENED = 50


@dataclass(frozen=True)
class Added:
    """A data set that was added.

    Attributes:
        card: Its card, as it was written.
        dataset: Its cases.
        recognition: What was understood.
        findings: What is wrong with the cases that were opened.
    """

    card: DatasetCard
    dataset: Dataset
    recognition: Recognition
    findings: tuple[Finding, ...]


def add_dataset(
    name: str,
    folder: str | Path,
    *,
    like: str | None = None,
    labels: Mapping[str, str] | None = None,
    objects: str | None = None,
    modality: str | None = None,
    replace: bool = False,
    limit: int | None = _OPENED,
    progress: Callable[[int, int], None] | None = None,
) -> Added:
    """Make a folder usable by a name. Nothing is copied, and nothing is written into the folder.

    Args:
        name: What it will be called. An id of the catalogue means that set, with its card.
        folder: Where the files are.
        like: A data set of the catalogue that it is; its card is used.
        labels: Names of values (`{"1": "liver"}`), of colours (`{"255,0,0": "tumour"}`) or of masks that file
            names tell apart.
        objects: `one`, `instances` or `parts`, where what is found out about the masks is wrong.
        modality: `CT`, `MR`, ..., where no file says it.
        replace: Whether a data set that was added under this name may be replaced.
        limit: How many cases are opened to find out what is odd; None for all.
        progress: See `check_cases`.

    Raises:
        DatasetError: The name is taken or no id, the folder is none or holds nothing that is recognised.
        OutputError: The card cannot be written.
    """
    root = _folder(folder)
    like = _catalogue_id(like, name)
    _check_name(name, like, replace=replace)
    if like is not None:
        if labels or objects:
            raise DatasetError(f"expected no labels or objects, since the card of {like} says what they are")
        recognition = _as_card_says(_of_catalogue(like))
    else:
        recognition = recognise(Tree.of(root), wishes=wishes_from(labels, objects, modality))
        like = recognition.like or None
    template = _of_catalogue(like) if like else _card(name, root, recognition)
    # Before anything is written: whether its files are there.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AnytomyWarning)  # what is left out is among the findings
        dataset = dataset_at(dataclasses.replace(template, id=name, root=root), root)
    text = toml_text({"id": name, "like": like, "root": str(root)} if like else template.to_dict())
    _write(added_dir(name) / _CARD, text)
    dataset = dataclasses.replace(dataset, card=card(name))
    findings = check_cases(dataset, limit=limit, progress=progress)
    return Added(dataset.card, dataset, recognition, tuple(findings))


def remove_dataset(name: str) -> Path:
    """Forget a data set that was added: its card and its splits. The data themselves are never touched.

    Returns:
        Where the data are, as far as the card said it.

    Raises:
        DatasetError: No data set was added under this name.
        OutputError: It cannot be removed.
    """
    folder = added_dir(name) if ID.fullmatch(name) else None
    if folder is None or not (folder / _CARD).is_file():
        raise DatasetError(
            f"expected a data set that was added, but there is none called {name!r}",
            hint="`anytomy datasets list` shows all; those of the catalogue cannot be removed",
        )
    try:
        root = card(name).root or Path()
    except DatasetError:
        root = Path()  # a broken card can be removed all the same
    try:
        for file in _OURS:
            (folder / file).unlink(missing_ok=True)
        if not any(folder.iterdir()):
            folder.rmdir()
    except OSError as error:
        raise OutputError(f"expected to remove {folder}, but: {error.strerror}") from error
    return root


def _folder(folder: str | Path) -> Path:
    root = Path(folder).expanduser().absolute()
    if not root.is_dir():
        what = "is a file" if root.exists() else "does not exist"
        raise DatasetError(f"expected a folder with images and masks, but {folder} {what}")
    if root.resolve().is_relative_to(home_dir().resolve()):
        raise DatasetError(
            f"expected a folder of yours, but {folder} lies in Anytomy's own ({home_dir()})",
            hint="move it elsewhere",
        )
    return root


def _catalogue_id(like: str | None, name: str) -> str | None:
    """The id of the catalogue's card that is meant; a name of the catalogue means its own card."""
    known = {one.id: one.id for one in builtin_cards()}
    if like is None:
        return known.get(name)
    aliases = {alias.lower(): one.id for one in builtin_cards() for alias in one.aliases}
    found = known.get(like) or aliases.get(like.lower())
    if found is None:
        raise DatasetError(
            f"expected a data set of the catalogue, but there is none called {like!r}",
            hint="`anytomy datasets list` shows all",
        )
    if name in known and name != found:
        raise DatasetError(f"expected a new name, but {name} is another set of the catalogue")
    return found


def _of_catalogue(like: str) -> DatasetCard:
    return next(one for one in builtin_cards() if one.id == like)


def _check_name(name: str, like: str | None, *, replace: bool) -> None:
    if not ID.fullmatch(name):
        raise DatasetError(
            f"expected a name of small letters, digits, '_', '-' and '.', but got {name!r}",
            hint="such as my-liver",
        )
    if (added_dir(name) / _CARD).exists() and not replace:
        raise DatasetError(
            f"expected a new name, but there is a data set {name!r} already",
            hint=f"give another one, or replace it by --replace, or first `anytomy datasets remove {name}`",
        )


def _as_card_says(found: DatasetCard) -> Recognition:
    return Recognition(
        kind="catalogue",
        layouts=found.layouts,
        dimension=found.dimension,
        modality=found.modality[0] if len(found.modality) == 1 else "",
        understood=(f"taken as {found.title} ({found.id})",),
        odd=(),
        like=found.id,
    )


def _card(name: str, root: Path, recognition: Recognition) -> DatasetCard:
    """A card of what was recognised; it can be edited."""
    layouts, shared = recognition.layouts, recognition.layouts[0].targets
    masks = {tuple(layout.masks) for layout in layouts}
    if shared and len(masks) == 1 and all(layout.targets == shared for layout in layouts):
        layouts = tuple(dataclasses.replace(layout, targets=()) for layout in layouts)
    else:
        shared = ()
    patients = [line for line in recognition.understood if "patient" in line]
    return DatasetCard(
        id=name,
        title=name,
        summary=f"added from the folder {root.name}, recognised as {recognition.kind}",
        survey=0,
        modality=(recognition.modality,) if recognition.modality else (),
        anatomy="",
        dimension=recognition.dimension,
        quality="unknown",
        licence="",
        licence_class="unknown",
        citation="",
        size=Size(),
        access=Access("local", place=str(root)),
        targets=shared,
        layouts=layouts,
        patient_key=patients[-1] if patients else "",
        source=added_dir(name) / _CARD,
        builtin=False,
        root=root,
    )


def _write(path: Path, text: str) -> None:
    try:
        write_text(path, text)
    except UnicodeEncodeError as error:
        raise OutputError(
            f"expected a folder whose name can be written into a card, but got {text[:80]!a}",
            hint="rename the folder",
        ) from error
