"""Which model answers where none was chosen: the default one, or for clicks the one that stands in for it."""

from __future__ import annotations

import contextlib
import json
import warnings
from pathlib import Path
from typing import Any

from anytomy.core.errors import AnytomyWarning, UnsupportedPromptError

DEFAULT = "litemedsam"


def default_model(*, clicked: bool, files: Path | None, folder: Path | None) -> str:
    """The default model if it learned the prompts, else what stands in for it.

    Args:
        clicked: Whether points were typed.
        files: A prompt file.
        folder: A folder of prompt files.
    """
    from anytomy.zoo.standin import card_for

    kinds = {"points"} if clicked else set()
    there = sorted(folder.glob("*.json")) if folder is not None and folder.is_dir() else []
    for path in [*([files] if files is not None else []), *there]:
        kinds |= _kinds(path)
    with contextlib.suppress(UnsupportedPromptError):  # the prompts themselves are refused later, by name
        return card_for(DEFAULT, sorted(kinds), "this").id
    return DEFAULT


def say_who_answered(model_id: str) -> None:
    """Say aloud that another model than the default one answered; after the result, not among errors."""
    if model_id != DEFAULT:
        warnings.warn(
            f"{DEFAULT} takes boxes only, so {model_id} answered, which takes points and masks too;"
            " --model chooses another",
            AnytomyWarning,
            stacklevel=2,
        )


def _kinds(path: Path) -> set[str]:
    """Points and masks in a prompt file; what is wrong with it is said where it is read in earnest."""
    with contextlib.suppress(OSError, ValueError, RecursionError):
        document: Any = json.loads(path.read_text(encoding="utf-8-sig"))
        objects = document.get("objects") if isinstance(document, dict) else None
        if isinstance(objects, list):
            named = [each for each in objects if isinstance(each, dict)]
            return {kind for kind in ("points", "mask") if any(each.get(kind) for each in named)}
    return set()
