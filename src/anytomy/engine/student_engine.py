"""What runs the network of a student: its graph on the CPU, torch on a GPU or on request."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np

from anytomy.core.errors import ChecksumError, ModelError
from anytomy.engine.graph_engine import open_graph
from anytomy.engine.opening import choose_runtimes, torch_device
from anytomy.engine.threads import available_cores
from anytomy.models.students.folder import graph_path, load_network
from anytomy.zoo.home import cache_dir

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from anytomy.zoo.card import Student


class StudentEngine:
    """A network as a function: pixels `(1, channels, *patch)` to logits `(1, classes + 1, *patch)`, float32.

    Args:
        run: The function.
        description: Runtime, device, precision and threads, for manifests.
        precision: `f32` or `bf16`.
    """

    def __init__(
        self,
        run: Callable[[NDArray[np.float32]], NDArray[np.float32]],
        *,
        description: str,
        precision: str = "f32",
    ) -> None:
        self._run = run
        self.description = description
        self.precision = precision

    def __call__(self, pixels: NDArray[np.float32]) -> NDArray[np.float32]:
        """Logits of one window."""
        return self._run(pixels)

    @classmethod
    def of(cls, student: Student, *, engine: str, device: str, threads: int | None, precision: str) -> Self:
        """The engine of a student; see `LoadedModel.open` for the arguments.

        Raises:
            ModelError: A file is missing, damaged or does not fit the card.
            OptionError: The engine does not go with the device or the precision.
        """
        threads = threads or available_cores()
        chosen = torch_device(engine, device)
        if chosen is not None:
            return cls._torch(student, device=chosen, threads=threads, precision=precision)
        runtime, _ = choose_runtimes(engine, precision)
        path, card = graph_path(student.folder, student.card), student.card
        try:
            graph = open_graph(runtime, path, threads, precision, cache_dir("graphs") / "openvino")
            shape = graph({"pixels": np.zeros((1, card.channels, *card.patch), np.float32)})[0].shape
        except ChecksumError:
            raise
        except Exception as error:
            first = str(getattr(error, "message", error)).strip().splitlines() or [type(error).__name__]
            raise ModelError(
                f"{path} cannot be run: {first[0]}", hint="copy the folder anew, or use --engine torch"
            ) from error
        if shape != (1, len(card.classes) + 1, *card.patch):
            raise ModelError(
                f"{path} gives logits of shape {shape}, expected {(1, len(card.classes) + 1, *card.patch)}: "
                f"{len(card.classes)} classes and the background",
                hint="copy the folder anew",
            )
        return cls(
            lambda pixels: graph({"pixels": pixels})[0],
            description=f"{runtime} cpu {precision} x{threads}",
            precision=precision,
        )

    @classmethod
    def _torch(cls, student: Student, **settings: Any) -> Self:
        from anytomy.engine.torch_engine import TorchEngine

        runner = TorchEngine(load_network(student.folder, student.card), **settings)
        return cls(
            lambda pixels: runner.run(lambda network, image: network(image), pixels),
            description=runner.description,
            precision=runner.precision,
        )
