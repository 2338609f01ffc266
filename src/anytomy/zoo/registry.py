"""Which models there are: those that come with Anytomy, those that the user added, and folders.

A model is named by its id, a student by its folder (`DIR`), an adapter by its folder too, alone (`DIR`) or
behind its base (`ID+DIR`).
"""

from __future__ import annotations

import difflib
from pathlib import Path

from anytomy.core.errors import ModelError
from anytomy.models.students.folder import is_student
from anytomy.zoo.adapted import adapted_card
from anytomy.zoo.card import ID, ModelCard, read_card
from anytomy.zoo.home import user_models_dir
from anytomy.zoo.students import student_card

__all__ = ["card", "cards", "model_ids"]

_BUILTIN = Path(__file__).parent / "cards"
_ADAPTERS = Path(__file__).parent / "adapters"


def card(reference: str) -> ModelCard:
    """The card of one model.

    Args:
        reference: A model's id, as in `litemedsam`; the folder of a student, `DIR`, or of an adapter,
            `DIR` or `ID+DIR`.

    Raises:
        ModelError: There is no such model (the message lists those that exist), its card is broken, or
            the adapter is for another model.

    Example:
        >>> card("litemedsam").prompts
        ('box',)
    """
    # Only the one card is read, so that a broken card of the user does not stop the others.
    if ID.fullmatch(reference):
        for folder, builtin in ((_BUILTIN, True), (user_models_dir(), False)):
            path = folder / f"{reference}.toml"
            if path.is_file():
                return _named(read_card(path, builtin=builtin), path)
        if (_ADAPTERS / reference).is_dir():
            return _adapted(_ADAPTERS / reference, reference, None, builtin=True)
    base, plus, folder_text = reference.partition("+")
    if plus and base and folder_text and not Path(reference).expanduser().is_dir():
        return _adapted(Path(folder_text), reference, card(base))
    folder = Path(reference).expanduser()
    if is_student(folder):
        return student_card(folder, reference)
    if folder.is_dir():
        return _adapted(folder, reference, None)
    known = model_ids()
    close = difflib.get_close_matches(reference.lower(), known, n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(close)}? " if close else ""
    raise ModelError(
        f"expected the id of a model, or the folder of an adapter or a student, but there is none called "
        f"{reference!r}",
        hint=f"{hint}known models: {', '.join(known)}; add your own by `anytomy models add FILE --arch NAME`",
    )


def _adapted(folder: Path, reference: str, base: ModelCard | None, *, builtin: bool = False) -> ModelCard:
    return adapted_card(folder.expanduser(), reference, base or card, builtin=builtin)


def cards() -> list[ModelCard]:
    """All cards: the built-in ones in order of id, then the user's.

    Raises:
        ModelError: A card is broken; the message names its file.
    """
    return [card(model_id) for model_id in model_ids()]


def model_ids() -> list[str]:
    """The ids of all models: the built-in ones in order, then the user's; reads no card."""
    shipped = [path.stem for path in _BUILTIN.glob("*.toml")]
    builtin = sorted([*shipped, *(path.parent.name for path in _ADAPTERS.glob("*/adapter.json"))])
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
