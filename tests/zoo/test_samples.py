from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from anytomy.core.errors import ModelError, OptionError
from anytomy.zoo import samples as module
from anytomy.zoo.samples import read_index, sample, samples

from .conftest import make_wheel


def test_the_index_is_sound() -> None:
    found = {one.name: one for one in samples()}
    assert {"nuclei2d", "nuclei3d", "mni152-t1"} <= set(found)
    for one in found.values():
        assert one.truth == "" or one.truth in found
        assert one.artifact.bytes > 0
        assert one.credit


def test_an_unknown_sample() -> None:
    with pytest.raises(OptionError, match=r"did you mean nuclei2d\?"):
        sample("nuclei-2d")


def test_all_samples_of_a_wheel_come_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bodies = {"a": b"image", "b": b"mask"}
    make_wheel(tmp_path / "wheels", {f"tinywheel/{n}.tif": b for n, b in bodies.items()})
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "wheels"))
    text = """[wheel.tiny]
requirement = "tinywheel==1.0"
tags = { python_version = "3.11", implementation = "py", abi = "none", platform = "any" }
"""
    for name, body in bodies.items():
        text += f"""[sample.{name}]
title = "t"
file = "tiny/{name}.tif"
truth = ""
modality = "m"
sha256 = "{hashlib.sha256(body).hexdigest()}"
bytes = {len(body)}
wheel = "tiny"
member = "tinywheel/{name}.tif"
licence = "l"
credit = "c"
"""
    index = tmp_path / "samples.toml"
    index.write_text(text)
    monkeypatch.setattr(module, "_index", lambda: read_index(index))
    assert sample("a").read_bytes() == b"image"
    monkeypatch.setenv("ANYTOMY_OFFLINE", "1")
    assert sample("b").read_bytes() == b"mask"


def test_a_broken_index_names_its_file(tmp_path: Path) -> None:
    index = tmp_path / "samples.toml"
    index.write_text("[wheel]\n[sample.a]\nwheel = 'x'\n")
    with pytest.raises(ModelError, match=r"samples\.toml"):
        read_index(index)
