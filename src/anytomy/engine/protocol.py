"""The seam between a model and what runs it: `Engine`, and what some of them can besides."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@runtime_checkable
class Engine(Protocol):
    """Runs the two halves of a SAM-like model.

    - Arrays are float32 and contiguous; `encode` and `decode` take one image and one prompt: more images only
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


@runtime_checkable
class SemanticEngine(Protocol):
    """Runs the two halves of a model that takes no prompts; the rules are those of `Engine`."""

    @property
    def description(self) -> str:
        """See `Engine`."""
        ...

    @property
    def precision(self) -> str:
        """See `Engine`."""
        ...

    def encode(self, pixels: NDArray[np.float32]) -> NDArray[np.float32]:
        """See `Engine`."""
        ...

    def classify(self, embedding: NDArray[np.float32]) -> NDArray[np.float32]:
        """The embedding `(1, channels, grid, grid)` to logits `(classes + 1, 4 grid, 4 grid)`.

        Channel 0 is the background.
        """
        ...


@runtime_checkable
class BatchEngine(Engine, Protocol):
    """An `Engine` that also decodes many prompts of one image in a call.

    Worth it where the work that all prompts share (what the first attention makes of the image) is done once:
    a fifth less time than one by one in ONNX Runtime on a CPU (measured), where they share the image.
    """

    @property
    def batch(self) -> int:
        """How many prompts at once pay off; more cost memory and save nothing."""
        ...

    def decode_many(
        self,
        embedding: NDArray[np.float32],
        coords: NDArray[np.float32],
        labels: NDArray[np.float32],
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Decode prompts without masks.

        Args:
            embedding: `(1, channels, grid, grid)`.
            coords: `(b, n, 2)`, as in `decode`.
            labels: `(b, n)`, as in `decode`.

        Returns:
            Logits `(b, 4, 4 grid, 4 grid)` and predicted IoU `(b, 4)`, as `decode` gives them to 1e-3.
        """
        ...


class EncodingInterruptedError(Exception):
    """An encoding was given up because somebody asked for it; nothing is wrong."""


@runtime_checkable
class Interruptible(Protocol):
    """What can give up an encoding that runs: on two cores one takes as long as five answers."""

    def interrupt(self) -> None:
        """Have the encoding that runs, if one does, raise `EncodingInterruptedError`; from another thread."""
        ...
