from __future__ import annotations

from pathlib import Path

import filelock
import pytest

from anytomy.zoo.home import CACHE_KINDS
from anytomy.zoo.housekeeping import clear, usage
from anytomy.zoo.registry import card
from anytomy.zoo.store import lock_path
from anytomy.zoo.verification import verify


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    folder = tmp_path / "cache"
    for name, size in (
        ("weights/a.pth", 10),
        ("weights/a.pth.json", 3),
        ("weights/.a.pth.lock", 0),
        ("embeddings/m/1.npy", 5),
        ("embeddings/m/2.npy", 5),
    ):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * size)
    return folder


def test_usage(cache: Path) -> None:
    held = {one.kind: (one.files, one.bytes) for one in usage(CACHE_KINDS)}
    assert held == {"weights": (2, 13), "graphs": (0, 0), "embeddings": (2, 10), "samples": (0, 0)}


def test_clear_one_kind(cache: Path) -> None:
    assert [(one.files, one.bytes) for one in clear(["embeddings"])] == [(2, 10)]
    assert not list((cache / "embeddings").rglob("*"))
    assert (cache / "weights" / "a.pth").exists()


def test_clear_follows_no_links(cache: Path, tmp_path: Path) -> None:
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "file").write_text("keep")
    (cache / "weights" / "link").symlink_to(tmp_path / "precious")
    clear(CACHE_KINDS)
    assert (tmp_path / "precious" / "file").read_text() == "keep"
    assert not (cache / "weights" / "link").is_symlink()


def test_clear_leaves_alone_what_another_fetches(cache: Path) -> None:
    with filelock.FileLock(lock_path(cache / "weights" / "a.pth")):
        (removed,) = clear(["weights"])
    assert removed.busy
    assert (cache / "weights" / "a.pth").exists()


def test_verify_finds_and_removes_a_rotten_file() -> None:
    from anytomy.zoo.artifact import weights_artifact
    from anytomy.zoo.checksum import record_path, write_record

    lite = weights_artifact(card("litemedsam"))
    lite.path.parent.mkdir(parents=True)
    lite.path.write_bytes(b"rotten")
    # As bits rot: size, time and record are as they were.
    write_record(record_path(lite.path), lite.path, sha256=lite.sha256, source="x", published=True)
    found = {one.model_id: one for one in verify()}
    assert found["litemedsam"].state == "damaged"
    assert "it was removed" in found["litemedsam"].message
    assert found["sam_vit_b"].state == "absent"
    assert not lite.path.exists()


def test_verify_of_an_unpublished_hash() -> None:
    from anytomy.zoo.artifact import weights_artifact

    path = weights_artifact(card("medsam")).path
    path.parent.mkdir(parents=True)
    path.write_bytes(b"some weights")
    assert verify("medsam")[0].state == "recorded"
    path.write_bytes(b"other weight")
    assert verify("medsam")[0].state == "damaged"
