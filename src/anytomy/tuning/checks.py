"""What is checked before a training begins: that its values can be, and that what it needs is installed."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from anytomy.core.errors import MissingDependencyError, OptionError

Range = tuple[str, float, float]
"""What a number is called, the least and the most that it may be."""

TRAINING_RANGES: Mapping[str, Range] = {
    "validate": ("a share of validation patients", 0, 0.9),
    "test": ("test cases", 0, 1e9),
    "steps": ("steps", 1, 1e9),
    "max_minutes": ("minutes", 0.01, 1e6),
    "batch": ("a batch", 1, 1024),
    "lr": ("a learning rate", 1e-9, 10),
    "weight_decay": ("a weight decay", 0, 10),
    "warmup": ("a warm-up", 0, 1),
    "ema": ("a decay of the average", 0, 0.99999),
    "clip": ("a norm of the gradients", 1e-6, 1e6),
    "empty": ("a share of empty slices", 0, 0.9),
    "seed": ("a seed", 0, 2**63),
}
"""By field: what a `TuneConfig` and a `DistillConfig` both have."""


def check_choice(what: str, value: str, choices: Sequence[str]) -> None:
    """Refuse a word that is none of its choices.

    Raises:
        OptionError: With the choices.
    """
    if value not in choices:
        raise OptionError(f"expected {what} of {', '.join(choices)}, got {value!r}")


def check_ranges(config: object, ranges: Mapping[str, Range]) -> None:
    """Refuse a configuration with a number out of its range.

    Args:
        config: Has the fields that `ranges` names; those that are None were left open.
        ranges: By field.

    Raises:
        OptionError: With the range.
    """
    for name, (what, low, high) in ranges.items():
        check_range(what, getattr(config, name), low, high)


def check_range(what: str, number: float | None, low: float, high: float) -> None:
    """Refuse a number that is out of its range, or not finite.

    Raises:
        OptionError: With the range.
    """
    if number is not None and not (math.isfinite(number) and low <= number <= high):
        raise OptionError(f"expected {what} from {low:g} to {high:g}, got {number:g}")


def check_fold(fold: tuple[int, int] | None) -> None:
    """Refuse a fold that is none, such as 4/3 or 1/1.

    Raises:
        OptionError: With one that would do.
    """
    if fold is not None and not (1 <= fold[0] <= fold[1] and fold[1] >= 2):
        raise OptionError(f"expected a fold like 1/3, got {fold[0]}/{fold[1]}")


def check_installed(what: str) -> None:
    """Refuse to begin without the packages that train.

    Args:
        what: What needs them, for the message: `tuning`.

    Raises:
        MissingDependencyError: With the missing ones.
    """
    from importlib.util import find_spec

    missing = [name for name in ("accelerate", "monai") if find_spec(name) is None]
    if missing:
        raise MissingDependencyError(
            f"{what} needs {' and '.join(missing)}", hint="pip install 'anytomy[train]'"
        )
