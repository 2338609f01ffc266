"""The recipes by name."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from types import MappingProxyType

from anytomy.core.errors import OptionError
from anytomy.distill.recipes.recipe import Recipe
from anytomy.distill.recipes.rounds import Pseudo, SelfPrompt
from anytomy.distill.recipes.soft import Encoder, Logits, Prior

_OURS: tuple[Recipe, ...] = (Pseudo(), SelfPrompt(), Prior(), Logits(), Encoder())
RECIPES: Mapping[str, Recipe] = MappingProxyType({each.name: each for each in _OURS})


def recipe(name: str) -> Recipe:
    """A recipe by its name.

    Raises:
        OptionError: There is none of that name.
    """
    found = RECIPES.get(name.strip().lower())
    if found is None:
        close = difflib.get_close_matches(name.lower(), RECIPES, n=1)
        raise OptionError(
            f"expected a recipe of {', '.join(RECIPES)}, got {name!r}",
            hint=f"did you mean {close[0]}?" if close else None,
        )
    return found
