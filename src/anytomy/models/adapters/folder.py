"""The folder of an adapter: `adapter.safetensors` holds what was trained, `adapter.json` says what it is.

Reading the card needs no torch.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anytomy.core.errors import ModelError
from anytomy.io.atomic import write_bytes, write_text
from anytomy.io.toml_table import Table
from anytomy.models.adapters.method import MODES, PROMPTABLE, SEMANTIC
from anytomy.models.bundle import SHA256, read_card, read_content
from anytomy.models.thresholds import Thresholds, read_thresholds

if TYPE_CHECKING:
    from torch import Tensor

CARD, WEIGHTS = "adapter.json", "adapter.safetensors"
FORMAT = 1
PROMPTS = ("box", "points", "mask")
MASK_OUTPUTS = ("single", "best-of-three")
_ANEW = "train the adapter anew"


@dataclass(frozen=True, kw_only=True)
class AdapterCard:
    """All that is known of an adapter; the content of `adapter.json`.

    Attributes:
        base: Id of the model that it was trained on.
        base_sha256: Hash of that model's weights.
        architecture: Of the base.
        method: Methods as they are typed, `lora:4+decoder`.
        mode: `promptable` or `semantic`.
        prompts: Kinds of prompts that the tuned model answers, of box, points, mask; none if semantic.
        classes: Names of classes in the order of channels, without the background; none if promptable.
        routes: Kinds of prompts that keep the base's own prompt encoder and decoder: with `("box",)` a prompt
            of a box alone is answered as the base answers it, everything else by what was tuned.
        mask_output: As in a model card.
        intensity: Policy per modality in the option syntax; `default` is always there.
        preprocess: How an image becomes the input, as in the base's card.
        data: Data sets and the cases of their splits.
        metrics: What was measured, before and after.
        versions: Of the packages that trained it.
        training: Everything else that decided the result: the resolved configuration.
        licence: Of the adapter.
        title: Name for people.
        summary: One line.
        stands_in_for: Ids of models in whose place it answers prompts that they never learned.
        automatic: What masks have to reach that nobody asked for; None where nobody has looked.
        weights_sha256: Hash of `adapter.safetensors`; `write_adapter` sets it.
        touches_encoder: Whether the image encoder was trained. If not, embeddings are the base's;
            `write_adapter` sets it.
    """

    base: str
    base_sha256: str
    architecture: str
    method: str
    mode: str = PROMPTABLE
    prompts: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    routes: tuple[str, ...] = ()
    mask_output: str = "single"
    intensity: Mapping[str, str] = field(default_factory=dict)
    preprocess: Mapping[str, Any] = field(default_factory=dict)
    data: Mapping[str, Any] = field(default_factory=dict)
    metrics: Mapping[str, Any] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    training: Mapping[str, Any] = field(default_factory=dict)
    licence: str = "unknown"
    title: str = ""
    summary: str = ""
    stands_in_for: tuple[str, ...] = ()
    automatic: Thresholds | None = None
    weights_sha256: str = ""
    touches_encoder: bool = True

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it."""
        plain: dict[str, Any] = json.loads(json.dumps({"format": FORMAT, **asdict(self)}))
        if self.automatic is None:
            del plain["automatic"]
        return plain


def is_adapter(folder: Path) -> bool:
    """Whether a folder says that it is an adapter."""
    return (folder / CARD).is_file()


def read_adapter(folder: Path) -> AdapterCard:
    """Read the card of an adapter.

    Raises:
        ModelError: There is none, or a field is missing, unknown, of a wrong type or value; the message names
            the file.
    """
    path = folder / CARD
    values = read_card(path, what="an adapter", version=("format", FORMAT), maker="anytomy tune", anew=_ANEW)
    return _checked(_card(values, path), path)


def read_weights(folder: Path, card: AdapterCard) -> dict[str, Tensor]:
    """Read what was trained.

    Raises:
        ModelError: The file is missing or damaged.
        ChecksumError: It is not the one that the card names.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load

    path = folder / WEIGHTS
    content = read_content(
        path,
        card.weights_sha256,
        what="the weights of the adapter",
        wrong=f"is not the file that {CARD} names",
        hint=f"copy the whole folder anew, or {_ANEW}",
    )
    try:
        state: dict[str, Tensor] = load(content)
    except (SafetensorError, ValueError) as error:
        raise ModelError(f"{path} is truncated or damaged: {error}", hint="copy the folder anew") from error
    return state


def write_adapter(folder: Path, card: AdapterCard, state: Mapping[str, Tensor]) -> AdapterCard:
    """Write an adapter; its card comes last, so that a folder with a card is complete.

    Args:
        folder: Made if need be; an older adapter in it is replaced.
        card: What it is.
        state: What `adapted.trained` gave; written in the precision that it has.

    Returns:
        The card, with what follows from the weights.

    Raises:
        ModelError: The card contradicts itself.
        OutputError: The folder cannot be written.
    """
    from safetensors.torch import save

    touches = any(name.startswith("image_encoder.") for name in state)
    card = _checked(replace(card, touches_encoder=touches), folder / CARD)
    content = save({name: tensor.detach().cpu().contiguous() for name, tensor in state.items()})
    written = replace(card, weights_sha256=hashlib.sha256(content).hexdigest())
    write_bytes(folder / WEIGHTS, content)
    write_text(folder / CARD, json.dumps(written.to_dict(), indent=2, ensure_ascii=False) + "\n")
    return written


def _card(values: Mapping[str, Any], path: Path) -> AdapterCard:
    top = Table(values, path)
    top.whole("format")
    card = AdapterCard(
        base=top.text("base"),
        base_sha256=top.text("base_sha256", pattern=SHA256),
        architecture=top.text("architecture"),
        method=top.text("method"),
        mode=top.choice("mode", MODES),
        prompts=top.texts("prompts"),
        classes=top.texts("classes"),
        routes=top.texts("routes"),
        mask_output=top.choice("mask_output", MASK_OUTPUTS),
        intensity=top.fields("intensity"),
        preprocess=top.fields("preprocess"),
        data=top.fields("data"),
        metrics=top.fields("metrics"),
        versions=top.fields("versions"),
        training=top.fields("training"),
        licence=top.text("licence", empty=True, default="unknown"),
        title=top.text("title", empty=True, default=""),
        summary=top.text("summary", empty=True, default=""),
        stands_in_for=top.texts("stands_in_for"),
        automatic=read_thresholds(top),
        weights_sha256=top.text("weights_sha256", empty=True, default="", pattern=SHA256),
        touches_encoder=top.flag("touches_encoder", default=True),
    )
    top.finish()
    return card


def _checked(card: AdapterCard, path: Path) -> AdapterCard:
    """The card, if it does not contradict itself."""
    fault = ""
    if card.mode == SEMANTIC and (not card.classes or card.prompts or card.routes):
        fault = "a semantic adapter has classes, and neither prompts nor routes"
    elif card.mode == PROMPTABLE and (not card.prompts or card.classes):
        fault = "a promptable adapter has prompts and no classes"
    elif len(set(card.classes)) < len(card.classes) or not all(card.classes):
        fault = "classes have names, each its own"
    elif not set(card.prompts) <= set(PROMPTS) or not set(card.routes) <= set(card.prompts):
        fault = f"prompts are of {', '.join(PROMPTS)}, and routes of the prompts"
    elif card.routes and card.touches_encoder:
        fault = "a route keeps the base's decoder, which understands the base's image encoder only"
    elif "default" not in card.intensity or not all(isinstance(v, str) for v in card.intensity.values()):
        fault = "intensity has a policy for each modality and a default"
    if fault:
        raise ModelError(f"the adapter's card {path} is wrong: {fault}", hint=_ANEW)
    return card
