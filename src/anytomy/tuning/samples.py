"""Slices and pictures with their labels, prepared once and kept on disk: `Samples`."""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from anytomy.core.errors import AnytomyWarning, DatasetError
from anytomy.tuning.prepared import (
    INDEX,
    mapped,
    name_of,
    quietly_labelled,
    quietly_read,
    spread,
    write_array,
)

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from anytomy.core.image import Image
    from anytomy.datasets.case import Case
    from anytomy.tuning.config import TuneConfig
    from anytomy.zoo.card import ModelCard

# Slices of a validation volume that are looked at: enough for its Dice, however long a scan is.
_MOST_VALIDATED = 96


@dataclass(frozen=True)
class Sample:
    """One picture, or one slice of a volume, with labels.

    Attributes:
        dataset: Id of the data set.
        case: Id of the case.
        patient: Who.
        file: Name of the case's arrays.
        place: Its place in them.
        slice: Number in the view; 0 of a picture.
        areas: For each structure with an object the pixels of its largest one.
    """

    dataset: str
    case: str
    patient: str
    file: str
    place: int
    slice: int
    areas: Mapping[str, int]

    @property
    def key(self) -> str:
        """What tells it apart, for seeds."""
        return f"{self.dataset}/{self.case}/{self.slice}"

    @property
    def name(self) -> str:
        """For messages."""
        return f"{self.dataset} {self.case} slice {self.slice}"


@dataclass(frozen=True, eq=False)
class Samples(Sequence[Sample]):
    """The samples of a group of cases; arrays are read when asked for.

    Attributes:
        folder: Where the arrays lie.
        classes: Structures in the order of the label arrays.
        all: The samples.
        placed: Whether slices of a body are among them.
    """

    folder: Path
    classes: tuple[str, ...]
    all: tuple[Sample, ...]
    placed: bool

    def __len__(self) -> int:
        return len(self.all)

    def __getitem__(self, index: Any) -> Any:
        return self.all[index]

    def __iter__(self) -> Iterator[Sample]:
        return iter(self.all)

    def picture(self, sample: Sample) -> NDArray[np.uint8]:
        """Grey levels `(y, x)` or colours `(y, x, 3)`, as the model should see them."""
        return np.array(mapped(self.folder / f"{sample.file}.pictures.npy")[sample.place])

    def labels(self, sample: Sample) -> NDArray[Any]:
        """Objects by number `(classes, y, x)`; 0 outside."""
        return np.array(mapped(self.folder / f"{sample.file}.labels.npy")[sample.place])

    def class_map(self, sample: Sample) -> NDArray[np.uint8]:
        """Classes `(y, x)`: 0 background, 1 the first class. Where two overlap, the later one counts."""
        return class_map(self.labels(sample))


def class_map(labels: NDArray[Any]) -> NDArray[np.uint8]:
    """Objects by structure `(classes, y, x)` as classes `(y, x)`; of overlapping ones the later counts."""
    out = np.zeros(labels.shape[1:], dtype=np.uint8)
    for number, plane in enumerate(labels, start=1):
        out[plane > 0] = number
    return out


def prepare(
    cases: Sequence[Case],
    config: TuneConfig,
    card: ModelCard,
    classes: tuple[str, ...],
    folder: Path,
    *,
    whole: bool = False,
    needed: bool = True,
    progress: Callable[[int, int, str], None] | None = None,
) -> Samples:
    """Read cases and write their slices; what an earlier run has written is kept.

    Args:
        cases: Their images and labels are read here.
        config: Which slices, along which axis, with which intensity policy.
        card: Of the model; its intensity policies count with `auto`.
        classes: Structures to keep.
        folder: Where to.
        whole: Keep slices without an object as well, for the Dice of whole volumes.
        needed: Whether it is an error if nothing is labelled.
        progress: Called with cases done, cases in all and a name.

    Raises:
        DatasetError: A label map holds values that no label names, or nothing is labelled and `needed`.
        ImageReadError: An image or a label map cannot be read.
        OutputError: There is no room.
    """
    from anytomy.io.atomic import write_text

    index, key = folder / INDEX, _key(cases, config, card, classes, whole)
    if index.is_file():
        held = json.loads(index.read_text(encoding="utf-8"))
        if held["key"] == key:
            return Samples(folder, classes, tuple(Sample(**s) for s in held["samples"]), held["placed"])
    samples: list[Sample] = []
    placed = False
    for number, case in enumerate(cases, start=1):
        found, is_volume = _prepare_case(case, config, card, classes, folder, whole=whole)
        if not found:
            message = f"{case.dataset} {case.id} has no label of {', '.join(classes)} and is left out"
            warnings.warn(message, AnytomyWarning, stacklevel=2)
        samples += found
        placed = placed or is_volume
        if progress is not None:
            progress(number, len(cases), f"{case.dataset} {case.id}")
    if needed and cases and not samples:
        raise DatasetError(
            f"nothing is labelled in {len(cases)} cases of {', '.join(sorted({c.dataset for c in cases}))}",
            hint="`anytomy datasets verify` looks at the labels; --classes chooses among them",
        )
    written = {"key": key, "placed": placed, "samples": [asdict(sample) for sample in samples]}
    write_text(index, json.dumps(written) + "\n")
    return Samples(folder, classes, tuple(samples), placed)


def _key(
    cases: Sequence[Case], config: TuneConfig, card: ModelCard, classes: Sequence[str], whole: bool
) -> str:
    """A hash of all that decides what is written."""
    asked = {
        "cases": [(case.dataset, case.id, str(case.image), _changed(case)) for case in cases],
        "classes": list(classes),
        "card": dict(card.intensity),
        "whole": whole,
        **{n: getattr(config, n) for n in ("mode", "axis", "intensity", "least", "empty", "most_slices")},
    }
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()


def _changed(case: Case) -> list[int]:
    """When its files were changed last: labels may be corrected between two starts."""
    files = dict.fromkeys([case.image.path, *(path for mask in case.masks for path in mask.paths)])
    return [path.stat().st_mtime_ns if path.exists() else 0 for path in files]


def _prepare_case(
    case: Case,
    config: TuneConfig,
    card: ModelCard,
    classes: tuple[str, ...],
    folder: Path,
    *,
    whole: bool,
) -> tuple[list[Sample], bool]:
    from anytomy.core.intensity import choose_policy
    from anytomy.core.view import SliceView
    from anytomy.volumes.slices import Slices

    image = quietly_read(case)
    labels = quietly_labelled(case, image, strict=config.is_semantic)
    view = SliceView.canonical(image.geometry, config.axis if image.is_volume else "z")
    grey = choose_policy(image, card.intensity, config.intensity).policy.fit(image)
    slices = Slices.of(image, view, grey)
    seen = np.stack([_in_view(labels.get(name), image, view) for name in classes], axis=1)
    areas = [_areas(plane, classes) for plane in seen]
    kept = _kept(areas, config, whole=whole)
    if not any(areas[i] for i in kept):
        return [], image.is_volume
    name = name_of(case)
    write_array(folder / f"{name}.pictures.npy", np.stack([slices[i] for i in kept]))
    write_array(folder / f"{name}.labels.npy", _narrow(seen[kept]))
    samples = [
        Sample(case.dataset, case.id, case.patient, name, place, i, areas[i]) for place, i in enumerate(kept)
    ]
    return samples, image.is_volume


def _in_view(label: NDArray[Any] | None, image: Image, view: Any) -> NDArray[Any]:
    if label is None:
        return np.zeros(tuple(view.size[i] for i in (2, 1, 0)), dtype=np.uint16)
    return np.asarray(view.apply(label if image.is_volume else label[None]))


def _areas(plane: NDArray[Any], classes: Sequence[str]) -> dict[str, int]:
    """For each structure in a slice `(classes, y, x)` the pixels of its largest object."""
    found = {}
    for name, label in zip(classes, plane, strict=True):
        _, counts = np.unique(label[label > 0], return_counts=True)
        if counts.size:
            found[name] = int(counts.max())
    return found


def _kept(areas: Sequence[Mapping[str, int]], config: TuneConfig, *, whole: bool) -> list[int]:
    """The slices to keep: those with an object, evenly spread if there are too many, and some without."""
    if whole and config.is_semantic:
        return spread(range(len(areas)), _MOST_VALIDATED)
    least = 1 if config.is_semantic else config.least
    full = [i for i, found in enumerate(areas) if any(area >= least for area in found.values())]
    full = spread(full, config.most_slices)
    empty = [i for i, found in enumerate(areas) if not found]
    if not config.is_semantic or not full:
        return full
    # A few more than are drawn in an epoch, since each is drawn again and again.
    wanted = round(2 * config.empty * len(full) / (1 - config.empty))
    return sorted([*full, *spread(empty, wanted)])


def _narrow(labels: NDArray[Any]) -> NDArray[Any]:
    """Object numbers in the smallest type; those beyond 16 bits are counted anew."""
    if labels.max(initial=0) > np.iinfo(np.uint16).max:
        # With a 0 in front, so that the background stays 0.
        _, numbers = np.unique(np.append(0, labels.ravel()), return_inverse=True)
        labels = numbers[1:].reshape(labels.shape)
    return labels.astype(np.uint8 if labels.max(initial=0) < 256 else np.uint16)
