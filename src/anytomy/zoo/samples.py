"""Real images with ground truth to try things on, fetched and checked like weights."""

from __future__ import annotations

import difflib
import functools
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from anytomy.core.errors import ModelError, OptionError
from anytomy.io.toml_table import Table
from anytomy.zoo.artifact import Artifact
from anytomy.zoo.card import wheel_source
from anytomy.zoo.store import fetch

__all__ = ["Sample", "sample", "samples"]

_INDEX = Path(__file__).parent / "samples.toml"
_FILE = re.compile(r"[A-Za-z0-9_-]+/[A-Za-z0-9_.-]+")
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Sample:
    """One sample file.

    Attributes:
        name: What the user types.
        title: What it shows.
        truth: Name of the sample that holds its ground truth, or "".
        modality: Modality, or `label map` or `probability map`.
        licence: As its authors state it.
        credit: Whom to name.
        note: What one should know besides, or "".
        artifact: The file.
    """

    name: str
    title: str
    truth: str
    modality: str
    licence: str
    credit: str
    note: str
    artifact: Artifact


def sample(name: str, *, progress: bool = True) -> Path:
    """Path of a sample file, fetched first if need be.

    The other samples of the same wheel are stored along with it, in one download.

    Args:
        name: One of `samples()`, as in `nuclei2d`.
        progress: Whether to draw progress on stderr, if that is a terminal.

    Raises:
        OptionError: There is no such sample.
        ChecksumError, OfflineError, FetchError, OutputError: As in `anytomy.zoo.store.ensure`.

    Example:
        >>> image, truth = sample("nuclei2d"), sample("nuclei2d-mask")  # doctest: +SKIP
    """
    index = _index()
    if name not in index:
        close = difflib.get_close_matches(name.lower(), index, n=1)
        raise OptionError(
            f"expected the name of a sample, but there is none called {name!r}",
            hint=(f"did you mean {close[0]}? " if close else "") + f"known samples: {', '.join(index)}",
        )
    return fetch(
        index[name].artifact,
        progress=progress,
        siblings=[other.artifact for other in index.values()],
    )


def samples() -> list[Sample]:
    """All samples, in the index's order."""
    return list(_index().values())


@functools.cache
def _index() -> dict[str, Sample]:
    return read_index(_INDEX)


def read_index(path: Path) -> dict[str, Sample]:
    """Read an index of samples.

    Raises:
        ModelError: The index is broken; the message names the file.
    """
    try:
        values: Mapping[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise ModelError(f"expected an index of samples in {path}, but: {error}") from error
    top = Table(values, path)
    wheels = top.table("wheel")
    entries = top.table("sample")
    top.finish()
    return {name: _sample(name, entries.table(name), wheels) for name in entries.names()}


def _sample(name: str, table: Table, wheels: Table) -> Sample:
    found = Sample(
        name=name,
        title=table.text("title"),
        truth=table.text("truth", empty=True),
        modality=table.text("modality"),
        licence=table.text("licence"),
        credit=table.text("credit"),
        note=table.text("note", empty=True, default=""),
        artifact=Artifact(
            title=f"the sample {name}",
            kind="samples",
            file=table.text("file", pattern=_FILE),
            sha256=table.text("sha256", pattern=_SHA256),
            bytes=table.whole("bytes"),
            wheel=wheel_source(
                wheels.table(table.choice("wheel", wheels.names())), member=table.text("member")
            ),
        ),
    )
    table.finish()
    return found
