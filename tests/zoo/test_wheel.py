from __future__ import annotations

import shutil
import stat
import sys
import zipfile
from pathlib import Path

import pytest

from anytomy.core.errors import ChecksumError, FetchError, OutputError
from anytomy.zoo import wheel
from anytomy.zoo.failure import SourceError
from anytomy.zoo.store import fetch
from anytomy.zoo.wheel import extract_members

from .conftest import PAYLOAD, artifact, make_wheel, wheel_source

MEMBER = "tinywheel/asset/tiny.pth"


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that the user's pip is configured to look into."""
    folder = tmp_path / "wheels"
    make_wheel(
        folder,
        {
            MEMBER: PAYLOAD,
            "../../evil.py": b"evil",
            "tinywheel/b.bin": b"second",
            "tinywheel/c.bin": b"third",
        },
    )
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


def test_a_file_of_a_wheel_by_the_users_pip(index: Path, tmp_path: Path) -> None:
    before = set(sys.modules)
    path = fetch(artifact(wheel=wheel_source(MEMBER)))
    assert path.read_bytes() == PAYLOAD
    assert sorted(p.name for p in path.parent.iterdir() if not p.name.endswith(".lock")) == [
        "tiny.pth",
        "tiny.pth.json",
    ]
    assert not list(tmp_path.rglob("evil.py"))
    assert not any(name.startswith("tinywheel") for name in set(sys.modules) - before)


def test_siblings_come_in_one_download(index: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    second = artifact(
        title="b",
        file="more/b.bin",
        sha256="",
        wheel=wheel_source("tinywheel/b.bin"),
    )
    spoilt = artifact(title="c", file="c.bin", wheel=wheel_source("tinywheel/c.bin"))
    fetch(artifact(wheel=wheel_source(MEMBER)), siblings=[second, spoilt])
    shutil.rmtree(index)
    assert fetch(second).read_bytes() == b"second"
    # Its hash is another one, so it was not kept.
    with pytest.raises(FetchError, match=r"tinywheel==1\.0 by pip: pip:"):
        fetch(spoilt)


def test_a_sibling_that_is_not_in_the_wheel_does_not_hinder(index: Path) -> None:
    missing = artifact(title="m", file="m.bin", wheel=wheel_source("tinywheel/missing.bin"))
    path = fetch(artifact(wheel=wheel_source(MEMBER)), siblings=[missing])
    assert path.read_bytes() == PAYLOAD
    assert not missing.path.exists()


def test_a_wheel_with_another_file_is_refused(index: Path) -> None:
    make_wheel(index, {MEMBER: b"other"})
    with pytest.raises(ChecksumError):
        fetch(artifact(wheel=wheel_source(MEMBER)))


def test_pip_tells_why(index: Path) -> None:
    with pytest.raises(FetchError, match=r"No matching distribution found for otherwheel==2\.0"):
        fetch(artifact(wheel=wheel_source(MEMBER, "otherwheel==2.0")))


def test_a_python_without_pip(monkeypatch: pytest.MonkeyPatch, index: Path) -> None:
    assert "ensurepip" in wheel._reason("/bin/python: No module named pip\n")
    assert wheel._reason("") == "pip: no reason given"
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with pytest.raises(FetchError, match="pip cannot be started"):
        fetch(artifact(wheel=wheel_source(MEMBER)))


def test_the_password_of_an_index_is_not_shown() -> None:
    said = wheel._reason("ERROR: no answer from https://me:secret@index.example/simple")
    assert "secret" not in said


@pytest.mark.parametrize("member", ["../../evil.py", "/etc/passwd", "a\\..\\b", "C:/x", "", "a/../b"])
def test_a_member_that_leaves_the_archive_is_refused(tmp_path: Path, member: str) -> None:
    archive = make_wheel(tmp_path, {"../../evil.py": b"evil"})
    with pytest.raises(SourceError, match="leaves the archive"):
        extract_members(archive, {member: tmp_path / "out"})
    assert not (tmp_path / "out").exists()


def test_links_and_folders_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "odd.whl"
    with zipfile.ZipFile(path, "w") as archive:
        link = zipfile.ZipInfo("link")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc/passwd")
        archive.mkdir("folder")
    for member in ("link", "folder/"):
        with pytest.raises(SourceError, match="not a plain file"):
            extract_members(path, {member: tmp_path / "out"})


def test_a_damaged_archive(tmp_path: Path) -> None:
    path = make_wheel(tmp_path, {MEMBER: PAYLOAD})
    body = bytearray(path.read_bytes())
    body[5000] ^= 255
    path.write_bytes(body)
    with pytest.raises(SourceError, match="not a sound archive"):
        extract_members(path, {MEMBER: tmp_path / "out"})
    path.write_bytes(b"nothing")
    with pytest.raises(SourceError, match="not a sound archive"):
        extract_members(path, {MEMBER: tmp_path / "out"})


def test_a_full_disk(index: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: type("U", (), {"free": 10})())
    with pytest.raises(OutputError, match="free disk space"):
        fetch(artifact(wheel=wheel_source(MEMBER)))
