"""Fetching data sets from a server that misbehaves, into folders that are never half."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import zipfile
from collections import namedtuple
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from anytomy.core.errors import (
    ChecksumError,
    DatasetError,
    FetchError,
    OfflineError,
    OptionError,
    OutputError,
)
from anytomy.datasets import fetching
from anytomy.datasets.card import Access, DatasetCard, Download, card_from
from anytomy.datasets.fetched import check_fetched, read_record, remove_fetched, staging_dir
from anytomy.datasets.fetching import Fetched, fetch_dataset, plan_fetch
from anytomy.datasets.registry import download_dir
from anytomy.datasets.unpacking import UnsoundArchiveError
from anytomy.zoo import download
from tests.datasets.test_unpacking import held, make_tar, make_zip
from tests.file_server import Server

NOISE = hashlib.shake_256(b"noise").digest(400_000)
PART1 = {"images/1.png": b"image one", "images/2.png": NOISE, "README.txt": b"read me"}
PART2 = {"labels/1.png": b"label one", "labels/2.png": b"label two", "README.txt": b"read me"}
Usage = namedtuple("Usage", "total used free")


def card_of(*downloads: Download, how: str = "open") -> DatasetCard:
    values = {
        "id": "tiny",
        "title": "A tiny set",
        "summary": "for tests",
        "modality": ["CT"],
        "anatomy": "liver",
        "dimension": "2D",
        "quality": "synthetic",
        "licence": "CC0",
        "licence_class": "open",
        "citation": "none",
        "size": {"found": "2"},
        "access": {"how": "open"},
        "targets": [{"structure": "liver", "values": [1]}],
        "layouts": [{"name": "only", "image": "images/{case}.png", "masks": {"mask": "labels/{case}.png"}}],
    }
    card = card_from(values, source=Path("tiny.toml"), builtin=True)
    return replace(card, access=Access(how, downloads=downloads))


def file_of(path: Path, *, published: bool = True, extract: bool = True) -> Download:
    body = path.read_bytes()
    digest = hashlib.sha256(body).hexdigest() if published else ""
    return Download(f"https://example.org/{path.name}", path.name, digest, len(body), extract)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ANYTOMY_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(download, "_PAUSE_S", 0.01)
    return tmp_path / "home"


@pytest.fixture
def served(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Server:
    """A mirror with two archives."""
    monkeypatch.setenv("ANYTOMY_MIRROR", server.url)
    for path in (make_zip(tmp_path / "part1.zip", PART1), make_tar(tmp_path / "part2.tar.gz", PART2, "w:gz")):
        server.files[f"data/tiny/{path.name}"] = path.read_bytes()
    return server


@pytest.fixture
def tiny(served: Server, tmp_path: Path) -> DatasetCard:
    return card_of(file_of(tmp_path / "part1.zip"), file_of(tmp_path / "part2.tar.gz"))


def get(card: DatasetCard, *, to: Path | None = None, only: tuple[str, ...] = (), **more: bool) -> Fetched:
    return fetch_dataset(plan_fetch(card, to=to, only=only), progress=False, **more)


def data_of(root: Path) -> dict[str, bytes]:
    return {name: body for name, body in held(root).items() if not name.startswith(".")}


def asked(server: Server) -> list[str]:
    return [path for path, _ in server.asked]


def test_archives_become_one_folder(tiny: DatasetCard, home: Path) -> None:
    done = get(tiny)
    assert done.root == home / "data" / "tiny"
    assert done.files == ("part1.zip", "part2.tar.gz")
    assert done.recorded == ()
    assert data_of(done.root) == PART1 | PART2
    assert sorted(p.name for p in done.root.parent.iterdir()) == [".tiny.lock", "tiny"]


def test_what_was_fetched_is_written_down(tiny: DatasetCard) -> None:
    record = read_record(get(tiny).root)
    assert record["id"] == "tiny"
    assert record["licence"] == "CC0"
    assert [entry["sha256"] for entry in record["files"]] == [d.sha256 for d in tiny.access.downloads]
    assert record["sizes"] == {name: len(body) for name, body in (PART1 | PART2).items()}


def test_it_is_fetched_once(tiny: DatasetCard, served: Server) -> None:
    get(tiny)
    count = len(served.asked)
    done = get(tiny)
    assert done.files == ()
    assert len(served.asked) == count


def test_into_a_folder_of_the_users(tiny: DatasetCard, tmp_path: Path) -> None:
    (tmp_path / "disk" / "mine").mkdir(parents=True)
    done = get(tiny, to=tmp_path / "disk" / "mine")
    assert done.root == tmp_path / "disk" / "mine"
    assert data_of(done.root) == PART1 | PART2
    assert [p.name for p in (tmp_path / "disk").iterdir()] == ["mine"]


def test_a_folder_with_other_things_stays_as_it_is(tiny: DatasetCard, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("years")
    with pytest.raises(OutputError, match="expected a new or empty folder") as caught:
        get(tiny, to=tmp_path / "mine")
    assert "anytomy datasets add tiny" in str(caught.value)
    assert held(tmp_path / "mine") == {"thesis.tex": b"years"}


def test_archives_can_be_kept(tiny: DatasetCard, served: Server) -> None:
    root = get(tiny, keep_archives=True).root
    assert (root / ".archives" / "part1.zip").read_bytes() == served.files["data/tiny/part1.zip"]
    assert data_of(root) == PART1 | PART2
    assert check_fetched(root) == []
    (root / ".archives" / "part1.zip").write_bytes(b"rot")
    assert check_fetched(root) == [".archives/part1.zip is not the file that was fetched"]


def test_a_file_that_is_no_archive(served: Server, tmp_path: Path) -> None:
    (tmp_path / "Mask.7z").write_bytes(b"7z")
    served.files["Mask.7z"] = b"7z"
    card = card_of(file_of(tmp_path / "part1.zip"), file_of(tmp_path / "Mask.7z", extract=False))
    assert data_of(get(card).root) == {**PART1, "Mask.7z": b"7z"}


def test_the_same_name_for_two_things_loses_nothing(served: Server, tmp_path: Path) -> None:
    other = make_zip(tmp_path / "other.zip", {"images/1.png": b"another one", "README.txt": b"read me"})
    served.files["other.zip"] = other.read_bytes()
    root = get(card_of(file_of(tmp_path / "part1.zip"), file_of(other))).root
    assert data_of(root) == {**PART1, "other/images/1.png": b"another one"}


# -- parts of a data set -------------------------------------------------------------------------


def test_one_file_now_and_the_rest_later(tiny: DatasetCard, served: Server) -> None:
    done = get(tiny, only=("part2*",))
    assert data_of(done.root) == PART2
    assert asked(served) == ["/data/tiny/part2.tar.gz"]
    done = get(tiny)
    assert done.files == ("part1.zip",)
    assert data_of(done.root) == PART1 | PART2
    record = read_record(done.root)
    assert [entry["file"] for entry in record["files"]] == ["part2.tar.gz", "part1.zip"]
    assert set(record["sizes"]) == set(PART1 | PART2)


def test_a_name_that_fits_no_file(tiny: DatasetCard) -> None:
    with pytest.raises(OptionError, match=r"none fits part9\*; it has part1.zip, part2.tar.gz"):
        plan_fetch(tiny, only=("part9*",))


# -- hashes --------------------------------------------------------------------------------------


def test_the_wrong_file_is_not_kept(tiny: DatasetCard, served: Server, home: Path) -> None:
    served.files["data/tiny/part1.zip"] = b"PK another"
    with pytest.raises(ChecksumError, match=r"part1\.zip of tiny"):
        get(tiny)
    assert not download_dir(tiny).exists()
    assert "part1.zip" not in {p.name for p in (home / "data").rglob("*")}


def test_a_hash_that_nobody_published_is_held_against_the_next_fetch(served: Server, tmp_path: Path) -> None:
    card = card_of(file_of(tmp_path / "part1.zip", published=False))
    done = get(card)
    assert done.recorded == ("part1.zip",)
    record = read_record(done.root)["files"][0]
    assert record["published"] is False
    assert record["sha256"] == hashlib.sha256(served.files["data/tiny/part1.zip"]).hexdigest()
    remove_fetched(card)
    served.files["data/tiny/part1.zip"] = make_zip(tmp_path / "new.zip", {"new.txt": b"new"}).read_bytes()
    with pytest.raises(ChecksumError, match="that of an earlier fetch") as caught:
        get(card)
    assert caught.value.hint is not None
    Path(caught.value.hint.removeprefix("remove ").removesuffix(" to accept another file")).unlink()
    assert data_of(get(card).root) == {"new.txt": b"new"}


def test_what_changed_since_is_found(tiny: DatasetCard, tmp_path: Path) -> None:
    root = get(tiny).root
    assert check_fetched(root) == []
    (root / "images" / "1.png").unlink()
    (root / "labels" / "1.png").write_bytes(b"longer than before")
    (root / "notes.txt").write_text("of the user's")
    assert sorted(check_fetched(root)) == [
        "images/1.png was fetched and is gone",
        "labels/1.png has 18 bytes; 9 were fetched",
    ]
    assert check_fetched(tmp_path) == []


# -- broken off ----------------------------------------------------------------------------------


def test_a_dropped_connection_goes_on(tiny: DatasetCard, served: Server) -> None:
    served.cut_after, served.cuts = 150_000, 2
    assert data_of(get(tiny).root) == PART1 | PART2
    wanted = [wanted for path, wanted in served.asked if path.endswith("part1.zip")]
    assert wanted == ["", "bytes=150000-", "bytes=300000-"]


def test_a_run_that_failed_is_gone_on_with(
    tiny: DatasetCard, served: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "_TRIES", 1)
    body = served.files.pop("data/tiny/part2.tar.gz")
    with pytest.raises(FetchError, match="HTTP 404"):
        get(tiny)
    assert not download_dir(tiny).exists()
    served.files["data/tiny/part2.tar.gz"] = body
    served.asked.clear()
    assert data_of(get(tiny).root) == PART1 | PART2
    assert asked(served) == ["/data/tiny/part2.tar.gz"]
    assert not staging_dir(download_dir(tiny)).exists()


STEPS = ["unpack", "_merge", "_finish", "write_text", "_remember_hashes", "_clear"]


@pytest.mark.parametrize("number", [1, 2, 3])
@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("when", ["before", "after"])
def test_stopped_at_any_step_it_is_whole_or_not_there(
    tiny: DatasetCard, served: Server, monkeypatch: pytest.MonkeyPatch, step: str, number: int, when: str
) -> None:
    class Stopped(BaseException):
        pass

    real = getattr(fetching, step)
    calls = 0

    def stopping(*arguments: object, **more: object) -> object:
        nonlocal calls
        calls += 1
        if when == "before" and calls == number:
            raise Stopped
        result = real(*arguments, **more)
        if calls == number:
            raise Stopped
        return result

    with monkeypatch.context() as patch:
        patch.setattr(fetching, step, stopping)
        try:
            get(tiny)
        except Stopped:
            root = download_dir(tiny)
            assert not root.exists() or data_of(root) == PART1 | PART2
    assert data_of(get(tiny).root) == PART1 | PART2
    assert len(asked(served)) == 2  # nothing came twice
    assert not staging_dir(download_dir(tiny)).exists()


KILLED = """
import sys
from dataclasses import replace
from pathlib import Path
from anytomy.datasets import fetching, unpacking
sys.path.insert(0, sys.argv[1])
from tests.datasets.test_fetching import card_of, file_of
folder = Path(sys.argv[2])
real = unpacking._Target.write
def slow(self, stream, path, tell):
    real(self, stream, path, tell)
    print("unpacking", flush=True)
    sys.stdin.read()
unpacking._Target.write = slow
card = card_of(file_of(folder / "part1.zip"), file_of(folder / "part2.tar.gz"))
fetching.fetch_dataset(fetching.plan_fetch(card), progress=False)
"""


def test_a_process_killed_while_it_unpacks(tiny: DatasetCard, served: Server, tmp_path: Path) -> None:
    top = Path(__file__).parents[2]
    child = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(top), str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "ANYTOMY_HOME": str(tmp_path / "home")},
    )
    assert child.stdout is not None
    assert child.stdin is not None
    assert child.stdout.readline() == b"unpacking\n"
    child.send_signal(signal.SIGKILL)
    child.wait()
    child.stdin.close()
    child.stdout.close()
    assert not download_dir(tiny).exists()
    assert [p.name for p in staging_dir(download_dir(tiny)).rglob("*.tmp")] == ["content.tmp"]
    served.asked.clear()
    assert data_of(get(tiny).root) == PART1 | PART2
    assert asked(served) == ["/data/tiny/part2.tar.gz"]


def test_a_download_of_another_file_survives(tiny: DatasetCard, served: Server) -> None:
    body = served.files.pop("data/tiny/part2.tar.gz")
    with pytest.raises(FetchError):
        get(tiny)
    get(tiny, only=("part1.zip",))
    served.files["data/tiny/part2.tar.gz"] = body
    assert data_of(get(tiny).root) == PART1 | PART2


# -- archives that do not do ---------------------------------------------------------------------


def test_a_damaged_archive_is_fetched_anew(served: Server, tmp_path: Path) -> None:
    good = served.files["data/tiny/part1.zip"]
    served.files["data/tiny/part1.zip"] = good[:1000]
    card = card_of(replace(file_of(tmp_path / "part1.zip", published=False), bytes=0))
    with pytest.raises(UnsoundArchiveError, match="run again to fetch it anew"):
        get(card)
    served.files["data/tiny/part1.zip"] = good
    assert data_of(get(card).root) == PART1


def test_an_archive_that_leaves_its_folder(served: Server, tmp_path: Path, home: Path) -> None:
    evil = make_zip(tmp_path / "evil.zip", {"fine.png": b"fine", "../../evil.txt": b"evil"})
    served.files["evil.zip"] = evil.read_bytes()
    with pytest.raises(DatasetError, match="stays in its folder"):
        get(card_of(file_of(evil)))
    assert not [p for p in home.rglob("*") if p.name in ("evil.txt", "fine.png")]


def test_a_kind_that_is_not_unpacked_is_refused_before(served: Server, tmp_path: Path) -> None:
    (tmp_path / "all.rar").write_bytes(b"Rar!")
    with pytest.raises(DatasetError, match="RAR"):
        plan_fetch(card_of(file_of(tmp_path / "all.rar")))
    assert served.asked == []


def test_an_archive_to_unpack_by_hand_is_kept(served: Server, tmp_path: Path) -> None:
    archive = tmp_path / "x.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as out:
        out.writestr("a", b"a" * 100)
    body = bytearray(archive.read_bytes())
    body[8] = body[body.index(b"PK\1\2") + 10] = 9  # Deflate64
    archive.write_bytes(body)
    served.files["x.zip"] = bytes(body)
    with pytest.raises(DatasetError) as caught:
        get(card_of(file_of(archive)))
    assert caught.value.hint is not None
    assert "anytomy datasets add tiny FOLDER" in caught.value.hint
    kept = caught.value.hint.removeprefix("it lies at ").partition(";")[0]
    assert Path(kept).read_bytes() == bytes(body)


# -- refusals ------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["registration", "unavailable", "local", "open"])
def test_what_has_to_be_fetched_by_hand(how: str) -> None:
    with pytest.raises(DatasetError, match="cannot: "):
        plan_fetch(card_of(how=how))


def test_offline(tiny: DatasetCard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANYTOMY_OFFLINE", "1")
    with pytest.raises(OfflineError, match="unset ANYTOMY_OFFLINE") as caught:
        get(tiny)
    assert "ANYTOMY_MIRROR to a folder that holds part1.zip" in str(caught.value)
    assert "anytomy datasets add tiny FOLDER" in str(caught.value)


def test_a_mirror_folder_works_offline(
    tiny: DatasetCard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANYTOMY_OFFLINE", "1")
    monkeypatch.setenv("ANYTOMY_MIRROR", str(tmp_path))
    assert data_of(get(tiny).root) == PART1 | PART2


def test_only_https_addresses(tmp_path: Path, served: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ANYTOMY_MIRROR")
    card = card_of(replace(file_of(tmp_path / "part1.zip"), url=f"{served.url}/part1.zip"))
    with pytest.raises(FetchError, match="only https"):
        get(card)
    assert served.asked == []


def test_a_full_disk_is_seen_before(
    tiny: DatasetCard, served: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10**9, 10**9, 100_000))
    with pytest.raises(OutputError, match="of free disk space") as caught:
        get(tiny)
    assert "--to" in str(caught.value)
    assert served.asked == []


def test_a_disk_without_room_for_what_is_unpacked(
    served: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = make_zip(tmp_path / "zeros.zip", {"zeros.nii": bytes(5_000_000)})
    served.files["zeros.zip"] = archive.read_bytes()
    card = card_of(file_of(archive))
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "disk_usage", lambda _: Usage(10**9, 10**9, 1_000_000))
        with pytest.raises(OutputError, match=r"expected 5\.0 MB of free disk space"):
            get(card)
    served.asked.clear()
    assert data_of(get(card).root) == {"zeros.nii": bytes(5_000_000)}
    assert served.asked == []


def test_a_folder_that_cannot_be_made(tiny: DatasetCard, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be made"):
        get(tiny, to=tmp_path / "file" / "tiny")


def test_a_disk_of_its_own_is_named(
    tiny: DatasetCard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os.path, "ismount", lambda path: Path(path) == tmp_path / "disk")
    with pytest.raises(OutputError, match="a disk of its own; name a folder on it"):
        get(tiny, to=tmp_path / "disk")


def test_sizes_are_asked_from_the_server(
    served: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    card = card_of(
        file_of(tmp_path / "part1.zip"),
        Download(f"{served.url}/data/tiny/part2.tar.gz", "part2.tar.gz"),
        Download(f"{served.url}/gone.zip", "gone.zip"),
    )
    real = download.remote_size
    monkeypatch.setattr(download, "remote_size", lambda url: real(url, allow_http=True))
    sizes = [len(served.files["data/tiny/part1.zip"]), len(served.files["data/tiny/part2.tar.gz"]), 0]
    assert plan_fetch(card).sizes() == sizes
    monkeypatch.setenv("ANYTOMY_OFFLINE", "1")
    assert plan_fetch(card).sizes() == [sizes[0], 0, 0]


# -- removing ------------------------------------------------------------------------------------


def test_removing_what_was_fetched(tiny: DatasetCard) -> None:
    root = get(tiny).root
    assert remove_fetched(tiny) == root
    assert not root.exists()
    assert remove_fetched(tiny) is None


def test_removing_what_a_killed_run_left(tiny: DatasetCard, served: Server) -> None:
    served.files.pop("data/tiny/part2.tar.gz")
    with pytest.raises(FetchError):
        get(tiny)
    assert remove_fetched(tiny) is not None
    assert not staging_dir(download_dir(tiny)).exists()


def break_record(root: Path) -> None:
    (root / ".anytomy.json").write_text(json.dumps({"id": "other", "files": [], "sizes": {}}))


def unlink_record(root: Path) -> None:
    (root / ".anytomy.json").unlink()


@pytest.mark.parametrize("spoil", [break_record, unlink_record])
def test_a_folder_of_the_users_is_never_removed(tiny: DatasetCard, spoil: Callable[[Path], None]) -> None:
    root = get(tiny).root
    spoil(root)
    with pytest.raises(OutputError, match="remove it yourself"):
        remove_fetched(tiny)
    assert data_of(root) == PART1 | PART2


def test_a_link_to_a_folder_of_the_users_is_never_removed(tiny: DatasetCard, tmp_path: Path) -> None:
    root = get(tiny, to=tmp_path / "mine").root
    download_dir(tiny).symlink_to(root)
    with pytest.raises(OutputError, match="remove it yourself"):
        remove_fetched(tiny)
    assert data_of(root) == PART1 | PART2
