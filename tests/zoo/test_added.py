from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from anytomy.core.errors import ChecksumError, InputError, ModelError
from anytomy.zoo.added import add_model
from anytomy.zoo.registry import card, model_ids
from anytomy.zoo.store import ensure
from anytomy.zoo.verification import verify

from .conftest import PAYLOAD


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "My Model (1).pth"
    path.write_bytes(PAYLOAD)
    return path


def test_a_file_becomes_a_model(file: Path) -> None:
    added = add_model(file, architecture="sam_vit_b")
    assert added.id == "my-model-1"
    assert added == card("my-model-1")
    assert not added.builtin
    assert added.weights.sha256 == hashlib.sha256(PAYLOAD).hexdigest()
    assert added.preprocess == card("sam_vit_b").preprocess
    assert added.weights.url == ""
    assert added.weights.wheel is None
    assert "preprocess" in added.unverified
    assert model_ids()[-1] == "my-model-1"
    assert ensure("my-model-1") == file


def test_like_another_model(file: Path) -> None:
    added = add_model(file, architecture="sam_vit_b", model_id="tuned", like="medsam")
    assert added.prompts == ("box",)
    assert added.preprocess == card("medsam").preprocess
    assert add_model(file, like="litemedsam", model_id="b").architecture == "litemedsam"


def test_a_copy_outlives_the_file_and_the_cache(file: Path, tmp_path: Path) -> None:
    add_model(file, architecture="litemedsam", model_id="mine", copy=True)
    file.unlink()
    path = ensure("mine")
    assert path.read_bytes() == PAYLOAD
    assert path.is_relative_to(tmp_path / "home")


def test_a_file_that_is_gone_or_changed(file: Path) -> None:
    add_model(file, architecture="litemedsam", model_id="mine")
    os.utime(file, (1, 1))
    assert ensure("mine") == file
    file.write_bytes(b"changed")
    with pytest.raises(ChecksumError, match="has changed"):
        ensure("mine")
    assert file.exists()
    assert verify("mine")[0].state == "damaged"
    file.unlink()
    with pytest.raises(ModelError, match="no such file"):
        ensure("mine")
    assert verify("mine")[0].state == "damaged"


def test_replacing(file: Path) -> None:
    add_model(file, architecture="litemedsam", model_id="mine")
    with pytest.raises(ModelError, match="--replace"):
        add_model(file, architecture="litemedsam", model_id="mine")
    file.write_bytes(b"second")
    add_model(file, architecture="litemedsam", model_id="mine", overwrite=True)
    assert ensure("mine") == file


@pytest.mark.parametrize("overwrite", [True, False])
def test_a_built_in_model_is_not_replaced(file: Path, overwrite: bool) -> None:
    with pytest.raises(ModelError, match="there is a model 'medsam' already"):
        add_model(file, architecture="sam_vit_b", model_id="medsam", overwrite=overwrite)


@pytest.mark.parametrize("model_id", ["../x", "Upper", "a+b", ".hidden", "a/b"])
def test_an_id_is_an_id(file: Path, model_id: str) -> None:
    with pytest.raises(ModelError, match="expected an id"):
        add_model(file, architecture="sam_vit_b", model_id=model_id)


def test_architectures_and_models_have_to_exist(file: Path) -> None:
    with pytest.raises(ModelError, match="known architectures: sam_vit_b"):
        add_model(file, architecture="vit_b")
    with pytest.raises(ModelError, match="give --arch"):
        add_model(file)
    with pytest.raises(ModelError, match="known models"):
        add_model(file, like="medsamm")


@pytest.mark.parametrize(
    ("name", "body", "complaint"),
    [
        ("x.pth", b"", "is empty"),
        ("x.pth", b"\n<!DOCTYPE html><html>", "is a web page"),
        ("x.txt", b"x", "expected a checkpoint"),
    ],
)
def test_what_is_no_checkpoint(tmp_path: Path, name: str, body: bytes, complaint: str) -> None:
    path = tmp_path / name
    path.write_bytes(body)
    with pytest.raises(InputError, match=complaint):
        add_model(path, architecture="sam_vit_b")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no file"):
        add_model(tmp_path / "x.pth", architecture="sam_vit_b")


def test_odd_paths_survive_the_card(tmp_path: Path) -> None:
    folder = tmp_path / 'quo"te \\ ü \x7f'
    folder.mkdir()
    path = folder / "x.pth"
    path.write_bytes(PAYLOAD)
    add_model(path, architecture="sam_vit_b", model_id="odd")
    assert ensure("odd") == path
