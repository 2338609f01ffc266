"""Images in memory, and their slices for the screen and for a model: `Opened`."""

from __future__ import annotations

import io
import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from anytomy.core.intensity import IntensityPolicy, choose_policy
from anytomy.core.view import SliceView
from anytomy.server.problems import NotFoundError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from anytomy.core.image import Image
    from anytomy.core.intensity import GreyScale
    from anytomy.server.cases import Case

AXES = ("x", "y", "z")
_VALUE_TYPES = ("|u1", "<i2", "<u2")
_WINDOWS = 32
_THUMBNAIL = 128


@dataclass(eq=False)
class OpenCase:
    """An image with its views; slices are those of `SliceView`, counted from 0.

    Attributes:
        case: What was opened.
        image: Its voxels.
        views: By the file's axis that slices run along; `z` alone for a picture.
    """

    case: Case
    image: Image
    views: Mapping[str, SliceView]
    _greys: OrderedDict[str, GreyScale] = field(default_factory=OrderedDict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @classmethod
    def of(cls, case: Case, image: Image) -> OpenCase:
        """Wrap an image."""
        axes = AXES if image.is_volume else ("z",)
        return cls(case, image, {axis: SliceView.canonical(image.geometry, axis) for axis in axes})

    def view(self, axis: str, slice_: int | None = None) -> SliceView:
        """The view along an axis.

        Raises:
            NotFoundError: If there is no such axis or slice.
        """
        if axis not in self.views:
            raise NotFoundError(f"there are no slices along {axis}", hint=f"axes: {', '.join(self.views)}")
        view = self.views[axis]
        if slice_ is not None and not 0 <= slice_ < view.size[2]:
            raise NotFoundError(
                f"there is no slice {slice_}", hint=f"slices along {axis}: 0 to {view.size[2] - 1}"
            )
        return view

    def picture(self, axis: str, slice_: int, grey: GreyScale) -> NDArray[np.uint8]:
        """Grey levels or colours `(row, column[, 3])` of one slice, contiguous."""
        view = self.view(axis, slice_)
        return np.ascontiguousarray(grey.apply(view.apply(self.image.volume)[slice_]))

    def values(self, axis: str, slice_: int) -> NDArray[Any]:
        """Stored values `(row, column[, 3])` of one slice, contiguous and little endian.

        They are uint8, int16 or uint16 where these hold the file's type, else float32.
        """
        view = self.view(axis, slice_)
        stored = view.apply(self.image.volume)[slice_]
        found = next((t for t in _VALUE_TYPES if np.can_cast(stored.dtype, t)), "<f4")
        return np.ascontiguousarray(stored, dtype=found)

    def grey(self, window: str, policies: Mapping[str, str]) -> GreyScale:
        """The fitted scale of `auto` (a model's policy for the modality) or of another intensity option.

        Raises:
            OptionError: If there is no such option.
        """
        policy = (
            choose_policy(self.image, policies).policy if window == "auto" else IntensityPolicy.parse(window)
        )
        with self._lock:
            if policy.text not in self._greys:
                self._greys[policy.text] = policy.fit(self.image)
                if len(self._greys) > _WINDOWS:
                    self._greys.popitem(last=False)
            self._greys.move_to_end(policy.text)
            return self._greys[policy.text]


class Opened:
    """Opened cases, the least recently used ones forgotten.

    Args:
        read: Reads a case.
        most_bytes: Of all images together; the latest one stays whatever its size.
    """

    def __init__(self, read: Callable[[Case], Image], most_bytes: int) -> None:
        self._read = read
        self._most_bytes = most_bytes
        self._held: OrderedDict[str, OpenCase] = OrderedDict()
        self._lock = threading.Lock()
        self._opening: dict[str, threading.Lock] = {}

    def open(self, case: Case) -> OpenCase:
        """An opened case; two who ask at once read it once.

        Raises:
            ImageReadError: If it cannot be read.
        """
        with self._lock:
            if case.id in self._held:
                self._held.move_to_end(case.id)
                return self._held[case.id]
            turn = self._opening.setdefault(case.id, threading.Lock())
        with turn:
            with self._lock:
                if case.id in self._held:
                    return self._held[case.id]
            found = OpenCase.of(case, self._read(case))
            with self._lock:
                self._held[case.id] = found
                self._opening.pop(case.id, None)
                while len(self._held) > 1 and self._bytes() > self._most_bytes:
                    self._held.popitem(last=False)
            return found

    def forget(self, case_id: str) -> None:
        """Hold a case no longer."""
        with self._lock:
            self._held.pop(case_id, None)

    def _bytes(self) -> int:
        return sum(each.image.array.nbytes for each in self._held.values())


def png(picture: NDArray[np.uint8]) -> bytes:
    """A picture as PNG, quickly rather than small."""
    from PIL import Image as Pillow

    out = io.BytesIO()
    Pillow.fromarray(picture).save(out, format="PNG", compress_level=1)
    return out.getvalue()


def thumbnail(picture: NDArray[np.uint8]) -> bytes:
    """A small PNG of a picture, its proportions kept."""
    from PIL import Image as Pillow

    small = Pillow.fromarray(picture)
    small.thumbnail((_THUMBNAIL, _THUMBNAIL))
    return png(np.asarray(small))
