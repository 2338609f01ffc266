"""Cards in JSON and files with hashes: read as they are, or refused in one line."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from anytomy.core.errors import ChecksumError, ModelError
from anytomy.models.bundle import SHA256, read_card, read_content

HASH = hashlib.sha256(b"weights").hexdigest()


def card(path: Path) -> dict[str, Any]:
    return read_card(
        path, what="an atlas", version=("schema", "atlas/1"), maker="anytomy chart", anew="chart it anew"
    )


def content(path: Path, sha256: str) -> bytes:
    return read_content(path, sha256, what="the maps", wrong="is not it", hint="copy it anew")


def test_a_card_is_its_fields(tmp_path: Path) -> None:
    values = {"schema": "atlas/1", "title": "Bär", "other": [1, None]}
    (tmp_path / "atlas.json").write_text(json.dumps(values, ensure_ascii=False), encoding="utf-8")
    assert card(tmp_path / "atlas.json") == values


def test_a_missing_card_is_said_with_its_folder_and_maker(tmp_path: Path) -> None:
    with pytest.raises(ModelError) as caught:
        card(tmp_path / "atlas.json")
    assert caught.value.message == f"expected an atlas in {tmp_path}, but there is no atlas.json"
    assert caught.value.hint == "give the folder that `anytomy chart` wrote"


@pytest.mark.parametrize(
    ("stored", "said"),
    [
        (b'{"schema": ', "expected an atlas's card at .*atlas.json, but it cannot be read: .*; copy the"),
        (b"\xff", "cannot be read"),
        (b"[]", "expected a JSON object in .*atlas.json, got a list"),
        (b"{}", "expected an atlas of schema atlas/1 in .*, got None; update Anytomy, or chart it anew"),
        (b'{"schema": "atlas/2"}', "got 'atlas/2'"),
    ],
)
def test_a_card_that_is_none_is_one_line(tmp_path: Path, stored: bytes, said: str) -> None:
    (tmp_path / "atlas.json").write_bytes(stored)
    with pytest.raises(ModelError, match=said):
        card(tmp_path / "atlas.json")


@pytest.mark.parametrize("sha256", [HASH, ""])
def test_a_file_is_its_bytes(tmp_path: Path, sha256: str) -> None:
    (tmp_path / "maps").write_bytes(b"weights")
    assert content(tmp_path / "maps", sha256) == b"weights"


def test_another_file_is_refused_with_both_hashes(tmp_path: Path) -> None:
    (tmp_path / "maps").write_bytes(b"weight")
    actual = hashlib.sha256(b"weight").hexdigest()
    with pytest.raises(ChecksumError) as caught:
        content(tmp_path / "maps", HASH)
    assert caught.value.message == (
        f"{tmp_path / 'maps'} is not it (sha256 {actual[:12]}… instead of {HASH[:12]}…)"
    )
    assert caught.value.hint == "copy it anew"


def test_a_missing_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"expected the maps at .*maps, but: No such file.*copy the whole"):
        content(tmp_path / "maps", HASH)


def test_a_hash_is_whole_or_empty() -> None:
    assert SHA256.fullmatch(HASH)
    assert SHA256.fullmatch("")
    assert not SHA256.fullmatch(HASH[:-1])
    assert not SHA256.fullmatch(HASH.upper())
