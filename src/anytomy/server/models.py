"""The models that a server offers: `Models`."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Any

from anytomy.core.errors import AnytomyError, ModelError

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

    from anytomy.predict.model import Model
    from anytomy.zoo.card import ModelCard

_LOADED = 2
_CALLED = {"box": "boxes", "points": "clicks", "mask": "masks"}


class Models:
    """Models by name: the default one and those of the zoo whose weights are on this machine.

    A client chooses among these; a folder that it names is never opened and nothing is fetched for it.

    Args:
        default: Reference of the default model, as on the command line.
        load: Loads a model.
        card: Finds the card of a reference.
        ids: The models of the zoo.
        has: Whether the weights of a model are here.
    """

    def __init__(
        self,
        default: str,
        *,
        load: Callable[[str], Model],
        card: Callable[[str], ModelCard],
        ids: Callable[[], list[str]],
        has: Callable[[str], bool],
    ) -> None:
        self.default = default
        self._load = load
        self._card = card
        self._ids = ids
        self._has = has
        self._added: dict[str, str] = {}
        self._loaded: OrderedDict[str, Model] = OrderedDict()
        self._ahead: Model | None = None

    def add(self, name: str, reference: str) -> None:
        """Offer a model that was tuned here under a name; a later one takes the place of an earlier one.

        Raises:
            ModelError: If there is no such model.
        """
        self._card(reference)
        self._added[name] = reference

    def offered(self) -> list[str]:
        """References of the models that take prompts, the default one first."""
        others = [each for each in self._ids() if each != self.default and self._has(each)]
        return [self.default, *others, *(each for each in self._added if not self.card(each).classes)]

    def finders(self) -> list[str]:
        """References of the models that find their classes by themselves."""
        return [each for each in self._added if self.card(each).classes]

    def card(self, reference: str) -> ModelCard:
        """The card of an offered model.

        Raises:
            ModelError: If it is not offered.
        """
        if reference in self._added:
            return self._card(self._added[reference])
        if reference != self.default and reference not in self._ids():
            raise ModelError("there is no such model", hint="list them at /api/v1/models")
        if reference != self.default and not self._has(reference):
            raise ModelError(
                f"the weights of {reference} are not on this machine",
                hint=f"anytomy models fetch {reference}",
            )
        return self._card(reference)

    def open(self, reference: str) -> Model:
        """A model that is ready; for the worker's thread only."""
        self.card(reference)
        source = self._added.get(reference, reference)
        if source not in self._loaded:
            self._loaded[source] = self._load(source)
            if len(self._loaded) > _LOADED:
                self._loaded.popitem(last=False)
        self._loaded.move_to_end(source)
        return self._loaded[source]

    def encode_ahead(self, reference: str, picture: NDArray[np.uint8]) -> None:
        """Encode a picture that may be prompted soon; for the worker's thread only.

        Raises:
            EncodingInterruptedError: If it was interrupted.
        """
        self._ahead = self.open(reference)
        self._ahead.encode(picture)

    def interrupt(self) -> None:
        """Have an encoding ahead end, where the engine can; from any thread, while no other work runs."""
        if self._ahead is not None:
            self._ahead.interrupt()

    def describe(self, reference: str) -> dict[str, Any]:
        """What people should know of a model, JSON-able."""
        card = self.card(reference)
        missing = [kind for kind in _CALLED if kind not in card.prompts]
        return {
            "id": reference,
            "title": card.title,
            "summary": card.summary,
            "licence": card.licence,
            "default": reference == self.default,
            "prompts": list(card.prompts),
            "refuses": {kind: _why(card, kind) for kind in missing},
            "classes": list(card.classes),
            "loaded": self._added.get(reference, reference) in self._loaded,
        }


def _why(card: ModelCard, kind: str) -> str:
    if card.classes:
        return f"{card.title} takes no prompts: it finds its classes by itself"
    learned = " and ".join(_CALLED[each] for each in card.prompts)
    return f"{card.title} was trained on {learned} only and answers {_CALLED[kind]} with rubbish"


def zoo_models(default: str) -> Models:
    """The models of the zoo, embeddings kept on disk, answers in memory."""
    from anytomy.zoo import registry

    return Models(default, load=_load, card=registry.card, ids=registry.model_ids, has=_has)


def _has(reference: str) -> bool:
    from anytomy.zoo import store
    from anytomy.zoo.registry import card

    try:
        found = card(reference)
        return not found.classes and store.cached(found.base_id) is not None
    except AnytomyError:  # a broken card of the user
        return False


def _load(reference: str) -> Model:
    from anytomy.engine.answers import AnswerCache
    from anytomy.engine.cache import EmbeddingCache
    from anytomy.predict.model import load
    from anytomy.zoo.home import cache_dir

    cache = EmbeddingCache(directory=cache_dir("embeddings"))
    return load(reference, cache=cache, answers=AnswerCache())
