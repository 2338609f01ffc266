"""Which models there are: those that come with Anytomy and those that the user added."""

from __future__ import annotations

import difflib
from pathlib import Path

from anytomy.core.errors import ModelError
from anytomy.zoo.card import ID, ModelCard, read_card
from anytomy.zoo.home import user_models_dir

__all__ = ["card", "cards", "model_ids"]

_BUILTIN = Path(__file__).parent / "cards"


def card(model_id: str) -> ModelCard:
    """The card of one model.

    Args:
        model_id: A model's id, as in `litemedsam`.

    Raises:
        ModelError: There is no such model (the message lists those that exist), or its card is
            broken.

    Example:
        >>> card("litemedsam").prompts
        ('box',)
    """
    # Only the one card is read, so that a broken card of the user does not stop the others.
    if ID.fullmatch(model_id):
        for folder, builtin in ((_BUILTIN, True), (user_models_dir(), False)):
            path = folder / f"{model_id}.toml"
            if path.is_file():
                return _named(read_card(path, builtin=builtin), path)
    known = model_ids()
    close = difflib.get_close_matches(model_id.lower(), known, n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(close)}? " if close else ""
    raise ModelError(
        f"expected the id of a model, but there is none called {model_id!r}",
        hint=f"{hint}known models: {', '.join(known)}; add your own by `anytomy models add FILE --arch NAME`",
    )


def cards() -> list[ModelCard]:
    """All cards: the built-in ones in order of id, then the user's.

    Raises:
        ModelError: A card is broken; the message names its file.
    """
    return [card(model_id) for model_id in model_ids()]


def model_ids() -> list[str]:
    """The ids of all models: the built-in ones in order, then the user's; reads no card."""
    builtin = sorted(path.stem for path in _BUILTIN.glob("*.toml"))
    folder = user_models_dir()
    added = sorted(path.stem for path in folder.glob("*.toml")) if folder.is_dir() else []
    return builtin + [name for name in added if name not in builtin and ID.fullmatch(name)]


def _named(found: ModelCard, path: Path) -> ModelCard:
    if found.id != path.stem:
        raise ModelError(
            f"expected the id {path.stem!r} in {path}, but got {found.id!r}",
            hint="a card's file is named after its id",
        )
    return found
