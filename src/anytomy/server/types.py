"""What goes over the wire: pydantic types, which bound everything that a client sends."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

MOST_POINTS = 1000

Axis = Literal["x", "y", "z"]
SliceNumber = Annotated[int, Field(ge=0, le=10**6)]
LabelId = Annotated[int, Field(ge=1, le=65535)]
Number = Annotated[float, Field(ge=-1e6, le=1e6, allow_inf_nan=False)]
Pixel = Annotated[int, Field(ge=0, le=10**6)]
Text = Annotated[str, Field(max_length=64, pattern=r"^[^\x00-\x1f\x7f]*$")]
Colour = Annotated[str, Field(pattern=r"^#[0-9a-f]{6}$")]
Reference = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")]
Seq = Annotated[int, Field(ge=0, le=2**31)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Shown(_Strict):
    """The slice that the client looks at: its new bits come with the answer."""

    axis: Axis
    slice: SliceNumber


class Looking(Shown):
    """The slice that the client looks at, to be encoded before it is prompted."""

    model: Reference | None = Field(None, description="Who will be asked; the session's where left out.")


class Action(_Strict):
    """What every change may say."""

    who: Annotated[Text, Field(description="Who does it; who began the session where empty.")] = ""
    show: Shown | None = None


class NewSession(_Strict):
    """Begin to annotate a case."""

    case: Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]
    model: Reference | None = Field(None, description="The server's default where left out.")
    who: Text = "unnamed"
    overlap: Literal["exclusive", "keep"] = Field(
        "exclusive",
        description="Whether a voxel has one label, the latest unlocked one, or may have several.",
    )


class NewPrompt(Action):
    """A box, clicks, or both, for a label on a slice, in pixels of the slice as shown."""

    label: LabelId
    axis: Axis = "z"
    slice: SliceNumber = 0
    box: tuple[Number, Number, Number, Number] | None = Field(
        None, description="x0, y0, x1, y1, ends exclusive; takes the place of the group's box."
    )
    points: list[tuple[Number, Number, Literal[0, 1]]] = Field(
        default_factory=list,
        max_length=MOST_POINTS,
        description="x, y, 1 inside or 0 outside; added to the group's.",
    )
    begin: bool = Field(False, description="Begin a new group: keep what is drawn and prompt another part.")
    model: Reference | None = None
    zoom: Annotated[str, Field(max_length=16)] = "off"


class NewDrawing(Action):
    """A part of a mask that was drawn by hand: brush, eraser, polygon, lasso."""

    label: LabelId
    axis: Axis = "z"
    slice: SliceNumber = 0
    box: tuple[Pixel, Pixel, Pixel, Pixel] = Field(description="x0, y0, x1, y1 of the part, ends exclusive.")
    data: Annotated[str, Field(max_length=6 * 2**20)] = Field(
        description="base64 of zlib of the bits, row after row, eight to a byte from the highest."
    )
    mode: Literal["add", "erase", "replace"] = "add"


class NewLabel(Action):
    """A further label."""

    name: Text = ""
    colour: Colour | None = None


class LabelChange(Action):
    """What is to change of a label; what is left out stays."""

    name: Text | None = None
    colour: Colour | None = None
    visible: bool | None = None
    locked: bool | None = None


class Clearing(Action):
    """Empty a label, or one slice of it."""

    label: LabelId
    axis: Axis | None = None
    slice: SliceNumber | None = None


class Restoring(Action):
    """Bring an earlier state back."""

    seq: Seq


class Propagation(Action):
    """Carry prompts through the volume."""

    labels: list[LabelId] | None = Field(None, max_length=255, description="All with prompts where left out.")
    axis: Axis = "z"
    range: tuple[SliceNumber, SliceNumber] | None = Field(
        None, description="First and last + 1 slice; as far as the strategy goes where left out."
    )
    volume: Annotated[str, Field(max_length=64)] = "propagate"
    model: Reference | None = None
    zoom: Annotated[str, Field(max_length=16)] = "off"


class Interpolation(Action):
    """Fill the slices between those of a label."""

    label: LabelId
    axis: Axis = "z"
    range: tuple[SliceNumber, SliceNumber] | None = Field(
        None,
        description="First and last + 1 slice: all between them but what a person prompted or drew is made "
        "anew. Where left out, only empty slices are filled.",
    )


class PatchOut(BaseModel):
    """The bits of a box of a slice."""

    label: int
    box: tuple[int, int, int, int]
    data: str


class SliceMasks(BaseModel):
    """Masks of one slice, each cut to what is drawn or has changed."""

    axis: Axis
    slice: int
    patches: list[PatchOut]
    seq: int | None = None


class Change(BaseModel):
    """Where a label's mask changed."""

    label: int
    box: tuple[int, int, int, int, int, int] = Field(description="x0, y0, z0, x1, y1, z1 on the file's grid.")
    slices: dict[str, tuple[int, int]] = Field(description="First and last + 1 slice, as shown, by axis.")


class Reply(BaseModel):
    """What an action did; it is on the disk."""

    seq: int
    can_undo: bool
    can_redo: bool
    changed: list[Change]
    shown: SliceMasks | None = None
    score: float | None = Field(
        None, description="The model's own predicted IoU; it ranks, it is no accuracy."
    )
    label: dict[str, Any] | None = None


class JobOut(BaseModel):
    """Work in progress."""

    id: str
    session: str
    state: Literal["waiting", "running", "done", "cancelled", "failed"]
    done: int
    expected: int
    error: dict[str, Any] | None = None
    reply: Reply | None = None
