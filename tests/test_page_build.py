"""`web/build.py`: when the page is built, and what happens where it cannot be."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]


def load_build() -> Any:
    """`web/build.py`, which is in no package."""
    spec = importlib.util.spec_from_file_location("web_build", ROOT / "web" / "build.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def build() -> Any:
    return load_build()


@pytest.fixture
def web(tmp_path: Path) -> Path:
    folder = tmp_path / "web"
    (folder / "src").mkdir(parents=True)
    (folder / "src" / "main.ts").write_text("main")
    (folder / "package-lock.json").write_text("{}")
    return folder


def tool(folder: Path, name: str, text: str) -> None:
    """A program as a script of this Python."""
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(f"#!{sys.executable}\nimport sys, pathlib\n{text}\n")
    path.chmod(0o755)


@pytest.fixture
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A Node whose `npm` notes what it is asked, and builds a page in one file."""
    folder = tmp_path / "bin"
    tool(folder, "node", "print('v20.19.0')")
    lines = [
        "asked = sys.argv[1:]",
        "pathlib.Path('../asked').open('a').write(' '.join(asked[:2]) + '\\n')",
        "if asked[0] == 'ci': pathlib.Path('node_modules').mkdir(exist_ok=True)",
        "if asked[0] == 'ci': pathlib.Path('node_modules/.package-lock.json').write_text('{}')",
        "if '--outDir' in asked: pathlib.Path(asked[-1]).mkdir(exist_ok=True)",
        "if '--outDir' in asked: pathlib.Path(asked[-1], 'index.html').write_text('page')",
    ]
    tool(folder, "npm", "\n".join(lines))
    monkeypatch.setenv("PATH", str(folder))
    return folder


@pytest.mark.skipif(os.name == "nt", reason="scripts as programs")
class TestBuild:
    def test_a_page_is_current_until_a_source_changes(
        self, build: Any, web: Path, node: Path, tmp_path: Path
    ) -> None:
        page = tmp_path / "page"
        assert not build.is_current(web, page)
        build.build(web, page)
        assert build.is_current(web, page)
        (web / "node_modules" / "package.js").write_text("not a source")
        assert build.is_current(web, page)
        (web / "src" / "main.ts").write_text("main()")
        assert not build.is_current(web, page)
        assert build.is_built(page)

    def test_packages_are_installed_once_as_the_lock_file_names_them(
        self, build: Any, web: Path, node: Path, tmp_path: Path
    ) -> None:
        for _ in range(2):
            build.build(web, tmp_path / "page")
        asked = (web.parent / "asked").read_text().splitlines()
        assert asked == ["ci --ignore-scripts", "run build", "run build"]

    def test_checks_are_types_style_and_tests(self, build: Any, web: Path, node: Path) -> None:
        build.check(web)
        assert (web.parent / "asked").read_text().splitlines()[1:] == ["run check", "test"]

    def test_what_fails_is_named(self, build: Any, web: Path, node: Path, tmp_path: Path) -> None:
        tool(node, "npm", "sys.exit(1)")
        with pytest.raises(build.BuildError, match="npm ci"):
            build.build(web, tmp_path / "page")
        assert not build.is_built(tmp_path / "page")

    @pytest.mark.parametrize("version", ["v18.20.0", "v20.18.3", "nothing"])
    def test_an_old_node_is_none(
        self, build: Any, web: Path, node: Path, monkeypatch: pytest.MonkeyPatch, version: str
    ) -> None:
        tool(node, "node", f"print({version!r})")
        monkeypatch.setattr(sys, "executable", str(web / "python"))  # nor is there one beside it
        assert build.node_folder() is None
        with pytest.raises(build.BuildError, match="make page"):
            build.check(web)
