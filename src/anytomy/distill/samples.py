"""Pictures and targets on the student's grid, prepared once and kept on disk: `Stock`, and `Samples` of it.

Pictures, probabilities of classes and weights are kept as bytes: a grey level more or less, and a four
hundredth of a weight, teach nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from anytomy.predict.student.grid import resized
from anytomy.tuning.prepared import mapped, name_of, quietly_labelled, quietly_read, write_array
from anytomy.tuning.samples import Sample, class_map

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from anytomy.core.image import Image
    from anytomy.datasets.case import Case
    from anytomy.predict.student.grid import StudentGrid

WHOLE = -1
"""Place of a sample that is a whole volume."""


@dataclass(frozen=True, eq=False)
class Target:
    """What a case teaches, on its own grid.

    Attributes:
        classes: Class of each pixel or voxel `([z,] y, x)`, or probabilities `(classes + 1, [z,] y, x)`.
        weight: How much each counts, 0 to 1, `([z,] y, x)`; all alike where None.
    """

    classes: NDArray[Any]
    weight: NDArray[np.float32] | None = None


@dataclass(frozen=True, eq=False)
class Samples:
    """What a student is trained on.

    Attributes:
        stock: Where the pictures lie.
        targets: Folder of the targets.
        all: Pictures, slices or volumes, with their classes.
    """

    stock: Stock
    targets: Path
    all: tuple[Sample, ...]

    def __len__(self) -> int:
        return len(self.all)

    def read(self, sample: Sample) -> tuple[Tensor, Tensor, Tensor]:
        """Grey levels 0 to 1 `(C, ...)`, probabilities of classes without background `(K, ...)`, weights
        `(1, ...)`."""
        arrays = [*self.case(sample), mapped(self.targets / f"{sample.file}.weight.npy")]
        if sample.place != WHOLE:
            arrays = [array[:, sample.place] for array in arrays]
        picture, target, weight = (torch.from_numpy(np.array(array)).float() / 255 for array in arrays)
        return picture, target, weight

    def case(self, sample: Sample) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Levels `(C, z, y, x)` and shares of classes `(K, z, y, x)` of the sample's whole case, as bytes."""
        picture = mapped(self.stock.folder / f"{sample.file}.picture.npy")
        return picture, mapped(self.targets / f"{sample.file}.target.npy")


@dataclass(frozen=True, eq=False)
class Stock:
    """Pictures of cases on the student's grid.

    Attributes:
        folder: Where they lie.
        grid: Of the student.
        classes: Structures, in the order of channels.
        axis: The file's axis that slices run along.
        intensity: The policy that makes grey levels.
        masks: Makes further channels of an image, `(extra, z, y, x)` on the grid; None without any.
    """

    folder: Path
    grid: StudentGrid
    classes: tuple[str, ...]
    axis: str
    intensity: str
    masks: Callable[[Image], NDArray[np.uint8]] | None = None

    def picture(self, case: Case, image: Image | None = None) -> NDArray[np.uint8]:
        """Grey levels `(C, z, y, x)` of a case, z being 1 for a picture; made where they are not there yet.

        Raises:
            ImageReadError: The image cannot be read.
            OutputError: There is no room.
        """
        path = self.folder / f"{name_of(case)}.picture.npy"
        if not path.is_file():
            image = image or quietly_read(case)
            levels = self.grid.levels(image, self.intensity, self.axis if image.is_volume else "z")
            if self.masks is not None:
                levels = np.concatenate([levels, self.masks(image)])
            write_array(path, levels)
        return np.asarray(mapped(path))

    def samples(
        self,
        cases: Sequence[Case],
        target: Callable[[Case, Image], Target | None],
        targets: Path,
        *,
        progress: Callable[[int, int, str], None] | None = None,
    ) -> Samples:
        """Write the targets of some cases and make samples of them.

        Args:
            cases: They are read here; cases with a target on disk are not asked about again.
            target: What a case teaches; None to leave it out.
            targets: Folder for them.
            progress: Called with cases done, cases in all and a name.
        """
        made: list[Sample] = []
        for number, case in enumerate(cases, start=1):
            made += self._case(case, target, targets)
            if progress is not None:
                progress(number, len(cases), f"{case.dataset} {case.id}")
        return Samples(self, targets, tuple(made))

    def _case(
        self, case: Case, target: Callable[[Case, Image], Target | None], targets: Path
    ) -> list[Sample]:
        path = targets / f"{name_of(case)}.target.npy"
        if not path.is_file():
            image = quietly_read(case)
            found = target(case, image)
            if found is None:
                return []
            picture = self.picture(case, image)
            shares, weight = self._on_grid(found, image, picture.shape[1:])
            write_array(targets / f"{name_of(case)}.weight.npy", weight)
            write_array(path, shares)  # the last: it says that both are there
        shares = mapped(path)
        picture = self.picture(case)
        if self.grid.dims == 3:
            areas = self._areas(shares)
            return [Sample(case.dataset, case.id, case.patient, name_of(case), WHOLE, 0, areas)]
        return [
            Sample(case.dataset, case.id, case.patient, name_of(case), i, i, self._areas(shares[:, i]))
            for i in range(picture.shape[1])
        ]

    def _areas(self, shares: NDArray[np.uint8]) -> dict[str, int]:
        sizes = (shares > 127).reshape(len(self.classes), -1).sum(axis=1)
        return {name: int(size) for name, size in zip(self.classes, sizes, strict=True) if size}

    def _on_grid(
        self, target: Target, image: Image, shape: tuple[int, ...]
    ) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Shares of classes `(K, z, y, x)` and weights `(1, z, y, x)` as the network sees them."""
        classes, weight = target.classes, target.weight
        if classes.ndim == (4 if image.is_volume else 3):
            layers = iter(classes[1:])
        else:
            layers = (classes == index for index in range(1, len(self.classes) + 1))
        shares = [self._bytes(layer, image, shape) for layer in layers]  # one at a time: they are large
        if weight is None:
            weight = np.ones(image.array.shape[: 3 if image.is_volume else 2], np.float32)
        return np.stack(shares), self._bytes(weight, image, shape)[None]

    def _bytes(self, layer: NDArray[Any], image: Image, shape: tuple[int, ...]) -> NDArray[np.uint8]:
        axis = self.axis if image.is_volume else "z"
        seen = self.grid.view(image, axis).apply(layer if image.is_volume else layer[None])
        values = resized(np.ascontiguousarray(seen, dtype=np.float32), shape)
        return np.asarray(np.rint(values.clip(0, 1) * 255), dtype=np.uint8)


def labels_of(case: Case, image: Image, classes: Sequence[str]) -> NDArray[np.uint8]:
    """Class of each pixel or voxel by the case's labels.

    Raises:
        DatasetError: A label map holds values that no label names: they would be learned as background.
    """
    labels = quietly_labelled(case, image, strict=True)
    nothing = np.zeros(image.array.shape[: 3 if image.is_volume else 2], dtype=np.uint8)
    return class_map(np.stack([labels.get(name, nothing) for name in classes]))
