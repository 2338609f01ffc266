"""An adapter folded into the weights of its base: a checkpoint like any other."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from anytomy.core.errors import ModelError, OptionError
from anytomy.engine.loading import load_tuned
from anytomy.io.atomic import write_bytes
from anytomy.zoo import checksum, store

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

    from anytomy.zoo.card import ModelCard

ENDINGS = (".safetensors", ".pth")


def merge_model(card: ModelCard, path: Path) -> Path:
    """Write the weights of a model with its adapter as one checkpoint, under the authors' names.

    Args:
        card: Of a model with an adapter.
        path: `.safetensors`, or `.pth` for the authors' own code.

    Returns:
        The path.

    Raises:
        ModelError: There is no adapter, or the base's architecture has no place for what it trained.
        OptionError: The file's ending is another.
        OutputError: The file cannot be written.
    """
    if path.suffix.lower() not in ENDINGS:
        raise OptionError(f"expected a file that ends in {' or '.join(ENDINGS)}, got {path.name}")
    if card.adapter is None:
        raise ModelError(
            f"{card.id} has no adapter that could be merged",
            hint="name one: anytomy models merge ID+DIR -o FILE",
        )
    if card.classes:
        raise ModelError(
            f"{card.title} finds classes without prompts; its head has no place in {card.architecture}",
            hint="use the adapter as it is (ID+DIR), or export it to ONNX",
        )
    if card.adapter.card.routes:
        kept = " and ".join(card.adapter.card.routes)
        raise ModelError(
            f"{card.title} has two decoders (prompts of {kept} alone keep the base's), "
            f"and {card.architecture} has a place for one",
            hint="use the adapter as it is (ID+DIR), or export it to ONNX",
        )
    from anytomy.models.adapters.adapted import merge
    from anytomy.models.converters import to_original

    weights = store.ensure(card.base_id)
    model = merge(load_tuned(card, weights, card.weights.sha256 or checksum.sha256_of(weights)))
    state = {name: tensor.contiguous() for name, tensor in to_original(model.state_dict()).items()}
    write_bytes(path, _content(state, path.suffix.lower()))
    return path


def _content(state: dict[str, Tensor], ending: str) -> bytes:
    """The file; in memory, since neither library says what the system says of a disk that is full."""
    if ending == ".pth":
        import torch

        file = io.BytesIO()
        torch.save(state, file)
        return file.getvalue()
    from safetensors.torch import save

    content: bytes = save(state)
    return content
