"""Recognise how a folder of images and masks is laid out: `recognise`."""

from __future__ import annotations

from collections.abc import Callable

from anytomy.core.errors import DatasetError
from anytomy.datasets.finding import Found, find_cases
from anytomy.datasets.recognising.casefolders import case_folders
from anytomy.datasets.recognising.coverage import left_over
from anytomy.datasets.recognising.coverage import share as share_of
from anytomy.datasets.recognising.documents import decathlon, nnunet
from anytomy.datasets.recognising.finishing import finish
from anytomy.datasets.recognising.folders import folders
from anytomy.datasets.recognising.inventory import Inventory
from anytomy.datasets.recognising.known import known
from anytomy.datasets.recognising.naming import names_in
from anytomy.datasets.recognising.npzfiles import npz_files
from anytomy.datasets.recognising.recognition import Recognition
from anytomy.datasets.recognising.series import header_of
from anytomy.datasets.recognising.sketch import Draft
from anytomy.datasets.recognising.suffixes import suffixes
from anytomy.datasets.recognising.tables import manifest
from anytomy.datasets.recognising.trial import card_of
from anytomy.datasets.recognising.wishes import Wishes
from anytomy.datasets.tree import Tree

Family = Callable[[Inventory], Draft | None]
# From the most to the least specific.
FAMILIES: tuple[Family, ...] = (manifest, nnunet, decathlon, npz_files, folders, suffixes, case_folders)
# What explains so much of a folder need not be compared with anything else.
_ENOUGH = 0.8
_ACCEPTED = (
    "nnU-Net or Decathlon folders, images/ and masks/, x.png with x_mask.png, a folder per case, DICOM series"
    " with PNG masks, npz with imgs and gts, or a CSV with the columns image and mask"
)


def recognise(tree: Tree, *, catalogue: bool = True, wishes: Wishes | None = None) -> Recognition:
    """Recognise a folder. Names are looked at, headers of DICOM files, and some masks; images are not opened.

    Args:
        tree: The folder's files.
        catalogue: Whether to look for a data set of the catalogue first.
        wishes: What the user knows better.

    Raises:
        DatasetError: Nothing is recognised; the message says what was seen and what would be.
    """
    wishes = wishes or Wishes()
    inventory = Inventory(tree)
    _refuse_several(tree)
    similar: tuple[str, ...] = ()
    if catalogue:
        found, similar = known(inventory)
        if found is not None and not wishes.labels and not wishes.objects:
            return found
        similar = (found.like, *similar) if found is not None else similar
    draft, cases = _best(inventory)
    if draft is None or cases is None:
        raise _nothing(inventory)
    names, named_by = (draft.names, "") if draft.names else names_in(inventory)
    finished = finish(inventory, draft, wishes, names, named_by)
    modality = wishes.modality or draft.modality or _dicom_modality(inventory, cases)
    odd = [*draft.odd, *finished.odd, *left_over(inventory, cases)]
    understood = [*draft.understood, *finished.understood]
    if similar:
        listed = " or ".join(similar[:4])
        understood.append(f"it may be {listed} of the catalogue: `--like {similar[0]}` takes its card")
    return Recognition(
        kind=_kind(draft, cases),
        layouts=finished.layouts,
        dimension=finished.dimension,
        modality=modality,
        understood=tuple(dict.fromkeys(understood)),
        odd=tuple(dict.fromkeys(odd)),
        similar=similar,
    )


def _best(inventory: Inventory) -> tuple[Draft | None, Found | None]:
    """The first family that explains most of the folder, else the one that explains most."""
    best: tuple[float, Draft, Found] | None = None
    for family in FAMILIES:
        draft = family(inventory)
        if draft is None:
            continue
        found = find_cases(inventory.tree, card_of([sketch.layout for sketch in draft.sketches]))
        if not found.cases:
            continue
        explained = share_of(inventory, found)
        if draft.settled or explained >= _ENOUGH:
            return draft, found
        if best is None or explained > best[0]:
            best = (explained, draft, found)
    return (best[1], best[2]) if best else (None, None)


def _kind(draft: Draft, found: Found) -> str:
    series = any(case.image.path.is_dir() for case in found.cases[:3])
    if series:
        return "dicom-png" if found.cases[0].masks[0].form == "slices" else "dicom"
    return draft.kind


def _dicom_modality(inventory: Inventory, found: Found) -> str:
    said = set()
    folders_ = [path for paths in inventory.dicom_folders.values() for path in paths[:1]]
    for path in folders_[:20]:
        said.add(header_of(inventory, path)[1])
    said.discard("")
    return said.pop() if len(said) == 1 else ""


def _refuse_several(tree: Tree) -> None:
    """A folder of nnU-Net's or of the Decathlon's data sets is not one data set."""
    described = [p.rpartition("/")[0] for p in tree.files if p.split("/")[-1].lower() == "dataset.json"]
    if len(described) > 1 and "" not in described:
        raise DatasetError(
            f"expected one data set in {tree.root}, but {len(described)} folders in it have a dataset.json"
            f" ({', '.join(described[:4])}{' ...' if len(described) > 4 else ''})",
            hint="add them one by one",
        )


def _nothing(inventory: Inventory) -> DatasetError:
    seen = inventory.described()
    why = ", and nothing says which of them are masks of which images" if inventory.files else ""
    return DatasetError(
        f"expected images with masks in {inventory.tree.root}, but recognised none: there are {seen}{why}",
        hint=f"accepted are {_ACCEPTED}",
    )
