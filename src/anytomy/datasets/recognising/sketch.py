"""What recognising works with: pairs of files, bundles of pairs that lie alike, unfinished layouts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from anytomy.datasets.layout import Layout
from anytomy.datasets.recognising.affixes import Rule
from anytomy.datasets.recognising.files import File


@dataclass(frozen=True)
class Pair:
    """An image and one of its masks.

    Attributes:
        image: The image.
        mask: The mask.
        rest: What the mask's name has after what it shares with the image's; all where they share nothing.
    """

    image: File
    mask: File
    rest: str = ""


@dataclass(frozen=True)
class Bundle:
    """Pairs that lie alike: images in `PREFIX/IMAGE_DIR/SUB`, masks in `PREFIX/MASK_DIR/SUB`.

    Attributes:
        pairs: The pairs.
        rule: How names of images and masks go together; None where the folder alone joins them.
        image_dir: Folders that only images are in.
        mask_dir: Folders that only masks are in.
        inner: Number of folders below these, which images and masks share.
        own_folder: Whether each image's masks lie in a folder of its name.
    """

    pairs: tuple[Pair, ...]
    rule: Rule | None
    image_dir: tuple[str, ...] = ()
    mask_dir: tuple[str, ...] = ()
    inner: int = 0
    own_folder: bool = False

    def prefix(self, image: File) -> tuple[str, ...]:
        """The folders of an image that come before."""
        return image.folder[: len(image.folder) - self.inner - len(self.image_dir)]

    def sub(self, image: File) -> tuple[str, ...]:
        """The folders of an image that come after."""
        return image.folder[len(image.folder) - self.inner :]

    @property
    def images(self) -> set[str]:
        """Paths of the images."""
        return {pair.image.path for pair in self.pairs}


@dataclass(frozen=True)
class Sketch:
    """A layout whose targets are not known yet.

    Attributes:
        layout: Patterns, and targets where a file said them.
        structures: What each mask marks, as far as its name says.
        one_file_each: Masks of which several files belong to an image, one object each.
    """

    layout: Layout
    structures: Mapping[str, str] = field(default_factory=dict)
    one_file_each: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Draft:
    """What a family made of a folder.

    Attributes:
        kind: Its name: `nnunet`, `folders`, ...
        sketches: The layouts.
        understood: Sentences for the user.
        odd: What is strange.
        names: What values of masks mean, as far as a file says.
        modality: As far as a file says.
        settled: Whether nothing else need be tried: a file in the folder describes it.
    """

    kind: str
    sketches: tuple[Sketch, ...]
    understood: tuple[str, ...] = ()
    odd: tuple[str, ...] = ()
    names: Mapping[Any, str] = field(default_factory=dict)
    modality: str = ""
    settled: bool = False
