"""The image series in a DICOM folder: `Series`."""

from __future__ import annotations

import os
import warnings
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from anytomy.core.errors import ImageReadError, OptionError
from anytomy.io.dicom_header import broken, read_header
from anytomy.io.dicom_slice import KEYWORDS, slices_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from anytomy.io.dicom_header import Header
    from anytomy.io.dicom_slice import Slice


@dataclass(frozen=True)
class Series:
    """The slices that share a SeriesInstanceUID, in no particular order.

    Attributes:
        uid: SeriesInstanceUID.
        number: SeriesNumber as text; empty where there is none.
        modality: DICOM code.
        description: SeriesDescription.
        study_instance_uid: The study.
        frame_of_reference_uid: The frame that positions refer to.
        sop_class_uid: Kind of object.
        slices: What can be used.
        problems: Messages about files of the series that cannot be used.
    """

    uid: str
    number: str = ""
    modality: str = ""
    description: str = ""
    study_instance_uid: str = ""
    frame_of_reference_uid: str = ""
    sop_class_uid: str = ""
    slices: tuple[Slice, ...] = ()
    problems: tuple[str, ...] = ()

    def __str__(self) -> str:
        files = len({s.path for s in self.slices}) + len(self.problems)
        number = f"number {self.number}, " if self.number else ""
        label = f"{self.modality} {self.description!r}" if self.description else self.modality
        facts = f"{number}{label.strip() or 'no modality'}, {files} file{'s' * (files > 1)}"
        return f"{self.uid or 'no UID'} ({facts})"


def choose(found: Sequence[Series], wanted: str | None, path: Path) -> Series:
    """The series that `wanted` names: a UID, a SeriesNumber, or the beginning or end of one UID.

    Raises:
        ImageReadError: If there are several and none was named, or a file of the chosen one is broken.
        OptionError: If the name fits none or several.
    """
    if wanted is None:
        # A cut UID makes a series of its own: what is broken throughout may be part of the wanted one.
        fitting = [s for s in found if not s.slices] or list(found)
        if len(fitting) > 1 and fitting[0].slices:
            raise ImageReadError(
                f"{path} holds {len(found)} DICOM series: {_listed(found)}", hint="choose one with --series"
            )
    else:
        fitting = _fitting(found, wanted.strip())
        if len(fitting) != 1:
            raise OptionError(
                f"--series {wanted} fits {len(fitting) or 'none'} of the series in {path}: "
                f"{_listed(fitting or found)}",
                hint="give the whole UID, a unique beginning or end of it, or the series number",
            )
    chosen = fitting[0]
    if chosen.problems:
        more = f" (and {len(chosen.problems) - 1} more files)" if len(chosen.problems) > 1 else ""
        raise ImageReadError(chosen.problems[0] + more, hint="copy the series again from its source")
    return chosen


def _fitting(found: Sequence[Series], wanted: str) -> list[Series]:
    def first(*rules: Callable[[Series], bool]) -> list[Series]:
        return next((fits for rule in rules if (fits := [s for s in found if rule(s)])), [])

    return first(
        lambda s: s.uid == wanted,
        lambda s: s.number == wanted,
        lambda s: wanted != "" and (s.uid.startswith(wanted) or s.uid.endswith(wanted)),
    )


def _listed(found: Sequence[Series], limit: int = 20) -> str:
    more = f" | and {len(found) - limit} more" if len(found) > limit else ""
    return " | ".join(str(s) for s in found[:limit]) + more


# -- files ------------------------------------------------------------------------------------------


def walk(folder: Path) -> Iterator[Path]:
    """Files in a folder and the folders below it, by name; hidden ones and macOS forks left out."""
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(f for f in folders if not f.startswith(".") and f != "__MACOSX")
        files = (Path(parent, name) for name in sorted(names) if not name.startswith("."))
        yield from (file for file in files if os.path.isfile(file))  # no pipes; never raises


def scan(path: Path) -> list[Series]:
    """The image series in a file or folder, by series number; objects without image pixels are skipped.

    Raises:
        ImageReadError: If there is no image, or a DICOM file is so broken that its series is unknown.
    """
    root = path if path.is_dir() else path.parent
    parts: dict[str, list[Series]] = {}
    skipped: Counter[str] = Counter()
    # pydicom warns of each value that breaks a rule of the standard; what matters is checked here.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for file in walk(path) if path.is_dir() else [path]:
            header = read_header(file, KEYWORDS)
            if header is None:
                continue
            if header.not_an_image:
                skipped[header.not_an_image] += 1
                continue
            part = _series(header, file, file.relative_to(root).as_posix())
            parts.setdefault(part.uid, []).append(part)
    if not parts:
        others = ", ".join(f"{count} {kind}" for kind, count in sorted(skipped.items()))
        raise ImageReadError(
            f"{path} holds no DICOM image" + (f" (found {others})" if others else ""),
            hint="give the folder of the images, or a SEG itself to see its segments" if skipped else None,
        )
    found = [
        replace(
            max(files, key=lambda part: len(part.slices)),  # not one without facts, where there is another
            slices=tuple(slice_ for part in files for slice_ in part.slices),
            problems=tuple(problem for part in files for problem in part.problems),
        )
        for files in parts.values()
    ]
    return sorted(found, key=lambda s: (s.number == "", s.number.zfill(12), s.uid))


def _series(header: Header, file: Path, name: str) -> Series:
    """The part of a series that one file is."""

    def text(keyword: str) -> str:
        value = header.dataset.get(keyword)
        plain = "".join(c if c.isprintable() else " " for c in str("" if value is None else value))
        return plain.strip()[:64]

    uid = ""
    try:
        uid = text("SeriesInstanceUID")
        return Series(
            uid=uid,
            number=text("SeriesNumber"),
            modality=text("Modality"),
            description=text("SeriesDescription"),
            study_instance_uid=text("StudyInstanceUID"),
            frame_of_reference_uid=text("FrameOfReferenceUID"),
            sop_class_uid=text("SOPClassUID"),
            slices=tuple(slices_of(header, file, name)),
        )
    except Exception as error:  # pydicom raises whatever a broken value leads to
        problem = error.message if isinstance(error, ImageReadError) else broken(file, error)
        if not uid:
            raise ImageReadError(problem, hint="copy it again or remove it") from None
        return Series(uid=uid, problems=(problem,))
