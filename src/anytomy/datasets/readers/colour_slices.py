"""Pictures whose red, green and blue are three slices of a volume, as in FH-PS-AOP (`3 x 256 x 256`)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from anytomy.core.errors import ImageReadError
from anytomy.core.geometry import Geometry
from anytomy.core.image import Image
from anytomy.datasets.finding import Found
from anytomy.datasets.readers import pattern

if TYPE_CHECKING:
    from anytomy.datasets.card import DatasetCard
    from anytomy.datasets.case import ImageRef
    from anytomy.datasets.layout import Layout
    from anytomy.datasets.tree import Tree

FORM = "colour_slices"


def find(tree: Tree, card: DatasetCard, layout: Layout) -> Found:
    """The cases that the layout's patterns find; their images are read by `read_image`."""
    found = pattern.find(tree, card, layout)
    cases = tuple(replace(case, image=replace(case.image, form=FORM)) for case in found.cases)
    return replace(found, cases=cases)


def read_image(ref: ImageRef) -> Image:
    """The picture, `(y, x, 3)`, or `(y, x)` where the three slices are equal.

    Raises:
        ImageReadError: It cannot be read or has neither one nor three slices.
    """
    from anytomy.io.read import read

    stored = read(ref.path)
    if not stored.is_volume:
        return stored
    slices = stored.array.shape[0]
    if stored.is_colour or slices not in (1, 3):
        raise ImageReadError(
            f"expected red, green and blue as three slices in {ref.path}, got {stored.array.shape}"
        )
    grey = slices == 1 or (stored.array == stored.array[:1]).all()
    array = stored.array[0] if grey else np.moveaxis(stored.array, 0, -1)
    width, height, _ = stored.geometry.size_xyz
    spacing_x, spacing_y, _ = stored.geometry.spacing_xyz_mm
    geometry = Geometry(size_xyz=(width, height, 1), spacing_xyz_mm=(spacing_x, spacing_y, 1.0))
    return Image(
        array=np.ascontiguousarray(array),
        geometry=geometry,
        is_volume=False,
        path=ref.path,
        format=stored.format,
    )
