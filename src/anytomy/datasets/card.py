"""A data set card: what a data set is, what it may be used for, how to get it and how it lies on disk.

One TOML file each, read strictly: a missing field, an unknown one or a wrong type is an error that names the
file. What nobody here could check stands under `unverified`; nothing is invented.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from anytomy.core.errors import DatasetError
from anytomy.datasets.layout import DIMENSIONS, Layout, Target, layout_from, target_from
from anytomy.datasets.pattern import ROOT, Pattern, filled
from anytomy.io.toml_table import Table

ID = re.compile(r"[a-z0-9][a-z0-9_.-]{0,63}")
LICENCE_CLASSES = (
    "open",
    "share-alike",
    "non-commercial",
    "no-derivatives",
    "registration",
    "unknown",
)
ACCESS = ("open", "registration", "unavailable", "local")
QUALITIES = ("manual", "expert-corrected", "model", "synthetic", "mixed", "unknown")
_SHA256 = re.compile(r"[0-9a-f]{64}|")
_HTTPS = re.compile(r"https://\S+")


@dataclass(frozen=True)
class Size:
    """How many images or cases: the survey's figure and the one found at the source, apart.

    Attributes:
        survey: As the survey's table has it; empty for sets that are not in it.
        found: As the source or its paper says.
    """

    survey: str = ""
    found: str = ""


@dataclass(frozen=True)
class Download:
    """One file to fetch.

    Attributes:
        url: https address.
        file: Name below the data set's folder.
        sha256: 64 hex digits, or "" if nobody published it.
        bytes: Its size, or 0 if unknown.
        extract: Whether it is an archive to unpack there.
    """

    url: str
    file: str
    sha256: str = ""
    bytes: int = 0
    extract: bool = True


@dataclass(frozen=True)
class Access:
    """Where it is and how to get in.

    Attributes:
        how: `open` (anybody may download), `registration` (an account, a form or an agreement),
            `unavailable` (the place is gone) or `local` (a folder of the user's).
        place: Address or identifier.
        steps: What to fetch and where to put it, for a person.
        downloads: What `anytomy datasets get` fetches.
    """

    how: str
    place: str = ""
    steps: str = ""
    downloads: tuple[Download, ...] = ()


@dataclass(frozen=True)
class DatasetCard:
    """All that is known of one data set.

    Attributes:
        id: What the user types.
        title: Name for people.
        summary: One line.
        survey: Its row in the survey's table, 1 to 33; 0 if it is not in it.
        modality: DICOM-like codes or plain words, `CT`, `MR`, `X-ray`, `ultrasound`, `pathology`, ...
        anatomy: As the survey has it where it has it.
        dimension: `2D`, `3D`, `2D+t`, `3D+t`.
        quality: How labels were made.
        licence: Of the data, as far as known.
        licence_class: One of `LICENCE_CLASSES`.
        citation: Paper.
        size: Counts.
        access: How to get it.
        targets: What is labelled, for layouts that say nothing else.
        layouts: How it lies on disk; the first that finds images counts.
        patient_key: In words, what tells patients apart in it.
        parents: Ids of data sets whose scans it reuses.
        overlaps: Ids of data sets that share scans with it otherwise.
        aliases: Names that papers and model cards use.
        unverified: Dotted fields that nobody here could check.
        source: The card's file.
        builtin: Whether it came with Anytomy.
        root: Folder of a set that the user added; None for the catalogue's own.
    """

    id: str
    title: str
    summary: str
    survey: int
    modality: tuple[str, ...]
    anatomy: str
    dimension: str
    quality: str
    licence: str
    licence_class: str
    citation: str
    size: Size
    access: Access
    targets: tuple[Target, ...]
    layouts: tuple[Layout, ...]
    patient_key: str = ""
    parents: tuple[str, ...] = ()
    overlaps: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    unverified: tuple[str, ...] = ()
    source: Path = field(default=Path(), compare=False)
    builtin: bool = True
    root: Path | None = None

    def targets_of(self, layout: Layout) -> tuple[Target, ...]:
        """The targets of one of its layouts."""
        return layout.targets or self.targets

    @property
    def structures(self) -> tuple[str, ...]:
        """Names of all that is labelled, in the cards' order, each once."""
        named = [t.structure for layout in self.layouts for t in self.targets_of(layout)]
        return tuple(dict.fromkeys([*(t.structure for t in self.targets), *named]))

    def to_dict(self) -> dict[str, Any]:
        """The card as its TOML file and JSON have it."""
        values: dict[str, Any] = {
            name: getattr(self, name)
            for name in ("id", "title", "summary", "survey", "anatomy", "dimension", "quality", "licence")
        }
        values |= {"licence_class": self.licence_class, "citation": self.citation}
        values |= {"patient_key": self.patient_key}
        for name in ("modality", "parents", "overlaps", "aliases", "unverified"):
            values[name] = list(getattr(self, name))
        if self.root is not None:
            values["root"] = str(self.root)
        values["size"] = {"survey": self.size.survey, "found": self.size.found}
        access = self.access
        values["access"] = {"how": access.how, "place": access.place, "steps": access.steps}
        values["access"]["downloads"] = [dict(vars(d)) for d in access.downloads]
        values["targets"] = [t.to_dict() for t in self.targets]
        values["layouts"] = [layout.to_dict() for layout in self.layouts]
        return values


def read_card(path: Path, *, builtin: bool) -> DatasetCard:
    """Read a card from a file.

    Raises:
        DatasetError: It cannot be read or is not a valid card; the message names it.
    """
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(f"expected a data set card at {path}, but it cannot be read: {error}") from error
    except tomllib.TOMLDecodeError as error:
        raise DatasetError(f"expected a data set card in TOML, but {path} is not: {error}") from error
    return card_from(values, source=path, builtin=builtin)


def card_from(values: Mapping[str, Any], *, source: Path, builtin: bool) -> DatasetCard:
    """Check a card.

    Args:
        values: What the TOML reader gave.
        source: The file it came from, for messages.
        builtin: Whether it came with Anytomy.

    Raises:
        DatasetError: A field is missing, unknown, of a wrong type or value.
    """
    top = Table(values, source, error=DatasetError)
    root = top.text("root", empty=True, default="")
    card = DatasetCard(
        id=top.text("id", pattern=ID),
        title=top.text("title"),
        summary=top.text("summary"),
        survey=top.whole("survey", default=0),
        modality=top.texts("modality"),
        anatomy=top.text("anatomy", empty=not builtin),
        dimension=top.choice("dimension", DIMENSIONS),
        quality=top.choice("quality", QUALITIES),
        licence=top.text("licence", empty=not builtin),
        licence_class=top.choice("licence_class", LICENCE_CLASSES),
        citation=top.text("citation", empty=not builtin),
        size=_size(top.table("size")),
        access=_access(top.table("access")),
        targets=tuple(target_from(t) for t in top.tables("targets")),
        layouts=tuple(layout_from(t) for t in top.tables("layouts")),
        patient_key=top.text("patient_key", empty=True, default=""),
        parents=top.texts("parents"),
        overlaps=top.texts("overlaps"),
        aliases=top.texts("aliases"),
        unverified=top.texts("unverified"),
        source=source,
        builtin=builtin,
        root=Path(root) if root else None,
    )
    top.finish()
    if not card.layouts:
        top.fail("layouts", "at least one layout", None)
    for layout in card.layouts:
        _check_layout(card, layout)
    return card


def _check_layout(card: DatasetCard, layout: Layout) -> None:
    targets = card.targets_of(layout)
    by_file = any("{structure}" in pattern for pattern in layout.masks.values())
    if not targets and not by_file and layout.reader == "pattern":
        raise DatasetError(f"expected targets for the layout {layout.name!r} in {card.source}, got none")
    unknown = {t.mask for t in targets} - set(layout.masks)
    if unknown and layout.reader == "pattern":
        raise DatasetError(
            f"expected masks of the layout {layout.name!r} in {card.source}, but its targets name"
            f" {', '.join(sorted(unknown))}",
            hint=f"it has {', '.join(layout.masks) or 'none'}",
        )
    if layout.reader == "pattern":
        _check_patterns(card, layout)


def _check_patterns(card: DatasetCard, layout: Layout) -> None:
    image = Pattern(layout.image)
    try:
        for pattern in (image, *map(Pattern, layout.masks.values())):
            pattern.check()
        for template in (layout.case, layout.patient):
            filled(template, dict.fromkeys((ROOT, *image.names), ""))
    except DatasetError as error:
        message = f"{error.message} in the layout {layout.name!r} of {card.source}"
        raise DatasetError(message, hint=error.hint) from error


def _size(table: Table) -> Size:
    size = Size(table.text("survey", empty=True, default=""), table.text("found", empty=True, default=""))
    table.finish()
    return size


def _access(table: Table) -> Access:
    access = Access(
        how=table.choice("how", ACCESS),
        place=table.text("place", empty=True, default=""),
        steps=table.text("steps", empty=True, default=""),
        downloads=tuple(_download(t) for t in table.tables("downloads")),
    )
    table.finish()
    return access


def _download(table: Table) -> Download:
    download = Download(
        url=table.text("url", pattern=_HTTPS),
        file=table.text("file", pattern=re.compile(r"(?!\.+$)[^/\\]+")),
        sha256=table.text("sha256", empty=True, default="", pattern=_SHA256),
        bytes=table.whole("bytes", default=0),
        extract=table.flag("extract", default=True),
    )
    table.finish()
    return download
