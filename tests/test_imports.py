"""What `import anytomy` and `anytomy --help` cost, and what the package offers by name."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

import anytomy

HEAVY = (
    "torch",
    "monai",
    "openvino",
    "onnx",
    "onnxruntime",
    "nibabel",
    "SimpleITK",
    "pydicom",
    "tifffile",
    "PIL",
    "scipy",
    "matplotlib",
    "transformers",
)
IMPORT = "import anytomy; anytomy.__version__; dir(anytomy)"
HELP = """
import contextlib, io, sys
from anytomy.cli.main import main
sys.argv = ["anytomy", "--help"]
with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.suppress(SystemExit):
    main()
assert "Usage" in out.getvalue(), out.getvalue()
"""


@pytest.mark.parametrize("code", [IMPORT, HELP], ids=["import anytomy", "anytomy --help"])
def test_nothing_heavy_is_loaded_before_it_is_needed(code: str) -> None:
    report = "\nimport json, sys; print(json.dumps(sorted({name.split('.')[0] for name in sys.modules})))"
    done = subprocess.run([sys.executable, "-c", code + report], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    loaded = set(json.loads(done.stdout.splitlines()[-1]))
    assert not loaded & set(HEAVY)


def test_public_names_are_sorted_and_stand_once() -> None:
    names = list(anytomy.__all__)
    assert names == sorted(set(names))


def test_every_public_name_is_there() -> None:
    for name in anytomy.__all__:
        assert getattr(anytomy, name) is not None
        assert name in dir(anytomy)


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no_such_name"):
        anytomy.no_such_name  # type: ignore[attr-defined]  # noqa: B018
