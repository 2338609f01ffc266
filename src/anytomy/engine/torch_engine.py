"""The torch modules themselves: on CUDA or MPS, for the check of exported graphs, or on request."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from anytomy.core.errors import OptionError

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from anytomy.models.adapters.method import Tunable


class TorchEngine:
    """Runs a `Sam` in eager torch.

    Args:
        sam: The model, with its weights; anything that encodes, for `encode` and `run` alone.
        device: `cpu`, `cuda`, `cuda:1`, `mps`.
        threads: CPU threads.
        precision: `f32`, or `bf16` (autocast).
    """

    def __init__(
        self, sam: Tunable, *, device: str = "cpu", threads: int = 1, precision: str = "f32"
    ) -> None:
        import torch

        self.precision = precision
        self._torch = torch
        self._device = torch.device(device)
        if self._device.type == "cpu":
            torch.set_num_threads(threads)
        self._sam: Any = sam.eval().to(self._device)
        self.description = f"torch {self._device} {precision} x{threads}"

    def encode(self, pixels: NDArray[np.float32]) -> NDArray[np.float32]:
        """See `Engine`."""
        return self.run(lambda model, image: model.encode(image), pixels)

    def run(self, step: Callable[[Any, Any], Any], array: NDArray[np.float32]) -> NDArray[np.float32]:
        """What a step of the model, called with the model and a tensor, makes of an array."""
        with self._torch.inference_mode(), self._cast():
            return self._array(step(self._sam, self._tensor(array)))

    def decode(
        self,
        embedding: NDArray[np.float32],
        coords: NDArray[np.float32],
        labels: NDArray[np.float32],
        mask_input: NDArray[np.float32] | None,
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """See `Engine`."""
        mask = None if mask_input is None else self._tensor(mask_input)
        with self._torch.inference_mode(), self._cast():
            image, where, what = (self._tensor(a) for a in (embedding, coords, labels))
            out = self._sam.decode(image, where, what, mask)
        return self._array(out.mask_logits)[0], self._array(out.iou_scores)[0]

    @property
    def batch(self) -> int:
        """See `BatchEngine`."""
        return 8 if self._device.type == "cpu" else 64

    def decode_many(
        self,
        embedding: NDArray[np.float32],
        coords: NDArray[np.float32],
        labels: NDArray[np.float32],
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """See `BatchEngine`."""
        with self._torch.inference_mode(), self._cast():
            image, where, what = (self._tensor(a) for a in (embedding, coords, labels))
            out = self._sam.decode(image, where, what)
        return self._array(out.mask_logits), self._array(out.iou_scores)

    def _tensor(self, array: NDArray[np.float32]) -> Any:
        # A copy: cached arrays may be read-only, which torch cannot express.
        return self._torch.tensor(array, device=self._device)

    def _array(self, tensor: Any) -> NDArray[np.float32]:
        array: NDArray[np.float32] = tensor.float().cpu().numpy()
        return array

    def _cast(self) -> Any:
        return self._torch.autocast(
            self._device.type, dtype=self._torch.bfloat16, enabled=self.precision == "bf16"
        )


def choose_device(wanted: str) -> str:
    """`auto` to the best device there is; others are checked.

    Raises:
        OptionError: If the device does not exist here.
    """
    if wanted == "cpu":
        return "cpu"
    import torch

    there = {
        "cuda": torch.cuda.is_available(),
        "mps": bool(getattr(torch.backends, "mps", None)) and torch.backends.mps.is_available(),
    }
    if wanted == "auto":
        return next((name for name, available in there.items() if available), "cpu")
    kind, _, number = wanted.partition(":")
    if there.get(kind) and (not number or (number.isdigit() and int(number) < torch.cuda.device_count())):
        return wanted
    available = ["cpu", *(name for name, available in there.items() if available)]
    raise OptionError(f"there is no device {wanted!r} here", hint=f"choose {' or '.join(available)}")
