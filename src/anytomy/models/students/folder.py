"""The folder of a student: `student.safetensors`, `student.onnx` and `student.json`, which says what it is.

Reading the card needs no torch. On a CPU the network runs from its graph; the weights are for all else.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import warnings
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anytomy.core.errors import AnytomyError, ModelError
from anytomy.core.intensity import IntensityPolicy
from anytomy.io.atomic import atomic_path, write_bytes, write_text
from anytomy.io.toml_table import Table
from anytomy.models.bundle import SHA256, read_card, read_content

if TYPE_CHECKING:
    from torch import Tensor

CARD, WEIGHTS, GRAPH = "student.json", "student.safetensors", "student.onnx"
SCHEMA = "anytomy.student/1"
OPSET = 18
AXES = ("x", "y", "z")
_ANEW = "distil the student anew"


@dataclass(frozen=True, kw_only=True)
class StudentCard:
    """All that is known of a student; the content of `student.json`.

    Attributes:
        network: A name of `models.students.registry`.
        dims: 2, slice by slice, or 3.
        classes: Names in the order of channels, without the background.
        patch: Size of the network's input along the spatial axes, `([z,] y, x)`.
        intensity: Policy in the option syntax: how stored values become grey levels.
        volumes: Whether it was trained on volumes (else on single pictures).
        axis: The file's axis that slices run along, for `dims` 2.
        size: Pixels of the longer side of a picture as the student sees it; None where `spacing_mm` says it,
            or pixels stay as they are.
        spacing_mm: Distance of voxels as the student sees them, along the axes of `patch`; empty where not.
        colours: Channels of a picture, 1 or 3.
        extra: Further input channels: masks of the teacher, 0 to 1, without which it cannot run.
        mean: Per colour, of grey levels 0 to 255.
        std: Per colour.
        title: Name for people.
        summary: One line.
        teacher: The model that taught it, and its licence, hash and the like.
        recipe: How it was taught.
        data: Data sets and their cases by what they were used for; `teacher` and `guide` have those whose
            labels its teacher and its guide learned from, `images` those of which they saw the images.
        metrics: What was measured.
        versions: Of the packages that trained it.
        training: Everything else that decided the result: the resolved configuration.
        licence: Of the student.
        weights_sha256: Hash of `student.safetensors`; `write_student` sets it.
        graph_sha256: Hash of `student.onnx`; `write_student` sets it.
    """

    network: str
    dims: int
    classes: tuple[str, ...]
    patch: tuple[int, ...]
    intensity: str
    volumes: bool = False
    axis: str = "z"
    size: int | None = None
    spacing_mm: tuple[float, ...] = ()
    colours: int = 1
    extra: int = 0
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (255.0,)
    title: str = ""
    summary: str = ""
    teacher: Mapping[str, Any] = field(default_factory=dict)
    recipe: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)
    metrics: Mapping[str, Any] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    training: Mapping[str, Any] = field(default_factory=dict)
    licence: str = "unknown"
    weights_sha256: str = ""
    graph_sha256: str = ""

    @property
    def channels(self) -> int:
        """Channels of the network's input."""
        return self.colours + self.extra

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it."""
        plain: dict[str, Any] = json.loads(json.dumps({"schema": SCHEMA, **asdict(self)}))
        return plain


def is_student(folder: Path) -> bool:
    """Whether a folder says that it is a student."""
    return (folder / CARD).is_file()


def read_student(folder: Path) -> StudentCard:
    """Read the card of a student.

    Raises:
        ModelError: There is none, or a field is missing, unknown, of a wrong type or value; the message names
            the file.
    """
    path = folder / CARD
    values = read_card(
        path, what="a student", version=("schema", SCHEMA), maker="anytomy distill", anew=_ANEW
    )
    return _checked(_card(values, path), path)


def read_weights(folder: Path, card: StudentCard) -> dict[str, Tensor]:
    """Read the weights of the network.

    Raises:
        ModelError: The file is missing or damaged.
        ChecksumError: It is not the one that the card names.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load

    content = _content(folder / WEIGHTS, card.weights_sha256)
    try:
        state: dict[str, Tensor] = load(content)
    except (SafetensorError, ValueError) as error:
        raise ModelError(f"{folder / WEIGHTS} is damaged: {error}", hint="copy the folder anew") from error
    return state


def graph_path(folder: Path, card: StudentCard) -> Path:
    """The network's graph: pixels `(1, channels, *patch)` to logits `(1, classes + 1, *patch)`, float32.

    Raises:
        ModelError: The file is missing.
        ChecksumError: It is not the one that the card names.
    """
    _content(folder / GRAPH, card.graph_sha256)
    return folder / GRAPH


def load_network(folder: Path, card: StudentCard) -> Any:
    """The torch module of a student with its weights, in `eval()` mode.

    Raises:
        ModelError: The weights do not fit the network and the classes of the card.
    """
    return _network(card, read_weights(folder, card), folder / CARD).eval()


def write_student(folder: Path, card: StudentCard, state: Mapping[str, Tensor]) -> StudentCard:
    """Write a student; its card comes last, so that a folder with a card is complete.

    Args:
        folder: Made if need be; an older student in it is replaced.
        card: What it is.
        state: The weights of its network.

    Returns:
        The card, with the hashes.

    Raises:
        ModelError: The card contradicts itself, or the weights do not fit it.
        OutputError: The folder cannot be written.
    """
    from safetensors.torch import save

    card = _checked(card, folder / CARD)
    network = _network(card, state, folder / CARD)
    content = save({n: t.detach().cpu().contiguous() for n, t in weights_of(network).items()})
    (folder / CARD).unlink(missing_ok=True)  # while files of two students lie there, it is none
    write_bytes(folder / WEIGHTS, content)
    with atomic_path(folder / GRAPH) as temporary:
        _export(network.eval(), (1, card.channels, *card.patch), temporary)
        graph = temporary.read_bytes()
    weights_sha256, graph_sha256 = (hashlib.sha256(each).hexdigest() for each in (content, graph))
    written = replace(card, weights_sha256=weights_sha256, graph_sha256=graph_sha256)
    write_text(folder / CARD, json.dumps(written.to_dict(), indent=2, ensure_ascii=False) + "\n")
    return written


def weights_of(network: Any) -> dict[str, Tensor]:
    """The weights of a module by name; what has several names (in MONAI's `DynUNet`) under the first."""
    first = {name for name, _ in itertools.chain(network.named_parameters(), network.named_buffers())}
    return {name: tensor for name, tensor in network.state_dict().items() if name in first}


def _network(card: StudentCard, state: Mapping[str, Tensor], source: Path) -> Any:
    from anytomy.models.students.registry import build

    network = build(card.network, dims=card.dims, channels=card.channels, classes=len(card.classes))
    fault = ""
    try:
        found = network.load_state_dict(dict(state), strict=False)
    except RuntimeError as error:
        lines = str(error).splitlines()
        fault = lines[1].strip() if len(lines) > 1 else lines[0]
    else:
        lacks = [name for name in weights_of(network) if name not in state]
        fault = " and ".join(
            f"{what} {names[0]}"
            for what, names in (("no", lacks), ("unknown", found.unexpected_keys))
            if names
        )
    if fault:
        raise ModelError(
            f"the weights do not fit {source}: a {card.network} for {len(card.classes)} classes in "
            f"{card.dims}D with {card.channels} channels ({fault})",
            hint="copy the whole folder anew",
        )
    return network


def _export(network: Any, shape: tuple[int, ...], path: Path) -> None:
    import torch

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of shapes taken as constants: they are
        torch.onnx.export(
            network,
            (torch.zeros(shape),),
            str(path),
            input_names=["pixels"],
            output_names=["logits"],
            opset_version=OPSET,
            dynamo=False,
        )


def _content(path: Path, sha256: str) -> bytes:
    """The bytes of a file of the bundle, if it is the one that the card names."""
    return read_content(
        path,
        sha256,
        what="a file of the student",
        wrong=f"is truncated, or not the file that {CARD} names",
        hint="copy the whole folder anew",
    )


def _card(values: Mapping[str, Any], path: Path) -> StudentCard:
    top = Table({name: value for name, value in values.items() if value is not None}, path)
    top.text("schema")
    card = StudentCard(
        network=top.text("network"),
        dims=top.whole("dims", least=2),
        classes=top.texts("classes"),
        patch=tuple(int(n) for n in top.numbers("patch")),
        intensity=top.text("intensity"),
        volumes=top.flag("volumes", default=False),
        axis=top.choice("axis", AXES),
        size=top.optional_whole("size"),
        spacing_mm=top.numbers("spacing_mm"),
        colours=top.whole("colours", least=1),
        extra=top.whole("extra", default=0),
        mean=top.numbers("mean"),
        std=top.numbers("std"),
        title=top.text("title", empty=True, default=""),
        summary=top.text("summary", empty=True, default=""),
        teacher=top.fields("teacher"),
        recipe=top.text("recipe", empty=True, default=""),
        data=top.fields("data"),
        metrics=top.fields("metrics"),
        versions=top.fields("versions"),
        training=top.fields("training"),
        licence=top.text("licence", empty=True, default="unknown"),
        weights_sha256=top.text("weights_sha256", empty=True, default="", pattern=SHA256),
        graph_sha256=top.text("graph_sha256", empty=True, default="", pattern=SHA256),
    )
    top.finish()
    return card


def _checked(card: StudentCard, path: Path) -> StudentCard:
    """The card, if it does not contradict itself."""
    fault = ""
    if card.dims not in (2, 3) or card.colours not in (1, 3):
        fault = f"expected 2 or 3 dims and 1 or 3 colours, got {card.dims} and {card.colours}"
    elif not card.classes or len(set(card.classes)) < len(card.classes) or not all(card.classes):
        fault = "classes have names, each its own"
    elif len(card.patch) != card.dims or any(n < 1 for n in card.patch):
        fault = f"patch has {card.dims} sizes, got {list(card.patch)}"
    elif card.size is not None and (card.size < 1 or card.dims == 3 or card.spacing_mm):
        fault = "size is for pictures and slices, and in the place of spacing_mm"
    elif card.spacing_mm and (len(card.spacing_mm) != card.dims or min(card.spacing_mm) <= 0):
        fault = f"spacing_mm has {card.dims} positive distances, got {list(card.spacing_mm)}"
    elif not len(card.mean) == len(card.std) == card.colours or min(card.std) <= 0:
        fault = f"mean and std have {card.colours} numbers, those of std positive"
    elif card.dims == 3 and not card.volumes:
        fault = "a 3D student is for volumes"
    elif card.extra and not card.teacher:
        fault = "extra channels come from a teacher, and none is named"
    elif card.axis not in AXES:
        fault = f"axis is one of {', '.join(AXES)}, got {card.axis!r}"
    try:
        IntensityPolicy.parse(card.intensity)
    except AnytomyError as error:
        fault = fault or str(error)
    if fault:
        raise ModelError(f"the student's card {path} is wrong: {fault}", hint=_ANEW)
    return card
