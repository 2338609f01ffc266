"""What is tuned: the base by its reference, and the model with its methods attached."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from anytomy.core.errors import ModelError, OptionError

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

    from anytomy.engine.model import LoadedModel
    from anytomy.models.adapters.folder import AdapterCard
    from anytomy.models.adapters.method import Tunable, TuningMethod
    from anytomy.models.sam import Sam
    from anytomy.tuning.config import TuneConfig
    from anytomy.zoo.card import ModelCard


@dataclass(frozen=True, eq=False)
class Base:
    """A model to tune.

    Attributes:
        card: Of the plain model, with what an adapter to go on from has learned: its prompts, its intensity
            policies, its licence.
        weights_sha256: Hash of its checkpoint.
        sam: Makes the model with its weights, a new one at each call.
        open: Opens the plain model for None, the model with an adapter for its folder.
        adapter: The adapter to go on from, with what it holds; None to begin anew.
        start: Folder of that adapter.
    """

    card: ModelCard
    weights_sha256: str
    sam: Callable[[], Sam]
    open: Callable[[Path | None], LoadedModel]
    adapter: tuple[AdapterCard, dict[str, Tensor]] | None = None
    start: Path | None = None

    @classmethod
    def of(cls, reference: str, *, device: str, threads: int) -> Base:
        """The base of a reference: `ID`, or `ID+DIR` and `DIR` of an adapter to go on from.

        Raises:
            ModelError: If there is no such model, or an adapter is for another one.
            FetchError: If weights cannot be had.
        """
        from anytomy.engine.loading import load_sam
        from anytomy.models.adapters.folder import read_weights
        from anytomy.predict.model import load
        from anytomy.zoo import checksum, store
        from anytomy.zoo.registry import card as card_of

        asked = card_of(reference)
        if asked.student is not None:
            raise ModelError(
                f"expected a model of the SAM family to tune, but {reference} is a student",
                hint="distil it anew with more data: anytomy distill",
            )
        plain = card_of(asked.base_id) if asked.adapter is not None else asked
        weights = store.ensure(plain.id)
        held = asked.adapter

        def opened(folder: Path | None) -> LoadedModel:
            name = plain.id if folder is None else f"{plain.id}+{folder}"
            return load(name, device=device, threads=threads)

        return cls(
            card=_continued(plain, asked),
            weights_sha256=plain.weights.sha256 or checksum.sha256_of(weights),
            sam=lambda: load_sam(plain, weights),
            open=opened,
            adapter=None if held is None else (held.card, read_weights(held.folder, held.card)),
            start=None if held is None else held.folder,
        )


def _continued(plain: ModelCard, asked: ModelCard) -> ModelCard:
    """The card of the plain model, changed by an adapter to go on from."""
    return replace(
        plain,
        prompts=asked.prompts or plain.prompts,  # one with classes has none
        mask_output=asked.mask_output,
        intensity=asked.intensity,
        licence=asked.licence,
    )


def tunable(
    base: Base, config: TuneConfig, methods: Sequence[TuningMethod], classes: Sequence[str]
) -> Tunable:
    """The model with its methods attached, and what an earlier run has learned.

    Raises:
        OptionError: If a method does not suit the model, or the adapter to go on from is of another kind.
    """
    import torch

    from anytomy.models.adapters.adapted import attach, check_modes, head_of, load_trained
    from anytomy.models.adapters.registry import spelled
    from anytomy.models.adapters.semantic import SemanticSam

    check_modes(methods, config.mode)
    torch.manual_seed(config.seed)  # new tokens and adapters begin by chance
    model: Tunable = base.sam()
    if config.is_semantic:
        model = SemanticSam.of(model, len(classes), head_of(methods))  # type: ignore[arg-type]
    model = attach(model, tuple(methods))
    if base.adapter is not None:
        card, state = base.adapter
        _same_kind(card, config, spelled(tuple(methods)), classes)
        load_trained(model, state)
    return model


def _same_kind(card: AdapterCard, config: TuneConfig, method: str, classes: Sequence[str]) -> None:
    asked = {"mode": config.mode, "method": method, "classes": ", ".join(classes)}
    held = {"mode": card.mode, "method": card.method, "classes": ", ".join(card.classes)}
    if not config.is_semantic:
        asked["classes"] = held["classes"] = ""
    for name, wanted in asked.items():
        if wanted != held[name]:
            raise OptionError(
                f"expected the {name} of the adapter to go on from, {held[name]}, got {wanted}",
                hint="give the same, or begin from the plain model",
            )
