from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import namedtuple
from pathlib import Path

import pytest

from anytomy.core.errors import ChecksumError, FetchError, OfflineError, OutputError
from anytomy.zoo import checksum, download, store
from anytomy.zoo.artifact import Artifact
from anytomy.zoo.store import ensure, fetch
from tests.file_server import Server

from .conftest import PAYLOAD, artifact

WRONG = b"not it" * 1000


@pytest.fixture
def mirrored(server: Server, monkeypatch: pytest.MonkeyPatch) -> Server:
    """The server as the user's mirror, flat, with the file on it."""
    monkeypatch.setenv("ANYTOMY_MIRROR", server.url)
    server.files["tiny.pth"] = PAYLOAD
    return server


def left_over(path: Path) -> list[str]:
    return sorted(p.name for p in path.parent.iterdir() if not p.name.endswith(".lock"))


def test_a_mirror_address(mirrored: Server) -> None:
    path = fetch(artifact())
    assert path.read_bytes() == PAYLOAD
    assert left_over(path) == ["tiny.pth", "tiny.pth.json"]
    assert [asked for asked, _ in mirrored.asked] == ["/weights/tiny.pth", "/tiny.pth"]


def test_a_mirror_laid_out_like_a_cache(mirrored: Server) -> None:
    mirrored.files["weights/tiny.pth"] = mirrored.files.pop("tiny.pth")
    assert fetch(artifact()).read_bytes() == PAYLOAD
    assert len(mirrored.asked) == 1


@pytest.mark.parametrize("place", ["tiny.pth", "weights/tiny.pth"])
def test_a_mirror_folder_works_offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    file = tmp_path / "mirror" / place
    file.parent.mkdir(parents=True)
    file.write_bytes(PAYLOAD)
    monkeypatch.setenv("ANYTOMY_MIRROR", str(tmp_path / "mirror"))
    monkeypatch.setenv("ANYTOMY_OFFLINE", "1")
    assert fetch(artifact()).read_bytes() == PAYLOAD


def test_a_cached_file_is_neither_fetched_nor_hashed_again(
    mirrored: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetch(artifact())
    asked = len(mirrored.asked)
    monkeypatch.setattr(checksum, "sha256_of", lambda path: pytest.fail("hashed again"))
    fetch(artifact())
    assert len(mirrored.asked) == asked


def test_a_touched_file_is_hashed_again_and_kept(mirrored: Server) -> None:
    path = fetch(artifact())
    os.utime(path, (1, 1))
    assert fetch(artifact()) == path
    record = checksum.read_record(checksum.record_path(path))
    assert record is not None
    assert record.mtime_ns == 1_000_000_000
    assert record.source == f"ANYTOMY_MIRROR {mirrored.url}"


def test_a_changed_cached_file_is_removed_and_fetched_next_time(mirrored: Server) -> None:
    path = fetch(artifact())
    path.write_bytes(WRONG)
    with pytest.raises(ChecksumError, match="it was removed"):
        fetch(artifact())
    assert not path.exists()
    assert fetch(artifact()).read_bytes() == PAYLOAD


def test_a_file_put_there_by_hand_is_checked(tmp_path: Path) -> None:
    path = artifact().path
    path.parent.mkdir(parents=True)
    path.write_bytes(PAYLOAD)
    assert fetch(artifact()) == path
    path.write_bytes(WRONG)
    with pytest.raises(ChecksumError):
        fetch(artifact())


def test_a_cache_that_cannot_be_written_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = artifact().path
    path.parent.mkdir(parents=True)
    path.write_bytes(PAYLOAD)
    monkeypatch.setattr(os, "access", lambda *_: False)
    monkeypatch.setattr(
        checksum, "write_record", lambda *_, **__: None
    )  # as on a read-only disk; root may write anywhere
    assert fetch(artifact()) == path
    assert left_over(path) == ["tiny.pth"]
    path.write_bytes(WRONG)
    with pytest.raises(ChecksumError):
        fetch(artifact())
    assert path.exists()


def test_the_wrong_file_is_never_kept(mirrored: Server) -> None:
    mirrored.files["tiny.pth"] = WRONG
    with pytest.raises(ChecksumError, match="no source has that file"):
        fetch(artifact())
    assert left_over(artifact().path) == []


def test_after_a_wrong_file_the_next_source_is_asked(
    mirrored: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    mirrored.files["tiny.pth"] = WRONG
    good = artifact(url="https://example.org/tiny.pth")

    def official(url: str, part: Path, **_: object) -> bool:
        if url.startswith("https"):
            part.write_bytes(PAYLOAD)
            return False
        return real(url, part, **_)  # type: ignore[arg-type]

    real = download.download
    monkeypatch.setattr(download, "download", official)
    assert fetch(good).read_bytes() == PAYLOAD


def test_an_unknown_hash_is_recorded_and_held_against_later_fetches(mirrored: Server) -> None:
    unknown = artifact(sha256="")
    path = fetch(unknown)
    record = json.loads(path.with_name("tiny.pth.json").read_text())
    assert record["sha256"] == artifact().sha256
    assert record["published"] is False
    path.unlink()
    mirrored.files["tiny.pth"] = WRONG
    with pytest.raises(ChecksumError):
        fetch(unknown)
    path.with_name("tiny.pth.json").unlink()
    assert fetch(unknown).read_bytes() == WRONG


def test_a_broken_record_is_written_anew(mirrored: Server) -> None:
    path = fetch(artifact())
    path.with_name("tiny.pth.json").write_text("{")
    assert fetch(artifact()) == path
    assert checksum.read_record(path.with_name("tiny.pth.json")) is not None


# Transfers that break off


def test_a_dropped_connection_goes_on_where_it_stopped(mirrored: Server) -> None:
    mirrored.cut_after, mirrored.cuts = 300_000, 2
    assert fetch(artifact()).read_bytes() == PAYLOAD
    ranges = [wanted for name, wanted in mirrored.asked if name == "/tiny.pth"]
    assert ranges == ["", "bytes=300000-", "bytes=600000-"]


def test_a_date_will_do_for_a_tag(mirrored: Server) -> None:
    mirrored.etag, mirrored.modified = 'W/"weak"', "Mon, 01 Jan 2024 00:00:00 GMT"
    mirrored.cut_after, mirrored.cuts = 300_000, 1
    assert fetch(artifact()).read_bytes() == PAYLOAD
    assert mirrored.asked[-1][1] == "bytes=300000-"


@pytest.mark.parametrize("change", [{"ranges": False}, {"etag": ""}])
def test_a_server_that_cannot_go_on_starts_over(mirrored: Server, change: dict[str, object]) -> None:
    vars(mirrored).update(change)
    mirrored.cut_after, mirrored.cuts = 300_000, 2
    assert fetch(artifact()).read_bytes() == PAYLOAD


def test_a_file_that_changed_on_the_server_is_not_glued_to_its_old_half(mirrored: Server) -> None:
    mirrored.files["tiny.pth"] = WRONG * 200
    mirrored.cut_after, mirrored.cuts = 300_000, 4
    mirrored.ranges = False
    with pytest.raises(FetchError, match="broke off after 300000"):
        fetch(artifact())
    mirrored.files["tiny.pth"], mirrored.etag, mirrored.ranges = PAYLOAD, '"two"', True
    assert fetch(artifact()).read_bytes() == PAYLOAD


def test_a_bad_old_half_is_thrown_away_once(mirrored: Server) -> None:
    path = artifact().path
    path.parent.mkdir(parents=True)
    part = path.with_name("tiny.pth.part")
    part.write_bytes(WRONG)
    version = {
        "url": f"{mirrored.url}/tiny.pth",
        "etag": '"one"',
        "modified": "",
        "total": len(PAYLOAD),
    }
    part.with_name("tiny.pth.part.json").write_text(json.dumps(version))
    assert fetch(artifact()).read_bytes() == PAYLOAD
    assert left_over(path) == ["tiny.pth", "tiny.pth.json"]


def test_busy_servers_are_asked_again(mirrored: Server) -> None:
    mirrored.files["weights/tiny.pth"] = PAYLOAD
    mirrored.status, mirrored.failures = 503, 2
    assert fetch(artifact()).read_bytes() == PAYLOAD
    assert len(mirrored.asked) == 3


KILLED = """
import sys, pathlib
from anytomy.zoo import download
real = download._copy
def slow(answer, part, start, advance):
    def report(done):
        advance(done)
        if done >= 500_000:
            print("half", flush=True)
            sys.stdin.read()
    return real(answer, part, start, report)
download._copy = slow
from anytomy.zoo.artifact import Artifact
from anytomy.zoo.store import fetch
fetch(Artifact(title="x", kind="weights", file="tiny.pth", sha256=sys.argv[1], bytes=1))
"""


def test_a_killed_process_leaves_a_part_that_the_next_one_uses(mirrored: Server) -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", KILLED, artifact().sha256],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert child.stdout is not None
    assert child.stdin is not None
    assert child.stdout.readline() == b"half\n"
    child.send_signal(signal.SIGKILL)
    child.wait()
    child.stdin.close()
    child.stdout.close()
    path = artifact().path
    assert not path.exists()
    size = path.with_name("tiny.pth.part").stat().st_size
    assert 0 < size < len(PAYLOAD)
    assert fetch(artifact()).read_bytes() == PAYLOAD
    assert mirrored.asked[-1] == ("/tiny.pth", f"bytes={size}-")


TOGETHER = """
import sys
from anytomy.zoo.artifact import Artifact
from anytomy.zoo.store import fetch
print(fetch(Artifact(title="x", kind="weights", file="tiny.pth", sha256=sys.argv[1])))
"""


def test_two_processes_fetch_once(mirrored: Server) -> None:
    mirrored.files["weights/tiny.pth"] = PAYLOAD
    children = [
        subprocess.Popen(
            [sys.executable, "-c", TOGETHER, artifact().sha256],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    for child in children:
        out, err = child.communicate(timeout=60)
        assert child.returncode == 0, err
        assert Path(out.strip()).read_bytes() == PAYLOAD
        assert err == ""
    assert len(mirrored.asked) == 1


def test_a_lock_that_is_never_released(
    mirrored: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    import filelock

    monkeypatch.setattr(store, "_LOCK_TIMEOUT_S", 0.1)
    path = artifact().path
    path.parent.mkdir(parents=True)
    with (
        filelock.FileLock(store.lock_path(path)),
        pytest.raises(FetchError, match="another process"),
    ):
        fetch(artifact())


# Refusals


def test_every_source_and_its_reason_are_listed(mirrored: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    mirrored.files.clear()
    monkeypatch.setenv("ANYTOMY_MIRROR", mirrored.url.replace("//", "//me:secret@"))
    monkeypatch.setattr(download, "_TRIES", 1)
    with pytest.raises(FetchError) as caught:
        fetch(artifact(url="https://127.0.0.1:1/tiny.pth", by_hand="ask a friend"))
    text = str(caught.value)
    assert "https://127.0.0.1:1/tiny.pth: no connection" in text
    assert "***@" in text
    assert "secret" not in text
    assert "ask a friend" in text
    assert "\n" not in text


def test_a_missing_file_is_not_asked_for_again(mirrored: Server) -> None:
    mirrored.files.clear()
    with pytest.raises(FetchError, match="HTTP 404"):
        fetch(artifact())
    assert len(mirrored.asked) == 2


def test_a_server_that_never_answers(mirrored: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "_TIMEOUT_S", 0.2)
    monkeypatch.setattr(download, "_TRIES", 1)
    get = mirrored.files.get

    class Slow(dict[str, bytes]):
        def get(self, name: str, default: object = None) -> bytes | None:  # type: ignore[override]
            time.sleep(0.5)
            return get(name)

    mirrored.files = Slow(mirrored.files)
    with pytest.raises(FetchError, match="no answer within"):
        fetch(artifact())


def test_a_web_page_is_not_a_file(mirrored: Server) -> None:
    mirrored.content_type = "text/html; charset=utf-8"
    with pytest.raises(FetchError, match="a web page"):
        fetch(artifact(sha256=""))
    assert left_over(artifact().path) == []


def test_plain_http_is_for_mirrors_only(server: Server, tmp_path: Path) -> None:
    server.files["tiny.pth"] = PAYLOAD
    with pytest.raises(FetchError, match="only https"):
        fetch(artifact(url=f"{server.url}/tiny.pth"))
    assert server.asked == []


def test_a_redirect_to_a_local_file_is_refused(mirrored: Server) -> None:
    mirrored.redirect = "ftp://127.0.0.1/tiny.pth"
    with pytest.raises(FetchError, match="redirects"):
        fetch(artifact())


def test_a_mirror_folder_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANYTOMY_MIRROR", "/nowhere/at/all")
    with pytest.raises(FetchError, match="no such folder"):
        fetch(artifact())


def test_offline_says_the_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANYTOMY_OFFLINE", "1")
    with pytest.raises(OfflineError) as caught:
        ensure("litemedsam")
    text = str(caught.value)
    assert "lite_medsam.pth" in text
    assert "unset ANYTOMY_OFFLINE" in text
    assert "ANYTOMY_MIRROR" in text
    assert "anytomy models add" in text


def test_offline_with_a_cached_file(mirrored: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    path = fetch(artifact())
    monkeypatch.setenv("ANYTOMY_OFFLINE", "1")
    assert fetch(artifact()) == path


def test_a_model_without_an_address_says_what_to_do() -> None:
    with pytest.raises(FetchError) as caught:
        ensure("sam_med2d")
    assert "no address is known" in str(caught.value)
    assert "by hand" in str(caught.value)
    assert "anytomy models add FILE --like sam_med2d" in str(caught.value)


Usage = namedtuple("Usage", "total used free")


def test_a_full_disk_is_seen_before_writing(mirrored: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10**9, 10**9, 1000))
    with pytest.raises(OutputError, match=r"expected 1\.0 MB of free disk space") as caught:
        fetch(artifact())
    assert "anytomy cache clear" in str(caught.value)


def test_a_disk_that_fills_up_meanwhile(mirrored: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    real = Path.open

    def opened(self: Path, mode: str = "r", *rest: object, **more: object) -> object:
        stream = real(self, mode, *rest, **more)  # type: ignore[call-overload]
        if self.name.endswith(".part"):
            stream.close()
            return FullFile(self)
        return stream

    monkeypatch.setattr(Path, "open", opened)
    with pytest.raises(OutputError, match="the disk is full"):
        fetch(artifact())


class FullFile:
    """A file that takes nothing."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __enter__(self) -> FullFile:
        return self

    def __exit__(self, *_: object) -> None: ...

    def seek(self, _: int) -> None: ...

    def truncate(self) -> None: ...

    def write(self, _: bytes) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")


def test_a_cache_that_cannot_be_made(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("ANYTOMY_CACHE", str(tmp_path / "file"))
    with pytest.raises(OutputError, match="ANYTOMY_CACHE"):
        fetch(artifact())


def test_the_artifact_lies_below_the_cache(tmp_path: Path) -> None:
    nested = Artifact(title="x", kind="samples", file="a/b.tif")
    assert nested.path == tmp_path / "cache" / "samples" / "a" / "b.tif"
