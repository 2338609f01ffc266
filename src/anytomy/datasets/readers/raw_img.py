"""The films of JSRT: `.IMG` files without a header, 2048 x 2048 pixels of 16 bits, big-endian.

They hold optical density in 12 bits, black on the film being the most; what comes out is turned round, so
that bones are bright as in any radiograph.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from anytomy.core.errors import ImageReadError
from anytomy.core.geometry import Geometry
from anytomy.core.image import Image
from anytomy.datasets.readers import pattern

if TYPE_CHECKING:
    from anytomy.datasets.card import DatasetCard
    from anytomy.datasets.case import ImageRef
    from anytomy.datasets.finding import Found
    from anytomy.datasets.layout import Layout
    from anytomy.datasets.tree import Tree

FORM = "raw_img"
SIDE = 2048
SPACING_MM = 0.175
_MOST = 4095


def find(tree: Tree, card: DatasetCard, layout: Layout) -> Found:
    """The cases that the layout's patterns find; their images are read by `read_image`."""
    found = pattern.find(tree, card, layout)
    cases = tuple(replace(case, image=replace(case.image, form=FORM)) for case in found.cases)
    return replace(found, cases=cases)


def read_image(ref: ImageRef) -> Image:
    """A film, `(y, x)` in 0 to 4095, bones bright.

    Raises:
        ImageReadError: It cannot be read or has another size.
    """
    try:
        data = ref.path.read_bytes()
    except OSError as error:
        raise ImageReadError(f"{ref.path} cannot be read: {error.strerror or error}") from error
    expected = 2 * SIDE * SIDE
    if len(data) != expected:
        raise ImageReadError(
            f"expected {expected} bytes ({SIDE} x {SIDE} pixels of 16 bits) in {ref.path}, got {len(data)}",
            hint="it may be truncated or no film of JSRT",
        )
    density = np.frombuffer(data, dtype=">u2").reshape(SIDE, SIDE)
    most = int(density.max())
    if most > _MOST:
        raise ImageReadError(f"expected values of 12 bits in {ref.path}, got up to {most}")
    array = (_MOST - density.astype(np.int32)).astype(np.uint16)
    geometry = Geometry(size_xyz=(SIDE, SIDE, 1), spacing_xyz_mm=(SPACING_MM, SPACING_MM, 1.0))
    return Image(array=array, geometry=geometry, is_volume=False, path=ref.path, format=FORM)
