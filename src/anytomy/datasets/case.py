"""One case of a data set: where its image and its masks are, and how to load them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from anytomy.core.image import Image
    from anytomy.datasets.layout import Target


@dataclass(frozen=True)
class ImageRef:
    """Where an image is.

    Attributes:
        path: File, or folder with a DICOM series.
        key: Array in an npz; empty otherwise.
        time: Time point or channel where the file has one axis more.
        form: Name of the reader of `anytomy.datasets.readers` that reads it; empty for what `io.read` knows.
    """

    path: Path
    key: str = ""
    time: int | None = None
    form: str = ""


@dataclass(frozen=True)
class MaskRef:
    """Where the label of one target is.

    Attributes:
        target: What it marks and how.
        paths: One label map; or several files, one object each; or the slices of a DICOM series, in the
            order of its files.
        form: `map`, `files`, `slices`, or the reader of `anytomy.datasets.readers` that decodes it.
        key: Array in an npz, row in a table, ...; empty otherwise.
    """

    target: Target
    paths: tuple[Path, ...]
    form: str = "map"
    key: str = ""


@dataclass(frozen=True)
class Case:
    """An image and its labels; nothing is loaded before it is asked for.

    Attributes:
        dataset: Id of the data set.
        id: Unique in the data set.
        patient: Who; cases of one patient are never split.
        image: Where the image is.
        masks: Where the labels are, one for each target; several may name the same file.
        modality: What the data set says it is.
        split: The publisher's own split, or "".
        resize_masks: Masks have another size and are resized (nearest).
    """

    dataset: str
    id: str
    patient: str
    image: ImageRef
    masks: tuple[MaskRef, ...]
    modality: str = ""
    split: str = ""
    resize_masks: bool = False

    @property
    def structures(self) -> tuple[str, ...]:
        """What it has labels of, each once."""
        return tuple(dict.fromkeys(m.target.structure for m in self.masks))

    def read(self) -> Image:
        """The image.

        Raises:
            ImageReadError: If it cannot be read; the message names the file.
        """
        from anytomy.datasets.loading import read_image

        return read_image(self)

    def labels(self, image: Image) -> dict[str, NDArray[Any]]:
        """For each structure a label map `([z,] y, x)` on the image's grid: a value per object, 0 elsewhere.

        Raises:
            ImageReadError: If a mask cannot be read.
            GeometryError: If a mask does not lie on the image's grid.
        """
        from anytomy.datasets.loading import read_labels

        return read_labels(self, image)

    def load(self) -> tuple[Image, dict[str, NDArray[Any]]]:
        """Image and labels; see `read` and `labels`."""
        image = self.read()
        return image, self.labels(image)
