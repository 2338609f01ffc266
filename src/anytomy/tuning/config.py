"""What decides the result of a tuning run: `TuneConfig`."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from anytomy.core.errors import OptionError
from anytomy.tuning.checks import TRAINING_RANGES, check_choice, check_fold, check_range, check_ranges
from anytomy.tuning.record import as_json

MODES = ("promptable", "semantic")
LOSSES = ("dice-ce", "dice-focal")
SCHEDULES = ("cosine", "poly", "constant")
AUGMENTATIONS = ("none", "flips", "light", "strong")
FLIPS = ("auto", "none", "x", "y", "xy")
PROMPT_KINDS = ("box", "points", "clicks", "box-clicks")
"""`clicks` and `box-clicks` go on with corrective clicks, `points` are given at once."""

ROUTES = ("box", "points")
"""Kinds of prompts that can be left to the base."""

DEFAULT_STEPS = 2000
_RANGES = {
    "train": ("training cases", 1, 1e9),
    **TRAINING_RANGES,
    "every": ("steps between validations", 1, 1e9),
    "patience": ("a patience", 0, 1e9),
    "rounds": ("rounds", 1, 20),
    "jitter": ("a jitter", 0, 200),
    "copies": ("copies", 1, 64),
    "least": ("the smallest object", 1, 1e9),
    "most_slices": ("slices", 1, 1e9),
    "score_weight": ("a score weight", 0, 100),
}


@dataclass(frozen=True)
class TuneConfig:
    """All that decides the result; threads, memory and the place of the output do not.

    Attributes:
        model: Reference of the base: `ID`, or `ID+DIR` to go on from an adapter.
        data: Ids of data sets.
        method: Tuning methods joined by `+`, see `anytomy.models.adapters.registry`.
        mode: `promptable` or `semantic` (no prompt, a channel for each class).
        classes: Structures to learn; all that are labelled where empty. Their order is that of the channels.
        train: Training cases, whole patients; all of the training split where None. Validation patients are
            among them.
        validate: Share of the training patients that choose the best step instead of training.
        test: Most test cases; all where None, none where 0.
        fold: `(number, of)`: a fold by patient in place of the stored split; None for the split.
        steps: Optimiser steps; `DEFAULT_STEPS` where neither this nor `max_minutes` is given.
        max_minutes: Time for embeddings and steps together, over all restarts; the steps end with it.
        batch: Samples of a step, whatever fits into memory at once.
        lr: Peak learning rate; by mode where None.
        weight_decay: Of AdamW.
        warmup: Share of the run in which the rate rises.
        schedule: `cosine`, `poly` (power 0.9) or `constant`.
        ema: Decay of the moving average of the weights that is validated and kept; 0 for none.
        clip: Largest norm of the gradients.
        every: Steps between validations; a twentieth of the run where None.
        patience: Validations without a better one before the run ends; 0 for never.
        loss: `dice-ce` or `dice-focal`.
        score_weight: Weight of the regression of the model's own IoU score (promptable).
        prompts: Kinds of prompts and how often each is drawn; by what the base has learned where empty.
        rounds: Prompts of an object in one step with `clicks` and `box-clicks`.
        jitter: Most pixels, at a scale of 1024, that a box is grown on each side.
        feed_mask: Whether corrective clicks come with the mask of the round before.
        augment: `none`, `flips`, `light` or `strong`.
        flips: Axes that may be flipped: `auto` does not mix up left and right, or head and foot.
        copies: Variants of each picture whose embeddings are cached when the encoder is frozen; the first is
            the picture itself.
        empty: Share of the samples without any object (semantic).
        least: Smallest object in pixels of its slice.
        most_slices: Most slices of a volume that are trained on, evenly spread; all where None.
        axis: The file's axis that slices run along.
        intensity: As in `segment`.
        routes: Prompt kinds that keep the base's weights in the adapter, `("box",)` say; the base answers
            them in training too.
        seed: Of all randomness.
    """

    model: str
    data: tuple[str, ...]
    method: str = "decoder"
    mode: str = "promptable"
    classes: tuple[str, ...] = ()
    train: int | None = None
    validate: float = 0.2
    test: int | None = None
    fold: tuple[int, int] | None = None
    steps: int | None = None
    max_minutes: float | None = None
    batch: int = 4
    lr: float | None = None
    weight_decay: float = 0.01
    warmup: float = 0.05
    schedule: str = "cosine"
    ema: float = 0.99
    clip: float = 1.0
    every: int | None = None
    patience: int = 0
    loss: str = "dice-ce"
    score_weight: float = 1.0
    prompts: Mapping[str, float] = field(default_factory=dict)
    rounds: int = 3
    jitter: int = 20
    feed_mask: bool = True
    augment: str = "light"
    flips: str = "auto"
    copies: int = 6
    empty: float = 0.15
    least: int = 20
    most_slices: int | None = None
    axis: str = "z"
    intensity: str = "auto"
    routes: tuple[str, ...] = ()
    seed: int = 0

    @property
    def is_semantic(self) -> bool:
        """Whether it learns classes instead of prompts."""
        return self.mode == "semantic"

    @property
    def rate(self) -> float:
        """The peak learning rate: 5e-4 for new heads (AutoSAM), 1e-4 for what is trained on (MedSAM)."""
        if self.lr is not None:
            return self.lr
        return 5e-4 if self.is_semantic else 1e-4

    @property
    def most_steps(self) -> int | None:
        """The number of steps; None where only time ends the run."""
        return DEFAULT_STEPS if self.steps is None and self.max_minutes is None else self.steps

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it."""
        plain: dict[str, Any] = as_json(asdict(self))
        return plain

    def check(self) -> None:
        """Find what is wrong with the values alone.

        Raises:
            OptionError: With the values that there are.
        """
        from anytomy.core.intensity import IntensityPolicy
        from anytomy.core.view import axis_number

        check_choice("a mode", self.mode, MODES)
        check_choice("a loss", self.loss, LOSSES)
        check_choice("a schedule", self.schedule, SCHEDULES)
        check_choice("an augmentation", self.augment, AUGMENTATIONS)
        check_choice("flips", self.flips, FLIPS)
        axis_number(self.axis)
        if self.intensity != "auto":
            IntensityPolicy.parse(self.intensity)
        if not self.data:
            raise OptionError("expected at least one data set to tune on, got none")
        check_ranges(self, _RANGES)
        for kind, weight in self.prompts.items():
            check_range(f"a weight of {kind}", weight, 0, 1e6)
        check_fold(self.fold)
        unknown = [kind for kind in self.prompts if kind not in PROMPT_KINDS]
        if unknown:
            raise OptionError(f"expected prompts of {', '.join(PROMPT_KINDS)}, got {unknown[0]!r}")
        if self.prompts and not sum(self.prompts.values()) > 0:
            raise OptionError("expected at least one kind of prompt with a weight above 0")
        if not set(self.routes) <= set(ROUTES):
            raise OptionError(f"expected routes of {', '.join(ROUTES)}, got {', '.join(self.routes)}")
        for name in ("prompts", "routes"):
            if getattr(self, name) and self.is_semantic:
                raise OptionError(
                    f"{name} are for promptable models", hint="leave them out, or --mode promptable"
                )


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: object) -> bool:
    return _is_whole(value) or isinstance(value, float)


# What a field may be, by its annotation.
_KINDS: Mapping[str, tuple[str, Callable[[Any], bool]]] = {
    "str": ("a text", lambda v: isinstance(v, str)),
    "int": ("a whole number", _is_whole),
    "float": ("a number", _is_number),
    "bool": ("true or false", lambda v: isinstance(v, bool)),
    "tuple[str, ...]": ("a list of texts", lambda v: isinstance(v, tuple) and all(type(e) is str for e in v)),
    "tuple[int, int]": (
        "two whole numbers",
        lambda v: isinstance(v, tuple) and len(v) == 2 and all(map(_is_whole, v)),
    ),
    "Mapping[str, float]": (
        "a table of numbers",
        lambda v: isinstance(v, Mapping) and all(map(_is_number, v.values())),
    ),
}


def read_recipe(text: str) -> dict[str, Any]:
    """A recipe, some fields of a `TuneConfig` as TOML; `from_dict` checks them.

    Raises:
        OptionError: It is not TOML.
    """
    import tomllib

    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise OptionError(f"expected a recipe in TOML: {error}") from error


def from_dict(values: Mapping[str, Any]) -> TuneConfig:
    """The inverse of `TuneConfig.to_dict`.

    Raises:
        OptionError: A field is missing, unknown or of another type.
    """
    known = TuneConfig.__dataclass_fields__
    unknown = [name for name in values if name not in known]
    if unknown:
        raise OptionError(
            f"expected fields of a tuning run, got {unknown[0]!r}", hint=f"there are {', '.join(known)}"
        )
    missing = [name for name in ("model", "data") if name not in values]
    if missing:
        raise OptionError(f"expected the field {missing[0]!r} of a tuning run, but it is missing")
    made: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in values.items()
    }
    for name, value in made.items():
        kind, _, optional = str(known[name].type).partition(" | ")
        said, fits = _KINDS[kind]
        if not fits(value) and not (optional and value is None):
            raise OptionError(f"expected {said} as {name} of a tuning run, got {values[name]!r}")
    config = TuneConfig(**made)
    config.check()
    return config


def parse_fold(text: str) -> tuple[int, int]:
    """`1/3` as `(1, 3)`.

    Raises:
        OptionError: If it is something else.
    """
    found = re.fullmatch(r"\s*(\d{1,6})\s*/\s*(\d{1,6})\s*", text)
    if found is None:
        raise OptionError(f"expected a fold like 1/3, got {text!r}")
    return int(found[1]), int(found[2])


def parse_prompts(text: str) -> dict[str, float]:
    """`box=2,clicks=1`, or names alone, each as likely.

    Raises:
        OptionError: If a kind or a weight is none.
    """
    found: dict[str, float] = {}
    for part in filter(None, (p.strip() for p in text.split(","))):
        kind, equals, weight = part.partition("=")
        try:
            found[kind.strip()] = float(weight) if equals else 1.0
        except ValueError:
            raise OptionError(f"expected a weight in {part!r}, box=2 say") from None
        if kind.strip() not in PROMPT_KINDS:
            raise OptionError(f"expected prompts of {', '.join(PROMPT_KINDS)}, got {kind.strip()!r}")
    return found
