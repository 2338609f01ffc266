"""Readers for data sets that are no pair of path patterns; one file each.

A layout names its reader (`reader = "rle_csv"`); `pattern` is the default. Third parties add theirs by entry
point in the group `anytomy.dataset_readers`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol, cast

from anytomy.core.errors import DatasetError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from anytomy.core.image import Image
    from anytomy.datasets.card import DatasetCard
    from anytomy.datasets.case import ImageRef, MaskRef
    from anytomy.datasets.finding import Found
    from anytomy.datasets.layout import Layout
    from anytomy.datasets.tree import Tree

GROUP = "anytomy.dataset_readers"
BUILT_IN = ("colour_slices", "manifest", "mat", "mms", "pattern", "raw_img", "rle_csv")


class DatasetReader(Protocol):
    """Finds the cases of one kind of layout; a module or an object.

    - `find` looks at names and small tables only, never at an image.
    - Whatever does not fit (images without masks, masks without images, rows without files) is reported in
      `Found.oddities`, one line each, and does not stop the rest.
    - `read_image` and `decode` are needed only by readers whose cases have `ImageRef.form` or a
      `MaskRef.form` of their own.
    """

    def find(self, tree: Tree, card: DatasetCard, layout: Layout) -> Found:
        """The cases below a folder."""

    def read_image(self, ref: ImageRef) -> Image:
        """An image of a form that `io.read` does not know."""

    def decode(self, ref: MaskRef, image: Image) -> NDArray[Any]:
        """Raw label values `([z,] y, x)` on the image's grid of a mask of its own form."""


def reader(name: str) -> DatasetReader:
    """A reader by name.

    Raises:
        DatasetError: If there is none.
    """
    if name in BUILT_IN:
        return cast("DatasetReader", import_module(f"anytomy.datasets.readers.{name}"))
    from importlib.metadata import entry_points

    points = {point.name: point for point in entry_points(group=GROUP)}
    if name not in points:
        raise DatasetError(
            f"expected a reader of {', '.join([*BUILT_IN, *points])}, got {name!r}",
            hint="install the package that brings it, or correct the layout",
        )
    try:
        return cast("DatasetReader", points[name].load())
    except (ImportError, AttributeError) as error:
        raise DatasetError(f"the reader {name} ({points[name].value}) cannot be loaded: {error}") from error
