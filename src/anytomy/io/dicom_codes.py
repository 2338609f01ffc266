"""Coded terms for what a segment is: `coding_of`, by the vocabulary of `core.structures`.

- A structure with a SNOMED CT code has it as its type. One of a pair has the code of the unsided structure
  and the side as a modifier, as DICOM recommends; only where that has no code, the code of the sided one.
- Its category is that of its kind: anatomical structure, tissue, or morphologically abnormal structure.
- A structure without a code is called what nobody disputes, a lesion or tissue. The nearest structure above
  it that has a code is its anatomic region; lesions with a code have a region too.
- A name that the vocabulary does not know is tissue, as Slicer has it. A private code would say no more than
  the name does, which is the segment's label, and no viewer knows it.

Codes are of PS3.16 CID 7150 (categories), CID 244 (sides) and CID 7162 (kind of algorithm).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from anytomy.core import structures

if TYPE_CHECKING:
    from anytomy.core.structures import Structure


@dataclass(frozen=True)
class Code:
    """A coded term.

    Attributes:
        value: The code.
        scheme: Coding scheme: `SCT` is SNOMED CT, `DCM` DICOM's own.
        meaning: In words.
    """

    value: str
    scheme: str
    meaning: str

    def same(self, other: Code | None) -> bool:
        """Whether both mean the same, whatever the words."""
        return other is not None and (self.value, self.scheme) == (other.value, other.scheme)


@dataclass(frozen=True)
class Coding:
    """What a segment is.

    Attributes:
        category: Kind of thing.
        type: The thing.
        side: Left or right, for one of a pair.
        region: Where it is, if that says more.
    """

    category: Code
    type: Code
    side: Code | None = None
    region: Code | None = None


TISSUE = Code("85756007", "SCT", "Tissue")
ANATOMY = Code("91723000", "SCT", "Anatomical Structure")
ABNORMAL = Code("49755003", "SCT", "Morphologically Abnormal Structure")
LESION = Code("52988006", "SCT", "Lesion")
BACKGROUND = Code("125040", "DCM", "Background")
ARTIFICIAL_INTELLIGENCE = Code("123110", "DCM", "Artificial Intelligence")
_SIDES = {"left": Code("7771000", "SCT", "Left"), "right": Code("24028007", "SCT", "Right")}


def coding_of(name: str | None) -> Coding:
    """The codes of a structure, by any name that the vocabulary knows.

    Example:
        >>> coding_of("R_kidney").type.meaning, coding_of("R_kidney").side.meaning
        ('Kidney', 'Right')
    """
    found = structures.find(name) if name else None
    if found is None:
        return Coding(TISSUE, TISSUE)
    is_lesion = found.kind == "lesion"
    category = ABNORMAL if is_lesion else TISSUE if found.kind == "tissue" else ANATOMY
    unsided = _above(found) if found.paired and found.side else None
    if unsided is not None and (unsided.snomed or not found.snomed):
        side, of = _SIDES[found.side or "left"], unsided
    else:
        side, of = None, found
    if of.snomed:
        return Coding(category, _code(of), side, _region(of) if is_lesion else None)
    return (
        Coding(category, LESION, side, _region(of))
        if is_lesion
        else Coding(TISSUE, TISSUE, side, _region(of))
    )


def _above(structure: Structure) -> Structure | None:
    return structures.find(structure.parent) if structure.parent else None


def _region(structure: Structure) -> Code | None:
    """The nearest structure above that has a code."""
    above = _above(structure)
    while above is not None and (not above.snomed or above.kind == "lesion"):
        above = _above(above)
    return _code(above) if above is not None else None


def _code(structure: Structure) -> Code:
    return Code(structure.snomed or "", "SCT", structure.name[:1].upper() + structure.name[1:])
