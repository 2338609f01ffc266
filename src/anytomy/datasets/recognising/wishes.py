"""What the user says about a data set of their own: `Wishes`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from anytomy.core.errors import DatasetError
from anytomy.datasets.layout import OBJECTS


@dataclass(frozen=True)
class Wishes:
    """What the user says about a data set.

    Attributes:
        labels: Names of values (`1`), colours (`255,0,0`) or masks (`OD`).
        objects: `one`, `instances` or `parts`; "" to find it out.
        modality: "" to find it out.
    """

    labels: Mapping[str, str] = field(default_factory=dict)
    objects: str = ""
    modality: str = ""

    @property
    def values(self) -> dict[Any, str]:
        """The names of values and colours."""
        found: dict[Any, str] = {}
        for key, name in self.labels.items():
            parts = key.replace(" ", "").lstrip(">").split(",")
            if all(part.isdigit() for part in parts) and len(parts) in (1, 3):
                found[int(parts[0]) if len(parts) == 1 else tuple(int(p) for p in parts)] = name
        return found

    def mask(self, name: str) -> str:
        """The name of a mask, or ""."""
        given = {key.lower(): value for key, value in self.labels.items()}
        return given.get(name.lower(), "")


def wishes_from(
    labels: Mapping[str, str] | None = None, objects: str | None = None, modality: str | None = None
) -> Wishes:
    """What the user says, checked.

    Raises:
        DatasetError: `objects` is none of one, instances and parts.
    """
    if objects and objects not in OBJECTS:
        raise DatasetError(f"expected one, instances or parts as objects, got {objects!r}")
    return Wishes(dict(labels or {}), objects or "", modality or "")
