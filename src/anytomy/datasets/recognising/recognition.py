"""What was recognised in a folder: `Recognition`."""

from __future__ import annotations

from dataclasses import dataclass

from anytomy.datasets.layout import Layout


@dataclass(frozen=True)
class Recognition:
    """How a folder is to be read, and why.

    Attributes:
        kind: `nnunet`, `decathlon`, `manifest`, `npz`, `folders`, `object-folders`, `suffix`, `case-folders`,
            `dicom-png`, or `catalogue` for a set that is known.
        layouts: Patterns and what the labels mean; enough for a card. For a known set those of its card.
        dimension: `2D` or `3D`.
        modality: What a file says; "" if none does.
        understood: Sentences for the user: what goes with what, how many, what values mean, and why.
        odd: What is strange or left out, one line each.
        like: The data set of the catalogue that it is, or "".
        similar: Data sets of the catalogue that it may be.
    """

    kind: str
    layouts: tuple[Layout, ...]
    dimension: str
    modality: str
    understood: tuple[str, ...]
    odd: tuple[str, ...]
    like: str = ""
    similar: tuple[str, ...] = ()
