"""Volume strategies by name."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from anytomy.core.errors import OptionError
from anytomy.volumes.apart import Apart
from anytomy.volumes.authors import Authors
from anytomy.volumes.auto import Auto
from anytomy.volumes.neighbours import Neighbours
from anytomy.volumes.propagate import Propagate
from anytomy.volumes.triplanar import Triplanar
from anytomy.volumes.votes import FUSIONS

if TYPE_CHECKING:
    from anytomy.volumes.strategy import VolumeStrategy

DEFAULT = Auto.name
GROUP = "anytomy.volume_strategies"


def strategy(name: str, *, uncertainty: bool = False) -> VolumeStrategy:
    """A strategy by name; third parties' are loaded when they are asked for.

    Args:
        name: Its name.
        uncertainty: Whether it should say how unsure it is.

    Raises:
        OptionError: If there is none of that name, or it cannot say how unsure it is.
    """
    found = _by_name(name.strip().lower())
    if not uncertainty:
        return found
    able = getattr(found, "with_uncertainty", None)
    if able is None:
        raise OptionError(
            f"expected a volume strategy that can say how unsure it is, got {found.name}, which looks at one "
            "plane only",
            hint="choose --volume triplanar, or leave --uncertainty out",
        )
    doubtful: VolumeStrategy = able()
    return doubtful


def _by_name(wanted: str) -> VolumeStrategy:
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
        f"expected a volume strategy of {', '.join(known)}, got {wanted!r}",
        hint=f"did you mean {close[0]}?" if close else None,
    )


def strategy_names() -> list[str]:
    """Names of those that come with Anytomy."""
    return list(_built_in())


def _built_in() -> dict[str, VolumeStrategy]:
    every: list[VolumeStrategy] = [Auto(), Authors(), Apart(), Propagate(), Neighbours()]
    every += [Triplanar(fusion) for fusion in FUSIONS]
    return {each.name: each for each in every}
