"""What `Model.segment` gives back: a `Prediction` that can be saved."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from anytomy.core.prediction import Prediction

if TYPE_CHECKING:
    import os

    import numpy as np
    from numpy.typing import NDArray

    from anytomy.core.image import Image
    from anytomy.core.intensity import GreyScale, PolicyChoice


@dataclass(frozen=True, eq=False, kw_only=True)
class Result(Prediction):
    """A prediction with what it was made from.

    Attributes:
        image: The image that was segmented.
        intensity: The intensity policy and why it was taken.
        grey: The fitted policy.
        axis: The file's axis that slices run along.
        uncertainty: How much the planes of `triplanar` disagree, in bits (0 to 1), float32 `(z, y, x)`; in
            each voxel that of the prompted object that is the most uncertain there. None where not asked for.
    """

    image: Image
    intensity: PolicyChoice
    grey: GreyScale
    axis: str = "z"
    uncertainty: NDArray[np.float32] | None = None

    def save(self, path: str | os.PathLike[str]) -> list[Path]:
        """Write the masks on the image's own grid; the ending of `path` says how.

        Returns:
            The files written; several where `overlap="keep"` meets a format without layers.

        Raises:
            OutputError: If it cannot be written there; nothing is lost.
        """
        from anytomy.io.write import write_prediction

        return write_prediction(Path(path), self, self.image)


class Interrupted(KeyboardInterrupt):
    """Somebody interrupted the segmentation of a volume; what is done is kept.

    Attributes:
        result: The objects in the slices that were done; nothing was cleaned or combined, and slices that
            were not reached are empty. `details["done"]` has the ranges of slices that were, by object.
        done: Answers of the model so far.
        expected: How many there would have been.
    """

    def __init__(self, result: Result, done: int, expected: int) -> None:
        super().__init__(f"interrupted after {done} of {expected} slices")
        self.result = result
        self.done = done
        self.expected = expected
