"""The shape of the package: imports go downward only, modules stay short, some packages never come in."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

SOURCE = Path(__file__).resolve().parents[1] / "src" / "anytomy"

TIERS = (
    {"core"},
    {"io", "models"},
    {"zoo", "engine"},
    {"predict", "volumes"},
    {"datasets"},
    {"evaluation"},
    {"tuning"},
    {"distill"},
    {"evidence", "report"},
    {"server", "cli"},
)
TIER_OF = {name: number for number, tier in enumerate(TIERS) for name in tier}
# Figures and pages are made for people: nothing that computes may need them.
ONLY_FOR = {"report": {"report", "cli"}}
# The package itself: its lazily imported public names, and `python -m anytomy`.
ABOVE_ALL = {"__init__", "__main__"}
# What every layer may take from the package itself.
FROM_THE_TOP = {"__version__"}
BANNED = {
    "cv2",
    "detectron2",
    "lightning",
    "pickle",
    "pytorch_lightning",
    "sam2",
    "segment_anything",
    "timm",
    "torchvision",
}
LONGEST_MODULE = 500


class Import(NamedTuple):
    """One import, with its absolute dotted name."""

    name: str
    line: int


def imports_of(source: str, package: str) -> Iterator[Import]:
    """Every import of a module, wherever it stands, also for type checking only and by a literal name.

    Args:
        source: Its text.
        package: Dotted name of the package that relative imports start from.
    """
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (Import(alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parts = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            base = ".".join([*parts, *([node.module] if node.module else [])])
            # `from anytomy import io` names a package, `from anytomy.io import read` a thing in one.
            names = [f"{base}.{alias.name}" for alias in node.names] if base == "anytomy" else [base]
            yield from (Import(name, node.lineno) for name in names)
        elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if called in ("import_module", "__import__") and isinstance(node.args[0].value, str):
                yield Import(node.args[0].value, node.lineno)


def layer_fault(importer: str, name: str) -> str | None:
    """Why a module of the folder `importer` may not import the dotted `name`; None if it may."""
    if name.split(".")[0] != "anytomy" or importer in ABOVE_ALL:
        return None
    target = name.split(".")[1] if "." in name else ""
    if target in FROM_THE_TOP:
        return None
    if target not in TIER_OF:
        return f"{importer} imports {name}: name the module that has it, not the package itself"
    if TIER_OF[target] > TIER_OF[importer]:
        return f"{importer} imports {name}, which is above it"
    if importer not in ONLY_FOR.get(target, {importer}):
        return f"{importer} imports {name}, which is for {' and '.join(sorted(ONLY_FOR[target]))} only"
    return None


def modules() -> list[Path]:
    return sorted(SOURCE.rglob("*.py"))


def faults(path: Path) -> list[str]:
    relative = path.relative_to(SOURCE)
    importer = relative.parts[0].removesuffix(".py")
    package = ".".join(["anytomy", *relative.parts[:-1]])
    if importer not in TIER_OF and importer not in ABOVE_ALL:
        return [f"{relative}: {importer} has no place in TIERS"]
    found = []
    for name, line in imports_of(path.read_text(encoding="utf-8"), package):
        why = layer_fault(importer, name)
        if name.split(".")[0] in BANNED:
            why = f"{name} must not be imported (see CONTRIBUTING.md)"
        if why:
            found.append(f"{relative}:{line}: {why}")
    return found


def test_imports_go_downward_only() -> None:
    found = [fault for path in modules() for fault in faults(path)]
    assert not found, "\n".join(found)


def test_no_module_is_too_long() -> None:
    lines = {
        path.relative_to(SOURCE): len(path.read_text(encoding="utf-8").splitlines()) for path in modules()
    }
    assert not {path: n for path, n in lines.items() if n > LONGEST_MODULE}


def test_no_module_is_named_for_nothing() -> None:
    assert not [p.relative_to(SOURCE) for p in modules() if p.stem in ("util", "utils", "helpers", "misc")]


class TestTheCheckItself:
    @pytest.mark.parametrize(
        ("importer", "name"),
        [
            ("core", "anytomy.io.reading"),
            ("io", "anytomy.zoo"),
            ("engine", "anytomy.predict"),
            ("tuning", "anytomy.distill.student"),
            ("evidence", "anytomy.report"),
            ("server", "anytomy.report.page"),
            ("zoo", "anytomy"),
            ("predict", "anytomy.segment"),
        ],
    )
    def test_finds_faults(self, importer: str, name: str) -> None:
        assert layer_fault(importer, name)

    @pytest.mark.parametrize(
        ("importer", "name"),
        [
            ("core", "numpy"),
            ("core", "anytomy.__version__"),
            ("predict", "anytomy.volumes.sweep"),
            ("cli", "anytomy.report.page"),
            ("cli", "anytomy.core.errors"),
            ("__init__", "anytomy.cli.main"),
        ],
    )
    def test_lets_the_rest_pass(self, importer: str, name: str) -> None:
        assert layer_fault(importer, name) is None

    @pytest.mark.parametrize(
        ("source", "name"),
        [
            ("import anytomy.io as io", "anytomy.io"),
            ("from anytomy import io", "anytomy.io"),
            ("from anytomy.io import read", "anytomy.io"),
            ("from . import view", "anytomy.core"),
            ("from .view import SliceView", "anytomy.core.view"),
            ("from ..io.raster import read", "anytomy.io.raster"),
            ("from .. import io", "anytomy.io"),
            ("def f():\n    import timm", "timm"),
            ("if TYPE_CHECKING:\n    from anytomy.io import read", "anytomy.io"),
            ("importlib.import_module('anytomy.io')", "anytomy.io"),
            ("__import__('pickle')", "pickle"),
        ],
    )
    def test_sees_every_way_to_import(self, source: str, name: str) -> None:
        assert name in {found.name for found in imports_of(source, "anytomy.core")}
