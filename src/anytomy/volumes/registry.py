"""Volume strategies by name."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from anytomy.core.errors import OptionError
from anytomy.volumes.apart import Apart
from anytomy.volumes.authors import Authors
from anytomy.volumes.neighbours import Neighbours
from anytomy.volumes.propagate import Propagate
from anytomy.volumes.triplanar import FUSIONS, Triplanar

if TYPE_CHECKING:
    from anytomy.volumes.strategy import VolumeStrategy

DEFAULT = Authors.name
GROUP = "anytomy.volume_strategies"


def strategy(name: str) -> VolumeStrategy:
    """A strategy by name; third parties' are loaded when they are asked for.

    Raises:
        OptionError: If there is none of that name.
    """
    wanted = name.strip().lower()
    built_in = _built_in()
    if wanted in built_in:
        return built_in[wanted]
    from importlib.metadata import entry_points

    points = {point.name: point for point in entry_points(group=GROUP)}
    if wanted in points:
        found: VolumeStrategy = points[wanted].load()
        return found
    known = [*built_in, *points]
    close = difflib.get_close_matches(wanted, known, n=1)
    raise OptionError(
        f"expected a volume strategy of {', '.join(known)}, got {name!r}",
        hint=f"did you mean {close[0]}?" if close else None,
    )


def strategy_names() -> list[str]:
    """Names of those that come with Anytomy."""
    return list(_built_in())


def _built_in() -> dict[str, VolumeStrategy]:
    every: list[VolumeStrategy] = [Authors(), Apart(), Propagate(), Neighbours()]
    every += [Triplanar(fusion) for fusion in FUSIONS]
    return {each.name: each for each in every}
