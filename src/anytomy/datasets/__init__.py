"""Data sets: the catalogue, readers for the layouts that people have, and `open`.

cases = anytomy.datasets.open("acdc")
for case in cases:
    image, labels = case.load()
"""

from __future__ import annotations

from typing import Any

__all__ = ["Case", "Dataset", "DatasetCard", "open"]

_HOMES = {"Case": "case", "Dataset": "dataset", "DatasetCard": "card", "open": "dataset"}


def __getattr__(name: str) -> Any:
    """Import public names when they are first used."""
    if name not in _HOMES:
        raise AttributeError(f"module 'anytomy.datasets' has no attribute {name!r}")
    from importlib import import_module

    return getattr(
        import_module(f"anytomy.datasets.{_HOMES[name]}"), "open_dataset" if name == "open" else name
    )
