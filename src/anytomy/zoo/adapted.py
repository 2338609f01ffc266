"""The card of a model with an adapter: what its base's card says, changed by what the adapter's says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

from anytomy.core.errors import ModelError
from anytomy.models.adapters.folder import CARD, AdapterCard, read_adapter
from anytomy.models.students.folder import is_student
from anytomy.zoo.card import Adapter, ModelCard, Training

__all__ = ["adapted_card", "check_base"]


def adapted_card(
    folder: Path, reference: str, base: ModelCard | Callable[[str], ModelCard], *, builtin: bool = False
) -> ModelCard:
    """The card of an adapter on its base.

    Args:
        folder: The adapter's.
        reference: What the user typed; it becomes the id.
        base: The base that the user named, or how to find the one that the adapter names.
        builtin: Whether the adapter came with Anytomy.

    Raises:
        ModelError: There is no adapter, its card is broken, or it is for another model.
    """
    if is_student(folder):
        raise ModelError(
            f"expected an adapter in {folder}, but it is a student, which stands alone",
            hint=f"name its folder only: {folder}",
        )
    mine = read_adapter(folder)
    under = base if isinstance(base, ModelCard) else base(mine.base)
    if under.student is not None:
        raise ModelError(
            f"expected a model to put the adapter {folder} on, but {under.id} is a student, which takes none",
            hint=f"name the model that it was trained on: {mine.base}+{folder}",
        )
    if under.adapter is not None:
        raise ModelError(
            f"expected a model to put the adapter {folder} on, but {under.id} is one with an adapter",
            hint=f"name the model itself: {under.base_id}+{folder}",
        )
    check_base(mine, under, under.weights.sha256, folder)
    kind = f"finds {', '.join(mine.classes)}" if mine.classes else f"answers {', '.join(mine.prompts)}"
    seen = dict.fromkeys((*under.training.datasets, *mine.data))
    return replace(
        under,
        id=reference,
        title=mine.title or f"{under.title} + {folder.resolve().name}",
        summary=mine.summary or f"{under.title} tuned by {mine.method}; {kind}",
        licence=mine.licence,
        prompts=mine.prompts,
        mask_output=mine.mask_output,
        stands_in_for=mine.stands_in_for,
        automatic=mine.automatic,
        intensity=mine.intensity,
        training=Training(tuple(seen), under.training.note),
        unverified=(*under.unverified, *(() if under.training.datasets else ("training.datasets",))),
        source=folder / CARD,
        builtin=builtin,
        # The base is found by the id that it has here, which need not be the one that it had there.
        adapter=Adapter(folder, replace(mine, base=under.id)),
    )


def check_base(adapter: AdapterCard, base: ModelCard, sha256: str, folder: Path) -> None:
    """Refuse an adapter that was trained on other weights, or fed otherwise.

    Args:
        adapter: Its card.
        base: The model that it is to be put on.
        sha256: Hash of that model's checkpoint; "" where it is not known yet.
        folder: The adapter's, for messages.

    Raises:
        ModelError: With what differs.
    """
    fault = ""
    fed = {name: list(v) if isinstance(v, tuple) else v for name, v in asdict(base.preprocess).items()}
    if adapter.architecture != base.architecture:
        fault = f"has the architecture {adapter.architecture}, {base.id} has {base.architecture}"
    elif sha256 and adapter.base_sha256 and sha256 != adapter.base_sha256:
        fault = (
            f"was trained on {adapter.base} with the sha256 {adapter.base_sha256[:12]}…, and the weights of "
            f"{base.id} have {sha256[:12]}…"
        )
    elif adapter.preprocess and dict(adapter.preprocess) != fed:
        changed = sorted(name for name in fed if adapter.preprocess.get(name) != fed[name])
        fault = f"was trained on images that were prepared otherwise ({', '.join(changed)})"
    if fault:
        raise ModelError(
            f"the adapter {folder} is for another model: it {fault}",
            hint=f"use {adapter.base}+{folder} with the weights that it was trained on",
        )
