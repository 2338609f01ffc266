"""A data set that is here: `open_dataset`, as `anytomy.datasets.open`."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import overload

from anytomy.core.errors import AnytomyWarning, DatasetError
from anytomy.datasets.card import DatasetCard
from anytomy.datasets.case import Case
from anytomy.datasets.finding import Found, find_cases
from anytomy.datasets.registry import VARIABLE, card, download_dir, locate
from anytomy.datasets.tree import Tree


@dataclass(frozen=True)
class Dataset(Sequence[Case]):
    """The cases of a data set. Nothing is loaded before a case is asked for its image or labels.

    Attributes:
        card: What the data set is.
        root: Where it lies.
        cases: Images with masks, in the order of layouts, then of their paths.
        oddities: What did not fit, one line each.
        lone_images: Images without a mask.
        lone_masks: Masks without an image.
    """

    card: DatasetCard
    root: Path
    cases: tuple[Case, ...]
    oddities: tuple[str, ...] = ()
    lone_images: tuple[str, ...] = ()
    lone_masks: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.cases)

    @overload
    def __getitem__(self, index: int) -> Case: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Case, ...]: ...
    def __getitem__(self, index: int | slice) -> Case | tuple[Case, ...]:
        return self.cases[index]

    def __iter__(self) -> Iterator[Case]:
        return iter(self.cases)

    @property
    def patients(self) -> tuple[str, ...]:
        """Patient keys in order, each once."""
        return tuple(dict.fromkeys(case.patient for case in self.cases))

    @property
    def structures(self) -> tuple[str, ...]:
        """What is labelled in its cases, each once."""
        return tuple(dict.fromkeys(s for case in self.cases for s in case.structures))


def open_dataset(name: str) -> Dataset:
    """Open a data set that is on this machine.

    Args:
        name: Id of the catalogue or of a set that the user added.

    Raises:
        DatasetError: It is unknown, it is not on this machine (the message says how to get it), or nothing
            is found where it should be.

    Example:
        >>> import anytomy
        >>> for case in anytomy.datasets.open("acdc"):  # doctest: +SKIP
        ...     image, labels = case.load()
        ...     print(case.id, case.patient, image.array.shape, list(labels))
    """
    found = card(name)
    root = locate(found)
    if root is None:
        way = f"`anytomy datasets get {found.id}`, or " if found.access.downloads else ""
        raise DatasetError(
            f"expected the files of {found.id}, but they are not on this machine",
            hint=f"{way}`anytomy datasets info {found.id}` says how to get them; then `anytomy datasets add"
            f" {found.id} FOLDER`, or put them at {download_dir(found)} or into a folder of {VARIABLE}",
        )
    return dataset_at(found, root)


def dataset_at(found: DatasetCard, root: Path) -> Dataset:
    """The cases of a card in a folder.

    Raises:
        DatasetError: The folder does not exist, or nothing in it fits the card.
    """
    tree = Tree.of(root)
    result: Found = find_cases(tree, found)
    if not result.cases:
        raise DatasetError(
            f"expected {found.id} in {root}, but {_instead(tree, result)}",
            hint=f"expected files like {_expected(found)}",
        )
    for count, what in (
        (len(result.lone_images), "images without masks"),
        (len(result.lone_masks), "masks without images"),
    ):
        if count:
            warnings.warn(f"{found.id}: {count} {what} are left out", AnytomyWarning, stacklevel=2)
    return Dataset(found, root, result.cases, result.oddities, result.lone_images, result.lone_masks)


def _instead(tree: Tree, result: Found) -> str:
    """What is there where no case is."""
    if not tree.files:
        return "there is no file in it"
    alone = [
        f"{count} {what}"
        for count, what in (
            (len(result.lone_images), "images without masks"),
            (len(result.lone_masks), "masks without images"),
        )
        if count
    ]
    said = f", only {' and '.join(alone)}" if alone else ""
    odd = f" ({result.oddities[0]})" if result.oddities else ""
    return f"no image with a mask is found there{said}{odd}"


def _expected(found: DatasetCard) -> str:
    """The first layouts, for a person."""
    shown = []
    for layout in found.layouts[:3]:
        masks = " and ".join(list(layout.masks.values())[:2])
        shown.append(f"{layout.image}{f' with {masks}' if masks else ''} ({layout.name})")
    return "; ".join(shown)
