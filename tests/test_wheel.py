"""What users install: a wheel with the page in it, made without Node and served without Node."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import urllib.request
import venv
import zipfile
from pathlib import Path

import pytest

from tests.server.command import annotating
from tests.server.made_page import INDEX, SCRIPT, write_page
from tests.server.serving import write_cases
from tests.test_page_build import ROOT, load_build

PARTS = ("pyproject.toml", "hatch_build.py", "README.md", "LICENSE", "src", "web")
PAGE = "anytomy/server/page"


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sources with a page that was built from them."""
    folder = tmp_path_factory.mktemp("checkout")
    for part in PARTS:
        if (ROOT / part).is_dir():
            left_out = shutil.ignore_patterns("node_modules", "__pycache__", "page")
            shutil.copytree(ROOT / part, folder / part, ignore=left_out)
        else:
            shutil.copy(ROOT / part, folder / part)
    page = write_page(folder / "src" / PAGE)
    (page / ".sources").write_text(load_build().checksum(folder / "web"))
    (folder / ".gitignore").write_text((ROOT / ".gitignore").read_text())
    return folder


def built(folder: Path, place: Path) -> tuple[Path, str]:
    """The wheel of a folder and what was said, made without the network and without Node."""
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "-v", "-w", place]
    nowhere = {**os.environ, "PATH": str(place)}
    done = subprocess.run([*command, folder], env=nowhere, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stderr
    (wheel,) = place.glob("*.whl")
    return wheel, done.stdout + done.stderr


def clean_environment(folder: Path, wheel: Path) -> Path:
    """The Python of a new environment with the wheel in it.

    The packages that Anytomy needs come from the environment of the tests, Anytomy itself does not: a folder
    that is named in a `.pth` file brings its packages, but not the `.pth` files of editable installs.
    """
    venv.create(folder, with_pip=False)
    python = folder / ("Scripts" if os.name == "nt" else "bin") / "python"
    pip = [sys.executable, "-m", "pip", f"--python={python}", "install", "--no-deps", "--no-index"]
    subprocess.run([*pip, wheel], check=True, capture_output=True)
    ask = "import sysconfig; print(sysconfig.get_path('purelib'))"
    site = subprocess.run([python, "-c", ask], check=True, capture_output=True, text=True).stdout.strip()
    (Path(site) / "needed.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return python


@pytest.mark.slow
class TestWheel:
    @pytest.mark.usefixtures("real_cache")
    def test_it_has_the_page_and_serves_it(self, checkout: Path, tmp_path: Path) -> None:
        wheel, said = built(checkout, tmp_path / "dist")
        assert "annotate" not in said
        names = set(zipfile.ZipFile(wheel).namelist())
        assert {f"{PAGE}/index.html", f"{PAGE}/assets/index-1a2b.js"} <= names
        assert not [name for name in names if name.startswith(("web/", "tests/"))]

        python = clean_environment(tmp_path / "environment", wheel)
        write_cases(tmp_path / "scans")
        with annotating(tmp_path / "scans", command=python.with_name("anytomy")) as address:
            assert asked(address) == INDEX
            assert asked(f"{address}assets/index-1a2b.js") == SCRIPT
            assert '"ball.nii.gz"' in asked(f"{address}api/v1/cases")

    def test_a_page_of_older_sources_is_taken_and_that_is_said(self, checkout: Path, tmp_path: Path) -> None:
        shutil.copytree(checkout, tmp_path / "changed")
        (tmp_path / "changed" / "web" / "more.ts").write_text("more")
        wheel, said = built(tmp_path / "changed", tmp_path / "dist")
        assert "older sources" in said
        assert f"{PAGE}/index.html" in zipfile.ZipFile(wheel).namelist()

    def test_without_node_and_page_the_rest_is_packed_and_that_is_said(
        self, checkout: Path, tmp_path: Path
    ) -> None:
        shutil.copytree(checkout, tmp_path / "bare")
        shutil.rmtree(tmp_path / "bare" / "src" / PAGE)
        wheel, said = built(tmp_path / "bare", tmp_path / "dist")
        assert "the package has no page" in said
        assert "anytomy/server/app.py" in zipfile.ZipFile(wheel).namelist()


def asked(address: str) -> str:
    with urllib.request.urlopen(address, timeout=60) as answer:
        return str(answer.read().decode())
