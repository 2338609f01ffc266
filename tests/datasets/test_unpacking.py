"""Archives of strangers: what is sound comes out whole, and nothing else comes out at all."""

from __future__ import annotations

import io
import shutil
import stat
import tarfile
import zipfile
from collections import namedtuple
from collections.abc import Callable
from pathlib import Path

import pytest

from anytomy.core.errors import DatasetError, OutputError
from anytomy.datasets import unpacking
from anytomy.datasets.unpacking import UnsoundArchiveError, refuse_kind, unpack

FILES = {"training/a/image 1.nii": b"one" * 5000, "training/a/ümlaut.txt": b"two", "empty.txt": b""}
Usage = namedtuple("Usage", "total used free")


def make_zip(path: Path, files: dict[str, bytes], *, kind: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", kind) as archive:
        for name, body in files.items():
            archive.writestr(name, body)
    return path


def make_tar(path: Path, files: dict[str, bytes], mode: str = "w") -> Path:
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        for name, body in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(body)
            archive.addfile(entry, io.BytesIO(body))
    return path


def add_to_tar(path: Path, *entries: tarfile.TarInfo) -> Path:
    with tarfile.open(path, "a") as archive:
        for entry in entries:
            archive.addfile(entry)
    return path


def entry_of(name: str, kind: bytes, target: str = "") -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.type, entry.linkname = kind, target
    return entry


def zip_entry(path: Path, name: str, body: bytes, mode: int) -> Path:
    entry = zipfile.ZipInfo(name)
    entry.create_system = 3
    entry.external_attr = mode << 16
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(entry, body)
    return path


def held(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def refused(archive: Path, match: str, kind: type[Exception] = DatasetError) -> str:
    """Unpack and expect an error that leaves nothing behind, here or elsewhere."""
    (archive.parent / "out").mkdir(exist_ok=True)
    before = set(archive.parent.parent.rglob("*"))
    with pytest.raises(kind, match=match) as caught:
        unpack(archive, archive.parent / "out" / "content", progress=False)
    assert set(archive.parent.parent.rglob("*")) == before
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.fixture
def box(tmp_path: Path) -> Path:
    folder = tmp_path / "box"
    folder.mkdir()
    return folder


@pytest.mark.parametrize("name", ["x.zip", "x.tar", "x.tar.gz", "x.tgz", "x.tar.bz2", "x.tar.xz"])
def test_all_kinds_come_out_whole(box: Path, name: str) -> None:
    ending = name.rpartition(".")[2].replace("tgz", "gz")
    made = (
        make_zip(box / name, FILES)
        if ending == "zip"
        else make_tar(box / name, FILES, "w" if ending == "tar" else f"w:{ending}")
    )
    unpack(made, box / "out", progress=False)
    assert held(box / "out") == FILES


def test_the_kind_is_in_the_file_not_in_its_name(box: Path) -> None:
    make_zip(box / "download", FILES)
    unpack(box / "download", box / "out", progress=False)
    assert held(box / "out") == FILES


def test_windows_separators_are_folders(box: Path) -> None:
    make_zip(box / "x.zip", {"images\\1.png": b"1"})
    unpack(box / "x.zip", box / "out", progress=False)
    assert held(box / "out") == {"images/1.png": b"1"}


def test_modes_of_strangers_are_not_taken(box: Path) -> None:
    zip_entry(box / "x.zip", "run.sh", b"#!", stat.S_IFREG | stat.S_ISUID | 0o777)
    unpack(box / "x.zip", box / "out", progress=False)
    assert not (box / "out" / "run.sh").stat().st_mode & (stat.S_ISUID | 0o111)


def test_what_a_killed_run_left_is_done_anew(box: Path) -> None:
    (box / "out.tmp" / "half").mkdir(parents=True)
    unpack(make_zip(box / "x.zip", FILES), box / "out", progress=False)
    assert held(box / "out") == FILES
    assert not (box / "out.tmp").exists()


# -- paths that leave ----------------------------------------------------------------------------

LEAVING = ["../x", "a/../../x", "/tmp/x", "C:/x", "C:\\x", "..\\x", "a\\..\\..\\x", "\\x", "//server/x"]


@pytest.mark.parametrize("name", LEAVING)
@pytest.mark.parametrize("make", [make_zip, make_tar])
def test_a_path_that_leaves_is_refused(box: Path, name: str, make: Callable[..., Path]) -> None:
    archive = make(box / "x", {"fine.txt": b"fine", name: b"evil"})
    message = refused(archive, "stays in its folder")
    assert "nothing of it was kept" in message


@pytest.mark.parametrize("target", ["../../outside", "/etc/passwd", "..", "a/../../outside"])
@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE])
def test_a_link_that_leaves_is_refused(box: Path, kind: bytes, target: str) -> None:
    archive = add_to_tar(make_tar(box / "x.tar", FILES), entry_of("link", kind, target))
    refused(archive, "stays in its folder")


def test_a_link_of_a_zip_that_leaves_is_refused(box: Path) -> None:
    refused(zip_entry(box / "x.zip", "link", b"../../etc", stat.S_IFLNK | 0o777), "stays in its folder")


def test_nothing_is_written_through_a_link(box: Path) -> None:
    outside = box.parent / "outside"
    outside.mkdir()
    archive = add_to_tar(
        box / "x.tar",
        entry_of("d1/d2", tarfile.SYMTYPE, ".."),
        entry_of("a", tarfile.SYMTYPE, "d1/d2/.."),
    )
    with tarfile.open(archive, "a") as more:
        body = tarfile.TarInfo("a/outside/evil")
        body.size = 4
        more.addfile(body, io.BytesIO(b"evil"))
    refused(archive, "is a link to")
    assert not any(outside.iterdir())


def test_links_to_files_become_files(box: Path) -> None:
    archive = add_to_tar(
        make_tar(box / "x.tar", {"a/one.nii": b"one"}),
        entry_of("b/chain", tarfile.SYMTYPE, "two.nii"),
        entry_of("b/two.nii", tarfile.SYMTYPE, "../a/one.nii"),
        entry_of("hard.nii", tarfile.LNKTYPE, "a/one.nii"),
    )
    unpack(archive, box / "out", progress=False)
    names = ("a/one.nii", "b/chain", "b/two.nii", "hard.nii")
    assert held(box / "out") == dict.fromkeys(names, b"one")
    assert not [p for p in (box / "out").rglob("*") if p.is_symlink()]


@pytest.mark.parametrize("target", ["nowhere", "a", "itself"])
def test_links_to_nothing_or_to_folders_are_refused(box: Path, target: str) -> None:
    archive = add_to_tar(make_tar(box / "x.tar", {"a/b": b""}), entry_of("itself", tarfile.SYMTYPE, target))
    refused(archive, "is a link to")


@pytest.mark.parametrize("kind", [tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE])
def test_devices_are_refused(box: Path, kind: bytes) -> None:
    refused(add_to_tar(make_tar(box / "x.tar", FILES), entry_of("dev", kind)), "a device")


def test_devices_in_a_zip_are_refused(box: Path) -> None:
    refused(zip_entry(box / "x.zip", "dev", b"", stat.S_IFCHR | 0o666), "a device")


# -- too much ------------------------------------------------------------------------------------


def test_a_bomb_is_refused(box: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpacking, "_SMALL", 10**6)
    bomb = {"zeros": bytes(20 * 10**6)}
    refused(make_zip(box / "x.zip", bomb, kind=zipfile.ZIP_BZIP2), "grows more than")
    refused(make_tar(box / "x.tar.xz", bomb, "w:xz"), "grows more than")


def test_label_maps_that_shrink_well_are_no_bomb(box: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpacking, "_SMALL", 10**6)
    label = bytearray(512 * 512 * 40)
    for row in range(100, 300):
        label[512 * row + 100 : 512 * row + 300] = b"\1" * 200
    unpack(make_zip(box / "x.zip", {"label.nii": bytes(label)}), box / "out", progress=False)


@pytest.mark.parametrize("name", ["x.zip", "x.tar.gz"])
def test_a_full_disk_is_seen_before(box: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = (make_zip if name == "x.zip" else make_tar)(box / name, FILES)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10**9, 10**9, 1000))
    refused(archive, "of free disk space", OutputError)


# -- damage --------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["zip", "w", "w:gz", "w:bz2", "w:xz"])
@pytest.mark.parametrize("kept", [0.05, 0.5, 0.8])
def test_half_an_archive_is_damaged(box: Path, mode: str, kept: float) -> None:
    noise = {f"{n}.bin": bytes((n * i * i) % 251 for i in range(5000)) for n in range(1, 9)}
    archive = make_zip(box / "x", noise) if mode == "zip" else make_tar(box / "x", noise, mode)
    body = archive.read_bytes()
    archive.write_bytes(body[: int(len(body) * kept)])
    refused(archive, "damaged", UnsoundArchiveError)


@pytest.mark.parametrize("mode", ["zip", "w:gz", "w:bz2", "w:xz"])
def test_a_flipped_bit_is_found(box: Path, mode: str) -> None:
    noise = {"x.bin": bytes((i * i) % 251 for i in range(50_000))}
    archive = make_zip(box / "x", noise) if mode == "zip" else make_tar(box / "x", noise, mode)
    body = bytearray(archive.read_bytes())
    body[len(body) // 2] ^= 16
    archive.write_bytes(body)
    refused(archive, "damaged", UnsoundArchiveError)


def test_a_broken_header_in_a_tar_is_not_its_end(box: Path) -> None:
    archive = make_tar(box / "x.tar", {"a": b"1" * 512, "b": b"2" * 512, "c": b"3" * 512})
    body = bytearray(archive.read_bytes())
    body[1024 + 150] ^= 255  # the checksum of the second member's header
    archive.write_bytes(body)
    refused(archive, "damaged", UnsoundArchiveError)


def test_a_web_page_is_no_archive(box: Path) -> None:
    (box / "x.zip").write_text("<html>sign in</html>")
    refused(box / "x.zip", "neither", UnsoundArchiveError)


# -- kinds that are not unpacked -----------------------------------------------------------------


@pytest.mark.parametrize("name", ["Mask.7z", "x.RAR", "x.tar.zst"])
def test_other_kinds_are_refused_by_name(name: str) -> None:
    with pytest.raises(DatasetError, match="not unpacked here"):
        refuse_kind(name)
    refuse_kind("x.tar.gz")


@pytest.mark.parametrize("start", [b"7z\xbc\xaf\x27\x1c\0\4", b"Rar!\x1a\x07\x01\0", b"\x28\xb5\x2f\xfd...."])
def test_other_kinds_are_refused_by_content(box: Path, start: bytes) -> None:
    (box / "x.zip").write_bytes(start + bytes(100))
    assert not isinstance(refused(box / "x.zip", "not unpacked here"), UnsoundArchiveError)


def test_a_password(box: Path) -> None:
    body = bytearray(make_zip(box / "x.zip", {"a": b"secret"}, kind=zipfile.ZIP_STORED).read_bytes())
    body[6] |= 1
    body[body.index(b"PK\1\2") + 8] |= 1
    (box / "x.zip").write_bytes(body)
    refused(box / "x.zip", "password")


def test_a_compression_that_python_does_not_know(box: Path) -> None:
    body = bytearray(make_zip(box / "x.zip", {"a": b"a" * 100}).read_bytes())
    body[8] = 9  # Deflate64
    body[body.index(b"PK\1\2") + 10] = 9
    (box / "x.zip").write_bytes(body)
    refused(box / "x.zip", "compressed otherwise")
