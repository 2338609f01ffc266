"""Reading checkpoints, safely, and filling models with them, strictly."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from anytomy.core.errors import ModelError
from anytomy.models.converters import StateDict, to_ours

# Training scripts save the weights beside the optimizer's state; MedSAM's under "model".
_WRAPPERS = ("model", "state_dict", "model_state_dict")
# DistributedDataParallel and torch.compile put these before each key.
_PREFIXES = ("module.", "_orig_mod.")
_SHOWN = 3


def read_checkpoint(path: str | Path) -> dict[str, Tensor]:
    """Read the weights in a file, whatever they are called there.

    Files are recognised by their first bytes, not by their ending. Only safetensors and what torch loads with
    `weights_only=True` is read: no code in a file is ever run.

    Args:
        path: A `.safetensors`, `.pth`, `.pt` or `.bin` file.

    Returns:
        Tensors on the CPU under the file's own names, without wrappers (`{"model": ...}`) and prefixes
        (`module.`); `load_weights` recognises the naming.

    Raises:
        ModelError: The file is missing, damaged, holds something else than weights, or would have to be
        unpickled.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            head = file.read(9)
    except OSError as error:
        message = f"cannot read the checkpoint {path}: {error.strerror or error}"
        raise ModelError(message) from error
    return _strip_prefixes(_unwrap(_read(path, head), path))


def load_weights(model: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Fill a model, in place.

    Args:
        model: A model of `architectures.build`.
        state: Weights in our, the original or Hugging Face's naming; see `converters`.

    Raises:
        ModelError: A tensor is missing, superfluous or of another shape. The model is unchanged then.
    """
    ours: StateDict = to_ours(state)
    wanted = model.state_dict()
    missing = [key for key in wanted if key not in ours]
    unexpected = [key for key in ours if key not in wanted]
    mismatched = [
        f"{key} {tuple(ours[key].shape)} instead of {tuple(wanted[key].shape)}"
        for key in wanted
        if key in ours and ours[key].shape != wanted[key].shape
    ]
    groups = {"missing": missing, "unexpected": unexpected, "of another shape": mismatched}
    problems = [_brief(name, keys) for name, keys in groups.items() if keys]
    if problems:
        message = f"the weights do not fit the model: {'; '.join(problems)}"
        raise ModelError(message, hint="check that the architecture is the checkpoint's own")
    model.load_state_dict(ours, strict=True)


def _read(path: Path, head: bytes) -> Any:
    # A safetensors file begins with the length of its JSON header (8 bytes) and the header's brace,
    # torch's with zip's or (before torch 1.6) a pickle's first bytes.
    if head[8:9] == b"{":
        return _read_safetensors(path)
    if head.startswith((b"PK", b"\x80")):
        return _read_torch(path)
    message = f"{path} is no checkpoint, it starts with {head!r}"
    hint = "a web page or a Git LFS pointer may have been saved in its place: download it again"
    raise ModelError(message, hint=hint)


def _read_safetensors(path: Path) -> Mapping[str, Any]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        content: Mapping[str, Any] = load_file(path, device="cpu")
    except (SafetensorError, OSError, ValueError) as error:
        raise _damaged(path, error) from error
    return content


def _read_torch(path: Path) -> Any:
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    # torch raises RuntimeError, EOFError, UnpicklingError, KeyError, ... depending on where a file is cut.
    except Exception as error:
        if "weights_only" in str(error) or "Weights only load failed" in str(error):
            message = f"{path} holds more than tensors and is not loaded, because code in it could run"
            hint = "if you trust it, load it with torch on its own and save its state_dict as safetensors"
            raise ModelError(message, hint=hint) from error
        raise _damaged(path, error) from error


def _damaged(path: Path, error: Exception) -> ModelError:
    reason = re.split(r"\. |\n", str(error))[0] or type(error).__name__
    message = f"{path} ({path.stat().st_size} bytes) is truncated or damaged: {reason}"
    return ModelError(message, hint="download or copy it again and compare its size and checksum")


def _unwrap(content: Any, path: Path) -> dict[str, Tensor]:
    """The innermost dictionary of tensors."""
    while isinstance(content, Mapping):
        inner = [content[key] for key in _WRAPPERS if isinstance(content.get(key), Mapping)]
        if not inner:
            break
        content = inner[0]
    if not isinstance(content, Mapping):
        message = f"{path} holds a {type(content).__name__}, expected a dictionary of tensors"
        raise ModelError(message, hint="save model.state_dict()")
    tensors = {str(key): value for key, value in content.items() if isinstance(value, Tensor)}
    if not tensors:
        keys = ", ".join(sorted(map(str, content))[:_SHOWN]) or "nothing"
        message = f"{path} holds no tensors at its top level, only {keys}"
        raise ModelError(message, hint="save model.state_dict(), alone or under the key 'model'")
    return tensors


def _strip_prefixes(state: dict[str, Tensor]) -> dict[str, Tensor]:
    for prefix in _PREFIXES * 2:  # they nest in either order
        if all(key.startswith(prefix) for key in state):
            state = {key.removeprefix(prefix): value for key, value in state.items()}
    return state


def _brief(name: str, keys: list[str]) -> str:
    more = f" and {len(keys) - _SHOWN} more" if len(keys) > _SHOWN else ""
    return f"{len(keys)} {name} ({', '.join(keys[:_SHOWN])}{more})"
