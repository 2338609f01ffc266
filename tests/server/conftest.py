from __future__ import annotations

from pathlib import Path

import pytest

from tests.server.serving import write_cases


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a volume and a picture."""
    write_cases(tmp_path / "scans")
    return tmp_path / "scans"
