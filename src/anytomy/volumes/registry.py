"""Volume strategies by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from anytomy.core.errors import OptionError
from anytomy.volumes.authors import Authors

if TYPE_CHECKING:
    from anytomy.volumes.strategy import VolumeStrategy

DEFAULT = Authors.name
_STRATEGIES: dict[str, VolumeStrategy] = {s.name: s for s in (Authors(),)}


def strategy(name: str) -> VolumeStrategy:
    """A strategy by name.

    Raises:
        OptionError: If there is none of that name.
    """
    if name not in _STRATEGIES:
        raise OptionError(f"expected a volume strategy of {', '.join(_STRATEGIES)}, got {name!r}")
    return _STRATEGIES[name]
