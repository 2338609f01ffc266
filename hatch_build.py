"""Packaging: the built page goes into wheels and source archives, so that users need no Node."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class PageHook(BuildHookInterface):
    """Builds the page where Node is there, else takes the one that is there; not for editable installs."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Before anything is packed."""
        if version == "editable":
            return
        page = _load(Path(self.root) / "web" / "build.py")
        if page.is_current():
            return
        try:
            page.build()
        except page.BuildError as error:
            what = "the page is of older sources" if page.is_built() else "the package has no page"
            self.app.display_warning(f"{what}, so `anytomy annotate` is not what it should be: {error}")


def _load(path: Path) -> Any:
    """A Python file that belongs to no package."""
    spec = importlib.util.spec_from_file_location("anytomy_web_build", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
