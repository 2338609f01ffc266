"""The seam between a model and what runs it: `Engine`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@runtime_checkable
class Engine(Protocol):
    """Runs the two halves of a SAM-like model.

    - Arrays are float32 and contiguous; batches hold one image and one prompt: more of either only
      thrash the caches of a CPU (measured).
    - Results of f32 engines agree with the torch modules to 1e-3 in the logits.
    - An engine has no state between calls that changes results, and copies what it returns.
    """

    @property
    def description(self) -> str:
        """Runtime, device, precision and threads, for manifests: `openvino+onnxruntime cpu f32 x2`."""
        ...

    @property
    def precision(self) -> str:
        """`f32` or `bf16`; embeddings of different precisions are cached apart."""
        ...

    def encode(self, pixels: NDArray[np.float32]) -> NDArray[np.float32]:
        """`(1, 3, size, size)` to the embedding `(1, channels, grid, grid)`."""
        ...

    def decode(
        self,
        embedding: NDArray[np.float32],
        coords: NDArray[np.float32],
        labels: NDArray[np.float32],
        mask_input: NDArray[np.float32] | None,
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Decode one prompt.

        Args:
            embedding: `(1, channels, grid, grid)`.
            coords: `(1, n, 2)`, x and y in input pixels.
            labels: `(1, n)`: -1 padding, 0 background, 1 object, 2 and 3 box corners.
            mask_input: `(1, 1, 4 grid, 4 grid)` logits, or None.

        Returns:
            Logits `(4, 4 grid, 4 grid)` (token 0 is the single mask, 1 to 3 the multi-mask) and the
            model's predicted IoU `(4,)`.
        """
        ...
