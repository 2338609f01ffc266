"""How a data set lies on disk, as data: `Layout`, and what its labels mean: `Target`.

A layout is a pair of path patterns, one for images and one for masks, that are joined by the names in
braces: `img/img{case}.nii.gz` and `label/label{case}.nii.gz` (see `anytomy.datasets.pattern`). Most of the
field's data sets need nothing else; those that do name a reader (`anytomy.datasets.readers`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from anytomy.io.toml_table import Table

OBJECTS = ("one", "instances", "parts")
DIMENSIONS = ("2D", "3D", "2D+t", "3D+t")


@dataclass(frozen=True)
class Target:
    """What a label marks, and how the file says it. Exactly one of `values`, `above`, `colour` and
    `objects = "instances"` says which pixels belong to it.

    Attributes:
        structure: Name in the vocabulary (`anytomy.core.structures`).
        values: Label values that belong to it, united.
        above: Pixels above this value belong to it: 0 for masks, 127 for JPEGs and soft maps.
        colour: Red, green and blue of an RGB-coded mask.
        objects: `one` (all of it is one object), `instances` (each value is an object of its own) or `parts`
            (each connected part is an object of its own). Where there are several files, each is an object.
        mask: Which of the layout's masks holds it.
        channel: Which channel or time point of a label with one axis more, where there is one.
    """

    structure: str
    values: tuple[int, ...] = ()
    above: float | None = None
    colour: tuple[int, int, int] | None = None
    objects: Literal["one", "instances", "parts"] = "one"
    mask: str = "mask"
    channel: int | None = None

    def to_dict(self) -> dict[str, Any]:
        """The fields that are set, as TOML and JSON have them."""
        fields: dict[str, Any] = {"structure": self.structure}
        for name, value in (("values", list(self.values)), ("above", self.above), ("channel", self.channel)):
            if value is not None and value != []:
                fields[name] = value
        if self.colour is not None:
            fields["colour"] = list(self.colour)
        if self.objects != "one":
            fields["objects"] = self.objects
        if self.mask != "mask":
            fields["mask"] = self.mask
        return fields


@dataclass(frozen=True)
class Layout:
    """One way in which a data set is laid out.

    Attributes:
        name: `official`, `nnunet`, `medsegbench`, ...
        image: Pattern of the images; one that ends in `/` names folders with a DICOM series,
            `{case}.npz::imgs` an array in a file.
        masks: Pattern of each mask file by name; several files that fit to one image are one object each,
            or the slices of a series. A `{structure}` in the pattern tells what each file marks.
        targets: What the labels mean; those of the data set where empty.
        patient: Template of the patient key from the names of the image pattern.
        case: Template of the case's name; the names in order where empty.
        modality: DICOM code where it differs from the data set's (`CT` and `MR` in one set).
        split: The publisher's own split (`train`, `test`), for information.
        reader: Name of a reader where patterns do not do; its own options are in `options`.
        options: What else the reader needs.
        time: Time point or channel of an image with one axis more; None where there is none.
        resize_masks: Masks have another size than images and are resized to them (nearest).
        documented: Whether the publisher documents it; otherwise it is inferred.
        note: What a person should know.
    """

    name: str
    image: str
    masks: Mapping[str, str] = field(default_factory=dict)
    targets: tuple[Target, ...] = ()
    patient: str = ""
    case: str = ""
    modality: str = ""
    split: str = ""
    reader: str = "pattern"
    options: Mapping[str, Any] = field(default_factory=dict)
    time: int | None = None
    resize_masks: bool = False
    documented: bool = True
    note: str = ""

    def to_dict(self) -> dict[str, Any]:
        """The fields that are set, as TOML and JSON have them."""
        fields: dict[str, Any] = {"name": self.name, "image": self.image}
        for name in ("patient", "case", "modality", "split", "note"):
            if getattr(self, name):
                fields[name] = getattr(self, name)
        if self.reader != "pattern":
            fields["reader"] = self.reader
        if self.time is not None:
            fields["time"] = self.time
        if self.resize_masks:
            fields["resize_masks"] = True
        if not self.documented:
            fields["documented"] = False
        if self.masks:
            fields["masks"] = dict(self.masks)
        if self.options:
            fields["options"] = dict(self.options)
        if self.targets:
            fields["targets"] = [t.to_dict() for t in self.targets]
        return fields


def layout_from(table: Table) -> Layout:
    """Read one `[[layouts]]` table.

    Raises:
        DatasetError: A field is missing, unknown or wrong.
    """
    masks = table.table("masks", optional=True)
    layout = Layout(
        name=table.text("name"),
        image=table.text("image"),
        masks={} if masks is None else {n: masks.text(n) for n in masks.names()},
        targets=tuple(target_from(t) for t in table.tables("targets")),
        patient=table.text("patient", empty=True, default=""),
        case=table.text("case", empty=True, default=""),
        modality=table.text("modality", empty=True, default=""),
        split=table.text("split", empty=True, default=""),
        reader=table.text("reader", default="pattern"),
        options=table.fields("options"),
        time=table.optional_whole("time"),
        resize_masks=table.flag("resize_masks", default=False),
        documented=table.flag("documented", default=True),
        note=table.text("note", empty=True, default=""),
    )
    table.finish()
    return layout


def target_from(table: Table) -> Target:
    """Read one `[[targets]]` table.

    Raises:
        DatasetError: A field is missing, unknown or wrong, or nothing or too much says which pixels count.
    """
    values = table.numbers("values")
    colour = table.numbers("colour")
    if not all(v.is_integer() for v in values):
        table.fail("values", "whole numbers", values)
    if len(colour) not in (0, 3) or not all(v.is_integer() and 0 <= v <= 255 for v in colour):
        table.fail("colour", "red, green and blue from 0 to 255", colour)
    objects = table.text("objects", default="one")
    if objects not in OBJECTS:
        table.fail("objects", f"one of {', '.join(OBJECTS)}", objects)
    target = Target(
        structure=table.text("structure"),
        values=tuple(int(v) for v in values),
        above=table.optional_number("above"),
        colour=(int(colour[0]), int(colour[1]), int(colour[2])) if colour else None,
        objects=objects,  # type: ignore[arg-type]
        mask=table.text("mask", default="mask"),
        channel=table.optional_whole("channel"),
    )
    table.finish()
    if target.above is not None and not math.isfinite(target.above):
        table.fail("above", "a finite number", target.above)
    said = [name for name in ("values", "above", "colour") if name in target.to_dict()]
    if len(said) > 1 or (not said and objects != "instances"):
        wanted = f'one of values, above and colour (or objects = "instances") for {target.structure}'
        table.fail("values", wanted, ", ".join(said) or None)
    return target
