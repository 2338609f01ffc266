"""A model for engineers: ONNX graphs, and a JSON file with everything that stands before and after them.

With the folder, numpy, Pillow and ONNX Runtime a program gives the same masks; `docs/adapters.md` shows one.
"""

from __future__ import annotations

import json
import secrets
import shutil
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from anytomy import __version__
from anytomy.core.errors import OutputError
from anytomy.core.intensity import CT_WINDOWS
from anytomy.engine.graphs import build_graphs
from anytomy.engine.loading import load_sam, load_tuned
from anytomy.io.atomic import output_error
from anytomy.zoo import checksum, store

if TYPE_CHECKING:
    from pathlib import Path

    from anytomy.zoo.card import ModelCard

SCHEMA = "anytomy.onnx/1"
_POLICIES = {
    "window:WIDTH,LEVEL": "low = level - width / 2, high = level + width / 2; grey = uint8((clip(v, low, "
    "high) - low) / (high - low) * 255), in float64 and cut off, not rounded",
    "percentile:LOW,HIGH": "low and high are these percentiles (linear) of the finite voxels of the whole "
    "volume that are not 0; the rest as with a window; voxels that are exactly 0 stay 0",
    "none": "values are grey levels 0..255 already",
    **{f"ct:{name}": f"window:{width:g},{level:g} of HU" for name, (width, level) in CT_WINDOWS.items()},
}
_RESIZES = {
    "area": "cv2.INTER_AREA",
    "bilinear": "Pillow's BILINEAR (antialiased) on uint8",
    "bicubic": "Pillow's BICUBIC (antialiased) on uint8",
    "nearest": "cv2.INTER_NEAREST",
}


def export_onnx(card: ModelCard, folder: Path, *, threads: int = 1) -> list[Path]:
    """Write `encoder.onnx`, `decoder.onnx` (or `head.onnx`) and `model.json`.

    With routes there is a second decoder, `decoder_base.onnx`. All graphs are run in ONNX Runtime and held
    against torch before the folder appears.

    Args:
        card: Of a model, with an adapter or without.
        folder: A new or an empty one.
        threads: CPU threads for the check.

    Returns:
        The files.

    Raises:
        OutputError: There is something at that place, or it cannot be written.
        ModelError: The weights do not fit, or a graph differs from torch by more than 1e-3.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise OutputError(f"expected a new or an empty folder, got {folder}", hint="choose another with -o")
    weights = store.ensure(card.base_id)
    sha256 = card.weights.sha256 or checksum.sha256_of(weights)
    temporary = folder.absolute().with_name(f".anytomy-{secrets.token_hex(6)}")
    try:
        model = load_tuned(card, weights, sha256)
        build_graphs(model, temporary, threads=threads)
        facts = json.loads((temporary / "graph.json").read_text(encoding="utf-8"))
        checked = {"differences": facts["max_logit_difference"]}
        if card.adapter is not None and card.adapter.card.routes:
            checked["differences_base"] = _add_base_decoder(card, weights, temporary, threads)
        (temporary / "graph.json").unlink()
        document = describe_onnx(card, card.weights_sha256(sha256), model.grid) | {"check": checked}
        text = json.dumps(document, indent=2, ensure_ascii=False) + "\n"
        (temporary / "model.json").write_text(text, encoding="utf-8")
        if folder.exists():
            folder.rmdir()
        temporary.rename(folder)
    except OSError as error:
        raise output_error(folder, error) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return sorted(folder.iterdir())


def _add_base_decoder(card: ModelCard, weights: Path, folder: Path, threads: int) -> dict[str, float]:
    base = folder / "base"
    build_graphs(load_sam(card, weights), base, threads=threads, encoder=False)
    facts = json.loads((base / "graph.json").read_text(encoding="utf-8"))
    (base / "decoder.onnx").rename(folder / "decoder_base.onnx")
    shutil.rmtree(base)
    differences: dict[str, float] = facts["max_logit_difference"]
    return differences


def describe_onnx(card: ModelCard, sha256: str, grid: int) -> dict[str, Any]:
    """What has to be done before, between and after the graphs.

    Args:
        card: The model card.
        sha256: Hash of all weights.
        grid: Edge of the embedding in tokens.
    """
    preprocess = asdict(card.preprocess)
    document: dict[str, Any] = {
        "schema": SCHEMA,
        "anytomy": __version__,
        "model": {
            "id": card.base_id if card.adapter is None else f"{card.base_id} + adapter",
            "title": card.title,
            "architecture": card.architecture,
            "licence": card.licence,
            "paper": card.paper,
            "weights_sha256": sha256,
            "method": None if card.adapter is None else card.adapter.card.method,
        },
        "note": "for research, not a medical device",
        "preprocess": {
            "steps": _before(card),
            "input_size": card.input_size,
            "channels": "RGB; grey pictures three times the same",
            **preprocess,
            "resize_means": _RESIZES[card.preprocess.resize],
            "intensity": dict(card.intensity),
            "intensity_means": _POLICIES,
        },
        "postprocess": {"steps": _after(card), "low_resolution": 4 * grid},
    }
    if card.classes:
        return document | {"classes": ["background", *card.classes], "graphs": _semantic_graphs(card, grid)}
    return document | {"prompts": _prompts(card), "graphs": _prompt_graphs(card, grid)}


def _before(card: ModelCard) -> list[str]:
    size, given = card.input_size, card.preprocess
    pads = given.aspect == "pad"
    inner = (
        f"scale = {size} / max(height, width); inner_height = int(height * scale + 0.5), inner_width "
        "likewise, each at least 1"
        if pads
        else f"inner_height = inner_width = {size}"
    )
    scaling = {
        "minmax": "(v - min) / max(max - min, 1e-8) over this picture, all channels together, before padding",
        "mean-std": "(v - mean) / std for each channel, before padding",
    }[given.scale]
    steps = [
        "turn the slice so that it is seen as radiologists do (nearest to LPS)",
        "intensity: to uint8 0..255 by the policy of the modality, `default` where it is not named",
        inner,
        f"resize (height, width) to (inner_height, inner_width), uint8: {_RESIZES[given.resize]}",
        f"float32, scale: {scaling}",
        f"RGB, channels first; zeros below and right up to {size} x {size}; shape (1, 3, {size}, {size})",
    ]
    return steps


def _after(card: ModelCard) -> list[str]:
    size = card.input_size
    end = "inside is where the logit is above 0"
    if card.classes:
        choice = "take each channel of logits[0]"
        end = "the class of a pixel is the channel of the largest logit; 0 is the background"
    elif card.mask_output == "single":
        choice = "take logits[i, 0] of prompt i, and scores[i, 0] as the model's own estimate of the IoU"
    else:
        choice = (
            "of prompt i take logits[i, 0], but for a single point alone logits[i, k] with "
            "k = 1 + argmax(scores[i, 1:])"
        )
    return [
        choice,
        f"bilinear to ({size}, {size}), between pixel centres (align_corners=False), unless it has that size",
        "cut off the padding: [:inner_height, :inner_width]",
        "bilinear to (height, width), align_corners=False",
        end,
    ]


def _prompts(card: ModelCard) -> dict[str, Any]:
    given = card.preprocess
    scale = (
        f"multiply x and y by {card.input_size} / max(height, width)"
        if given.aspect == "pad" and given.integer_boxes
        else "multiply x by inner_width / width and y by inner_height / height"
    )
    routes = () if card.adapter is None else card.adapter.card.routes
    return {
        "kinds": list(card.prompts),
        "coords": "float32 (prompts, points, 2), x then y, pixels of the picture, ends of a box exclusive; "
        + scale
        + ("; cut the corners of a box to whole numbers afterwards" if given.integer_boxes else ""),
        "labels": "float32 (prompts, points): 1 object, 0 background, 2 and 3 the first and second corner of "
        "a box (behind the points), -1 for a point at (0, 0) that must end every prompt without a box",
        "mask_input": "float32 (1, 1, low_resolution, low_resolution): logits of an earlier answer for one "
        "prompt; zeros and has_mask 0 without one; of a drawn mask: +10 inside, -10 outside and in the "
        "padding, the share of each low-resolution pixel that is inside in between",
        "mask_output": card.mask_output,
        "decoder": {
            "decoder_base.onnx": f"prompts of {' and '.join(routes)} alone",
            "decoder.onnx": "all others",
        }
        if routes
        else {"decoder.onnx": "all prompts"},
    }


def _encoder_graph(card: ModelCard, grid: int) -> dict[str, Any]:
    size = card.input_size
    return {
        "inputs": {"pixels": ["float32", [1, 3, size, size]]},
        "outputs": {"embedding": ["float32", [1, 256, grid, grid]]},
    }


def _semantic_graphs(card: ModelCard, grid: int) -> dict[str, Any]:
    head = {
        "inputs": {"embedding": ["float32", [1, 256, grid, grid]]},
        "outputs": {"logits": ["float32", [1, len(card.classes) + 1, 4 * grid, 4 * grid]]},
    }
    return {"encoder.onnx": _encoder_graph(card, grid), "head.onnx": head}


def _prompt_graphs(card: ModelCard, grid: int) -> dict[str, Any]:
    side = 4 * grid
    decoder = {
        "inputs": {
            "embedding": ["float32", [1, 256, grid, grid]],
            "coords": ["float32", ["prompts", "points", 2]],
            "labels": ["float32", ["prompts", "points"]],
            "mask_input": ["float32", [1, 1, side, side]],
            "has_mask": ["float32", [1]],
        },
        "outputs": {
            "logits": ["float32", ["prompts", 4, side, side]],
            "scores": ["float32", ["prompts", 4]],
        },
    }
    graphs = {"encoder.onnx": _encoder_graph(card, grid), "decoder.onnx": decoder}
    if card.adapter is not None and card.adapter.card.routes:
        graphs["decoder_base.onnx"] = decoder
    return graphs
