"""From a promptable teacher to a small network that needs no prompts: `distill` a `DistillConfig`.

    from anytomy.distill import DistillConfig, distill
    result = distill(DistillConfig("litemedsam", data=("kvasir_seg",), labels=6), "polyps")

The way of the data: `cohort` (whose labels are seen) -> `gridding`, `samples` (pictures on its grid)
-> `recipes` (who teaches what) -> `labelling`, `pseudo` (what the teacher says, and whether to trust it) ->
`training` (the loop of `tuning`) -> `outcome` (bundle, test).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from anytomy.distill.config import DistillConfig
    from anytomy.distill.run import DistillResult, distill

__all__ = ["DistillConfig", "DistillResult", "distill"]

_HOMES = {"DistillConfig": "config", "DistillResult": "run", "distill": "run"}


def __getattr__(name: str) -> Any:
    """Import public names when they are first used: the loop needs torch."""
    if name not in _HOMES:
        raise AttributeError(f"module 'anytomy.distill' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"anytomy.distill.{_HOMES[name]}"), name)
