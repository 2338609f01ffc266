"""The benchmark's wrong teachers."""

from __future__ import annotations

import importlib.util
from pathlib import Path

_PATH = Path(__file__).resolve().parents[2] / "benchmarks" / "wrong_teachers.py"
_SPEC = importlib.util.spec_from_file_location("wrong_teachers", _PATH)
assert _SPEC is not None
assert _SPEC.loader is not None
_MODULE = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(_MODULE)

Blobs, Shifted = _MODULE.Blobs, _MODULE.Shifted
