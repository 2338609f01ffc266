"""What a model found, as the protocol sends it: `Answer`."""

from __future__ import annotations

import json
import secrets
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from anytomy.core.errors import OptionError
from anytomy.core.prediction import ObjectMask
from anytomy.core.view import SliceView
from anytomy.io.write import write_prediction
from anytomy.server.monai_label.images import write_nrrd
from anytomy.server.output import labelled

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from anytomy.core.image import Image
    from anytomy.predict.result import Result
    from anytomy.server.monai_label.asking import Offer

ENDINGS = (".nii.gz", ".nii", ".nrrd", ".seg.nrrd", ".mha")
_TYPES = ("uint8", "uint16")
_OCTETS = "application/octet-stream"


@dataclass(frozen=True, eq=False)
class Answer:
    """A label map and what belongs to it.

    Attributes:
        image: Whose grid it is on.
        names: Of the labels by value.
        label_map: `(z, y, x)`.
        scores: The model's own confidence by value; it ranks, it is no accuracy.
    """

    image: Image
    names: dict[int, str]
    label_map: NDArray[np.uint8]
    scores: dict[int, float]

    @classmethod
    def of(cls, result: Result, offer: Offer, params: dict[str, Any]) -> Answer:
        """From a result; of a model that is prompted all of it is the one label that was asked for."""
        found = np.asarray(result.label_map).reshape(result.geometry.shape_zyx)
        scores = [float(score) for score in result.scores]
        if offer.kind == "classes":
            names = {label.id: label.name for label in result.classes}
            return cls(result.image, names, found.astype(np.uint8), dict(zip(names, scores, strict=True)))
        name = params.get("label")
        name = name if isinstance(name, str) and name else "object"
        mean = sum(scores) / len(scores) if scores else 0.0
        return cls(result.image, {1: name}, (found > 0).astype(np.uint8), {1: mean})

    def masks(self) -> dict[str, NDArray[np.bool_]]:
        """Masks `(z, y, x)` by name."""
        return {name: self.label_map == value for value, name in self.names.items()}

    def params(self) -> dict[str, Any]:
        """What is said beside the file: labels by name with their values, their centres in voxels, scores."""
        centres = {}
        for value, name in self.names.items():
            where = np.nonzero(self.label_map == value)
            if where[0].size:
                centres[name] = [value, *(round(float(axis.mean()), 2) for axis in reversed(where))]
        return {
            "label_names": {name: value for value, name in self.names.items()},
            "centroids": centres,
            "scores": {name: round(self.scores.get(value, 0.0), 4) for value, name in self.names.items()},
        }

    def file(self, folder: Path, ending: str, *, dtype: str = "uint8", compress: bool = True) -> bytes:
        """The label map as a file.

        Raises:
            OptionError: For an unknown ending or type.
            OutputError: If the image cannot be written in that format.
        """
        if ending not in (*ENDINGS, ".seg.dcm"):
            raise OptionError(f"expected a result_extension of {', '.join(ENDINGS)}")
        if dtype not in _TYPES:
            raise OptionError(f"expected a result_dtype of {' or '.join(_TYPES)}")
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as place:
            path = Path(place) / f"label{ending}"
            if ending == ".nrrd":
                write_nrrd(path, self.label_map.astype(dtype), self.image, compress=compress)
            else:
                (path,) = write_prediction(path, self._prediction(), self.image)
            return path.read_bytes()

    def _prediction(self) -> Any:
        view = SliceView.stored(self.image.geometry)
        labels = {}
        for value, name in self.names.items():
            mask = ObjectMask(view)
            for z in np.flatnonzero((self.label_map == value).any(axis=(1, 2))):
                mask.set(int(z), self.label_map[z] == value)
            labels[value] = (name, mask, self.scores.get(value, 0.0))
        return labelled(self.image, labels)


def multipart(params: dict[str, Any], name: str, file: bytes) -> tuple[bytes, str]:
    """Parameters and a file in one body, and its content type; headers are spelled as OHIF looks for them."""
    boundary = secrets.token_hex(16)
    head = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="params"\r\n'
        f"Content-Type: application/json\r\n\r\n{json.dumps(params)}\r\n"
        f'--{boundary}\r\nContent-Disposition: form-data; name="image"; filename="{name}"\r\n'
        f"Content-Type: {_OCTETS}\r\n\r\n"
    )
    return (
        head.encode() + file + f"\r\n--{boundary}--\r\n".encode(),
        f"multipart/form-data; boundary={boundary}",
    )
