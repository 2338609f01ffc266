"""What `Model.segment` gives back: a `Prediction` that can be saved."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from anytomy.core.prediction import Prediction

if TYPE_CHECKING:
    import os

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
    """

    image: Image
    intensity: PolicyChoice
    grey: GreyScale
    axis: str = "z"

    def save(self, path: str | os.PathLike[str]) -> list[Path]:
        """Write the masks on the image's own grid; the ending of `path` says how.

        Returns:
            The files written; several where `overlap="keep"` meets a format without layers.

        Raises:
            OutputError: If it cannot be written there; nothing is lost.
        """
        from anytomy.io.write import write_prediction

        return write_prediction(Path(path), self, self.image)
