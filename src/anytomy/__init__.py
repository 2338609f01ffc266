"""Anytomy: Segment-Anything models made usable for biomedical images.

    image = anytomy.read("scan.nii.gz")
    model = anytomy.load("litemedsam")
    result = model.segment(image, [anytomy.Prompt(box=(60, 80, 40, 140, 160, 90), name="liver")])
    result.save("liver.nii.gz")

For research, not a medical device.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from anytomy import datasets, tuning
    from anytomy.core.errors import AnytomyError, AnytomyWarning
    from anytomy.core.geometry import Geometry
    from anytomy.core.image import Image
    from anytomy.core.intensity import IntensityPolicy
    from anytomy.core.prediction import Prediction
    from anytomy.core.prompt import Prompt
    from anytomy.io.dicom_seg_read import read_segments
    from anytomy.io.read import read
    from anytomy.predict.model import Model, load
    from anytomy.predict.result import Result

__version__ = "0.1.0"

__all__ = [
    "AnytomyError",
    "AnytomyWarning",
    "Geometry",
    "Image",
    "IntensityPolicy",
    "Model",
    "Prediction",
    "Prompt",
    "Result",
    "datasets",
    "load",
    "read",
    "read_segments",
    "tuning",
]

_HOMES = {
    "AnytomyError": "core.errors",
    "AnytomyWarning": "core.errors",
    "Geometry": "core.geometry",
    "Image": "core.image",
    "IntensityPolicy": "core.intensity",
    "Model": "predict.model",
    "Prediction": "core.prediction",
    "Prompt": "core.prompt",
    "Result": "predict.result",
    "load": "predict.model",
    "read": "io.read",
    "read_segments": "io.dicom_seg_read",
}


def __getattr__(name: str) -> Any:
    """Import public names when they are first used, so that `import anytomy` costs nothing."""
    from importlib import import_module

    if name in ("datasets", "tuning"):
        return import_module(f"anytomy.{name}")
    if name not in _HOMES:
        raise AttributeError(f"module 'anytomy' has no attribute {name!r}")
    return getattr(import_module(f"anytomy.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
