"""State dictionaries between our names, the original ones and Hugging Face's.

Our names are those of segment-anything (and of TinyViT in MobileSAM and LiteMedSAM), apart from two things:
queries, keys and values of the image encoder are three layers, and SAM-Med2D's `Adapter` is `adapter`.
Hugging Face's `SamModel` (ViT only) names most things otherwise. All conversions are exact both ways; tensors
are never changed but for cutting and joining.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal

import torch
from torch import Tensor

from anytomy.core.errors import ModelError

Naming = Literal["anytomy", "original", "hugging_face"]
StateDict = dict[str, Tensor]

_DROPPED = re.compile(
    r"(^|\.)(norm_head|head)\.(weight|bias)$"  # TinyViT's classifier, unused in a SAM
    r"|\.attention_bias_idxs$|\.attn\.ab$"  # follow from the window size and from attention_biases
    r"|^pixel_(mean|std)$"  # preprocessing, which is an intensity policy here
)

_FUSED = re.compile(r"^(?P<attention>.*\.attn)\.qkv\.(?P<kind>weight|bias)$")
_SPLIT = re.compile(r"^(?P<attention>.*\.attn)\.(?P<role>[qkv])_proj\.(?P<kind>weight|bias)$")

_HUGGING_FACE_PE = "shared_image_embedding.positional_embedding"
_HUGGING_FACE_PE_AGAIN = "prompt_encoder.shared_embedding.positional_embedding"

# Ours, Hugging Face's. Each key starts with at most one of them.
_HUGGING_FACE_NAMES = (
    ("prompt_encoder.pe_layer.positional_encoding_gaussian_matrix", _HUGGING_FACE_PE),
    ("prompt_encoder.point_embeddings.", "prompt_encoder.point_embed."),
    ("prompt_encoder.mask_downscaling.0.", "prompt_encoder.mask_embed.conv1."),
    ("prompt_encoder.mask_downscaling.1.", "prompt_encoder.mask_embed.layer_norm1."),
    ("prompt_encoder.mask_downscaling.3.", "prompt_encoder.mask_embed.conv2."),
    ("prompt_encoder.mask_downscaling.4.", "prompt_encoder.mask_embed.layer_norm2."),
    ("prompt_encoder.mask_downscaling.6.", "prompt_encoder.mask_embed.conv3."),
    ("mask_decoder.output_upscaling.0.", "mask_decoder.upscale_conv1."),
    ("mask_decoder.output_upscaling.1.", "mask_decoder.upscale_layer_norm."),
    ("mask_decoder.output_upscaling.3.", "mask_decoder.upscale_conv2."),
    (
        "mask_decoder.transformer.norm_final_attn.",
        "mask_decoder.transformer.layer_norm_final_attn.",
    ),
    ("image_encoder.pos_embed", "vision_encoder.pos_embed"),
    ("image_encoder.patch_embed.proj.", "vision_encoder.patch_embed.projection."),
    ("image_encoder.blocks.", "vision_encoder.layers."),
    ("image_encoder.neck.0.", "vision_encoder.neck.conv1."),
    ("image_encoder.neck.1.", "vision_encoder.neck.layer_norm1."),
    ("image_encoder.neck.2.", "vision_encoder.neck.conv2."),
    ("image_encoder.neck.3.", "vision_encoder.neck.layer_norm2."),
)

# The norms of a transformer block, and the three layers of the decoder's small perceptrons.
_BLOCK_NORM = re.compile(r"(?<=\d)\.norm(\d)\.")
_HUGGING_FACE_BLOCK_NORM = re.compile(r"(?<=\d)\.layer_norm(\d)\.")
_MLP = re.compile(
    r"(?P<mlp>output_hypernetworks_mlps\.\d+|iou_prediction_head)\.(?P<layer>layers\.\d|proj_in|proj_out)\."
)
_HUGGING_FACE_MLP = {"layers.0": "proj_in", "layers.1": "layers.0", "layers.2": "proj_out"}
_OUR_MLP = {theirs: ours for ours, theirs in _HUGGING_FACE_MLP.items()}


def detect_naming(state: Mapping[str, Tensor]) -> Naming:
    """Say whose names a state dictionary uses, judged by its image encoder."""
    if any(key.startswith(("vision_encoder.", "shared_image_embedding.")) for key in state):
        return "hugging_face"
    if any(_FUSED.match(key) or ".Adapter." in key for key in state):
        return "original"
    return "anytomy"


def to_ours(state: Mapping[str, Tensor]) -> StateDict:
    """Convert from whichever naming it has."""
    naming = detect_naming(state)
    if naming == "hugging_face":
        return from_hugging_face(state)
    return from_original(state) if naming == "original" else dict(state)


def from_original(state: Mapping[str, Tensor]) -> StateDict:
    """Convert from segment-anything's, MobileSAM's, LiteMedSAM's or SAM-Med2D's names to ours.

    Known leftovers (TinyViT's classifier, index buffers) are dropped; unknown keys stay, for the strict check
    of `checkpoints.load_weights` to name.
    """
    kept = {
        key.replace(".Adapter.", ".adapter."): value
        for key, value in state.items()
        if not _DROPPED.search(key)
    }
    return _split_qkv(kept)


def to_original(state: Mapping[str, Tensor]) -> StateDict:
    """Convert from our names to the ones that the authors' own code loads."""
    return {key.replace(".adapter.", ".Adapter."): value for key, value in _fuse_qkv(state).items()}


def from_hugging_face(state: Mapping[str, Tensor]) -> StateDict:
    """Convert from the names of `transformers.SamModel` to ours."""
    renamed: StateDict = {}
    for key, value in state.items():
        if key == _HUGGING_FACE_PE_AGAIN and _HUGGING_FACE_PE in state:
            continue  # the same tensor under a second name
        key = _HUGGING_FACE_PE if key == _HUGGING_FACE_PE_AGAIN else key
        for ours, theirs in _HUGGING_FACE_NAMES:
            if key.startswith(theirs):
                key = ours + key.removeprefix(theirs)
                break
        key = _HUGGING_FACE_BLOCK_NORM.sub(r".norm\1.", key)
        renamed[_MLP.sub(lambda m: f"{m['mlp']}.{_OUR_MLP[m['layer']]}.", key)] = value
    return _split_qkv(renamed)


def to_hugging_face(state: Mapping[str, Tensor]) -> StateDict:
    """Convert from our names to those of `transformers.SamModel`.

    Raises:
        ModelError: The image encoder is a TinyViT or has adapters, which `SamModel` does not know.
    """
    foreign = [k for k in state if ".adapter." in k or k.startswith("image_encoder.layers.")]
    if foreign:
        message = f"Hugging Face's SamModel has no place for {foreign[0]}, only a plain ViT fits"
        raise ModelError(message, hint="use to_original")
    renamed: StateDict = {}
    for key, value in _fuse_qkv(state).items():
        for ours, theirs in _HUGGING_FACE_NAMES:
            if key.startswith(ours):
                key = theirs + key.removeprefix(ours)
                break
        key = _BLOCK_NORM.sub(r".layer_norm\1.", key)
        key = _MLP.sub(lambda m: f"{m['mlp']}.{_HUGGING_FACE_MLP[m['layer']]}.", key)
        renamed[key] = value
        if key == _HUGGING_FACE_PE:
            renamed[_HUGGING_FACE_PE_AGAIN] = value
    return renamed


def _split_qkv(state: Mapping[str, Tensor]) -> StateDict:
    """Cut fused projections into queries, keys and values."""
    result: StateDict = {}
    for key, value in state.items():
        match = _FUSED.match(key)
        if match is None:
            result[key] = value
            continue
        groups = _head_groups(state, match["attention"])
        # Rows are ordered (group, q k v, channel): ViT has one group, TinyViT one for each head.
        parts = value.reshape(groups, 3, -1, *value.shape[1:]).unbind(1)
        for role, part in zip("qkv", parts, strict=True):
            name = f"{match['attention']}.{role}_proj.{match['kind']}"
            result[name] = part.reshape(-1, *value.shape[1:]).clone()
    return result


def _fuse_qkv(state: Mapping[str, Tensor]) -> StateDict:
    """Join queries, keys and values; the inverse of `_split_qkv`. The decoder's attention is left alone."""
    result: StateDict = {}
    for key, value in state.items():
        match = _SPLIT.match(key)
        if match is None:
            result[key] = value
        elif match["role"] == "q":
            attention, kind = match["attention"], match["kind"]
            groups = _head_groups(state, attention)
            names = [f"{attention}.{role}_proj.{kind}" for role in "qkv"]
            parts = [state[name].reshape(groups, -1, *value.shape[1:]) for name in names]
            fused = torch.stack(parts, dim=1).reshape(-1, *value.shape[1:])
            result[f"{attention}.qkv.{kind}"] = fused
    return result


def _head_groups(state: Mapping[str, Tensor], attention: str) -> int:
    """Into how many groups the rows of a fused projection are ordered before q, k and v."""
    biases = state.get(f"{attention}.attention_biases")  # only TinyViT has them: (heads, offsets)
    return 1 if biases is None else biases.shape[0]
