"""The torch modules of a model card, with their weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

from anytomy.zoo.adapted import check_base

if TYPE_CHECKING:
    from pathlib import Path

    from anytomy.models.adapters.method import Tunable
    from anytomy.models.sam import Sam
    from anytomy.zoo.card import ModelCard


def load_sam(card: ModelCard, weights: Path) -> Sam:
    """The torch model of a card in `eval()` mode; of one with an adapter the base.

    Args:
        card: The model card.
        weights: The checkpoint.

    Raises:
        ModelError: If the checkpoint cannot be read or does not fit.
    """
    from anytomy.models.architectures import build
    from anytomy.models.checkpoints import load_weights, read_checkpoint

    sam = build(card.architecture)
    load_weights(sam, read_checkpoint(weights))
    return sam.eval()


def load_tuned(card: ModelCard, weights: Path, sha256: str) -> Tunable:
    """The torch model of a card with what its adapter changed, in `eval()` mode.

    Args:
        card: The model card; without an adapter this is `load_sam`.
        weights: The checkpoint of the base.
        sha256: Its hash.

    Raises:
        ModelError: If the adapter was trained on another checkpoint, or its files do not fit.
    """
    sam = load_sam(card, weights)
    if card.adapter is None:
        return sam
    from anytomy.models.adapters.adapted import head_of, restore
    from anytomy.models.adapters.folder import read_weights
    from anytomy.models.adapters.registry import parse
    from anytomy.models.adapters.semantic import SemanticSam

    folder, mine = card.adapter.folder, card.adapter.card
    check_base(mine, card, sha256, folder)
    methods = parse(mine.method)
    state = read_weights(folder, mine)
    if not mine.classes:
        return restore(sam, methods, state)
    return restore(SemanticSam.of(sam, len(mine.classes), head_of(methods)), methods, state)
