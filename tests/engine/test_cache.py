"""The embedding cache: caps, half precision on disk, spilling, and disks that misbehave."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from anytomy.engine import cache as module
from anytomy.engine.cache import EmbeddingCache, content_key

SIZE = 1024  # bytes of `array(...)`
KEYS = [f"{i:064x}" for i in range(20)]


def array(i: int) -> Any:
    return np.random.default_rng(i).normal(0, 1, (1, 4, 8, 8)).astype(np.float32)


class TestKey:
    def test_content_shape_type_and_context_count(self) -> None:
        picture = np.arange(12, dtype=np.uint8)
        keys = {
            content_key(picture.reshape(3, 4), "model"),
            content_key(picture.reshape(4, 3), "model"),
            content_key(picture.reshape(3, 4).view(np.int8), "model"),
            content_key(picture.reshape(3, 4) + 1, "model"),
            content_key(picture.reshape(3, 4), "other"),
            content_key(picture.reshape(3, 4), "mod", "el"),
        }
        assert len(keys) == 6

    def test_memory_order_does_not_count(self) -> None:
        picture = np.random.default_rng(0).integers(0, 256, (5, 7), dtype=np.uint8)
        assert content_key(np.asfortranarray(picture)) == content_key(picture)
        assert content_key(picture[::-1][::-1]) == content_key(picture)


class TestMemory:
    def test_the_least_recently_used_goes_first(self) -> None:
        cache = EmbeddingCache(memory_bytes=3 * SIZE)
        for i in range(3):
            cache.put(KEYS[i], array(i))
        assert cache.get(KEYS[0]) is not None
        cache.put(KEYS[3], array(3))
        there = [cache.get(key) is not None for key in KEYS[:4]]
        assert there == [True, False, True, True]

    def test_the_cap_holds(self) -> None:
        cache = EmbeddingCache(memory_bytes=3 * SIZE + 100)
        for i, key in enumerate(KEYS):
            cache.put(key, array(i))
            cache.put(key, array(i))  # twice is once
            assert sum(cache.get(k) is not None for k in KEYS) == min(i + 1, 3)

    @pytest.mark.parametrize("cap", [0, SIZE // 2])
    def test_the_latest_stays_whatever_its_size(self, cap: int) -> None:
        cache = EmbeddingCache(memory_bytes=cap)
        for i in range(3):
            cache.put(KEYS[i], array(i))
            np.testing.assert_array_equal(cache.get(KEYS[i]), array(i))
        assert cache.get(KEYS[0]) is None

    def test_without_a_folder_nothing_is_written(self, tmp_path: Path, monkeypatch: Any) -> None:
        monkeypatch.chdir(tmp_path)
        EmbeddingCache(memory_bytes=0).put(KEYS[0], array(0))
        assert not list(tmp_path.iterdir())


class TestDisk:
    def test_half_precision_and_for_the_next_process(self, tmp_path: Path) -> None:
        EmbeddingCache(directory=tmp_path / "new").put(KEYS[0], array(0))
        (path,) = (tmp_path / "new").iterdir()
        assert np.load(path).dtype == np.float16
        got = EmbeddingCache(directory=tmp_path / "new").get(KEYS[0])
        assert got is not None
        assert got.dtype == np.float32
        np.testing.assert_array_equal(got, array(0).astype(np.float16).astype(np.float32))

    def test_full_precision_if_wanted(self, tmp_path: Path) -> None:
        EmbeddingCache(directory=tmp_path, dtype="float32").put(KEYS[0], array(0))
        np.testing.assert_array_equal(EmbeddingCache(directory=tmp_path).get(KEYS[0]), array(0))

    def test_the_cap_holds_and_the_oldest_go_first(self, tmp_path: Path) -> None:
        one = 128 + SIZE // 2  # header and half precision
        cache = EmbeddingCache(directory=tmp_path, disk_bytes=3 * one, memory_bytes=0)
        for i in range(3):
            cache.put(KEYS[i], array(i))
            os.utime(tmp_path / f"{KEYS[i]}.npy", (1000 + i, 1000 + i))
        assert EmbeddingCache(directory=tmp_path).get(KEYS[0]) is not None  # used: now the youngest
        cache.put(KEYS[3], array(3))
        assert {p.stem for p in tmp_path.iterdir()} == {KEYS[0], KEYS[2], KEYS[3]}
        for i in range(4, 20):
            cache.put(KEYS[i], array(i))
            assert sum(p.stat().st_size for p in tmp_path.iterdir()) <= 3 * one

    def test_two_caches_on_one_folder_keep_to_one_cap(self, tmp_path: Path) -> None:
        one = 128 + SIZE // 2
        first, second = (EmbeddingCache(directory=tmp_path, disk_bytes=4 * one) for _ in range(2))
        for i in range(0, 20, 2):
            first.put(KEYS[i], array(i))
            second.put(KEYS[i + 1], array(i + 1))
        assert len(list(tmp_path.iterdir())) <= 8  # each counts its own; bounded by twice the cap

    @pytest.mark.parametrize("content", ["empty", "cut", "rubbish", "pickle"])
    def test_a_broken_file_is_ignored_and_replaced(self, tmp_path: Path, content: str) -> None:
        EmbeddingCache(directory=tmp_path).put(KEYS[0], array(0))
        path = tmp_path / f"{KEYS[0]}.npy"
        if content == "pickle":
            np.save(path, np.array([{}], dtype=object), allow_pickle=True)
        else:
            whole = path.read_bytes()
            path.write_bytes({"empty": b"", "cut": whole[: len(whole) // 2], "rubbish": b"x" * 500}[content])
        cache = EmbeddingCache(directory=tmp_path)
        assert cache.get(KEYS[0]) is None
        cache.put(KEYS[0], array(0))
        assert EmbeddingCache(directory=tmp_path).get(KEYS[0]) is not None

    def test_a_folder_that_cannot_be_written_costs_nothing(self, tmp_path: Path) -> None:
        blocked = tmp_path / "file"
        blocked.write_text("not a folder")
        cache = EmbeddingCache(directory=blocked / "inside")
        cache.put(KEYS[0], array(0))
        np.testing.assert_array_equal(cache.get(KEYS[0]), array(0))
        assert cache.get(KEYS[1]) is None

    def test_a_full_disk_costs_nothing_and_leaves_nothing(self, tmp_path: Path, monkeypatch: Any) -> None:
        def full(file: Any, *args: Any, **kwargs: Any) -> None:
            file.write(b"half of it")
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(module.np, "save", full)
        cache = EmbeddingCache(directory=tmp_path)
        cache.put(KEYS[0], array(0))
        assert cache.get(KEYS[0]) is not None
        assert not list(tmp_path.iterdir())

    def test_a_folder_of_others_is_read_all_the_same(self, tmp_path: Path, monkeypatch: Any) -> None:
        EmbeddingCache(directory=tmp_path).put(KEYS[0], array(0))

        def refuse(*args: Any, **kwargs: Any) -> None:
            raise PermissionError(1, "Operation not permitted")

        monkeypatch.setattr(module.os, "utime", refuse)
        assert EmbeddingCache(directory=tmp_path).get(KEYS[0]) is not None

    def test_two_processes_write_and_read_one_folder(self, tmp_path: Path) -> None:
        code = f"""
import sys; sys.path.insert(0, {str(Path(__file__).resolve().parents[2])!r})
from pathlib import Path
from tests.engine.test_cache import KEYS, array
from anytomy.engine.cache import EmbeddingCache
import numpy as np
cache = EmbeddingCache(memory_bytes=0, directory=Path({str(tmp_path)!r}), disk_bytes=6000, dtype="float32")
for turn in range(15):
    for i, key in enumerate(KEYS[:8]):
        cache.put(key, array(i))
        got = EmbeddingCache(directory=Path({str(tmp_path)!r})).get(KEYS[(i + 3) % 8])
        assert got is None or np.array_equal(got, array((i + 3) % 8))
"""
        runs = [subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE) for _ in range(2)]
        for run in runs:
            _, errors = run.communicate(timeout=60)
            assert run.returncode == 0, errors.decode()
        assert not list(tmp_path.glob("*.part"))


class TestSpilling:
    def test_what_falls_out_comes_back_in_full_precision(self, tmp_path: Path, monkeypatch: Any) -> None:
        monkeypatch.setattr(module.tempfile, "tempdir", str(tmp_path))
        cache = EmbeddingCache(memory_bytes=2 * SIZE)
        with cache.spilling():
            for i in range(6):
                cache.put(KEYS[i], array(i))
            for i in range(6):
                np.testing.assert_array_equal(cache.get(KEYS[i]), array(i))
            assert list(tmp_path.rglob("*.npy"))
        assert not list(tmp_path.iterdir())
        assert [cache.get(k) is not None for k in KEYS[:6]] == [False] * 4 + [True] * 2

    @pytest.mark.parametrize("cap", [0, SIZE // 2])
    def test_a_tiny_cap_spills_too(self, cap: int) -> None:
        cache = EmbeddingCache(memory_bytes=cap)
        with cache.spilling():
            for i in range(4):
                cache.put(KEYS[i], array(i))
            assert all(cache.get(KEYS[i]) is not None for i in range(4))

    def test_the_folder_goes_when_the_work_fails(self, tmp_path: Path, monkeypatch: Any) -> None:
        monkeypatch.setattr(module.tempfile, "tempdir", str(tmp_path))
        cache = EmbeddingCache(memory_bytes=0)

        def work() -> None:
            with cache.spilling():
                cache.put(KEYS[0], array(0))
                cache.put(KEYS[1], array(1))
                raise RuntimeError

        with pytest.raises(RuntimeError):
            work()
        assert not list(tmp_path.iterdir())
        cache.put(KEYS[2], array(2))  # spills no more
        assert not list(tmp_path.iterdir())

    def test_nothing_is_written_while_memory_lasts(self, tmp_path: Path, monkeypatch: Any) -> None:
        monkeypatch.setattr(module.tempfile, "tempdir", str(tmp_path))
        cache = EmbeddingCache()
        with cache.spilling():
            cache.put(KEYS[0], array(0))
            assert not list(tmp_path.rglob("*.npy"))


class TestResuming:
    def test_what_a_run_that_was_cut_off_encoded_is_there_for_the_next(self, tmp_path: Path) -> None:
        folder = tmp_path / "unfinished" / "a"

        def cut_off() -> None:
            cache = EmbeddingCache()
            with cache.resuming(folder):
                cache.put(KEYS[0], array(0))
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            cut_off()
        cache = EmbeddingCache()
        assert cache.get(KEYS[0]) is None
        with cache.resuming(folder):
            np.testing.assert_array_equal(cache.get(KEYS[0]), array(0))  # to the bit
            cache.put(KEYS[1], array(1))
        assert not folder.exists()
        cache.put(KEYS[2], array(2))  # keeps no more
        assert not folder.exists()

    def test_up_to_the_cap(self, tmp_path: Path) -> None:
        cache = EmbeddingCache(memory_bytes=0, disk_bytes=3 * SIZE)
        folder = tmp_path / "a"
        with cache.resuming(folder):
            for i in range(5):
                cache.put(KEYS[i], array(i))
            assert len(list(folder.glob("*.npy"))) == 2  # files have a header each
            with cache.spilling():
                for i in range(5, 9):
                    cache.put(KEYS[i], array(i))
                assert all(cache.get(KEYS[i]) is not None for i in range(5, 9))

    def test_what_is_kept_is_not_spilled_as_well(self, tmp_path: Path, monkeypatch: Any) -> None:
        (tmp_path / "temporary").mkdir()
        monkeypatch.setattr(module.tempfile, "tempdir", str(tmp_path / "temporary"))
        cache = EmbeddingCache(memory_bytes=0)
        with cache.resuming(tmp_path / "a"), cache.spilling():
            for i in range(3):
                cache.put(KEYS[i], array(i))
            assert not list((tmp_path / "temporary").rglob("*.npy"))
            assert all(cache.get(KEYS[i]) is not None for i in range(3))

    def test_what_nobody_came_back_for_is_removed_after_a_week(self, tmp_path: Path) -> None:
        parent = tmp_path / "unfinished"
        for name, days in (("old", 8), ("new", 6)):
            (parent / name).mkdir(parents=True)
            np.save(parent / name / f"{KEYS[0]}.npy", array(0))
            then = module.time.time() - days * 24 * 3600
            os.utime(parent / name, (then, then))
        with EmbeddingCache().resuming(parent / "mine"):
            assert [path.name for path in parent.iterdir()] == ["new"]

    def test_a_folder_that_cannot_be_made_costs_nothing_but_speed(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("in the way")
        cache = EmbeddingCache()
        with cache.resuming(tmp_path / "file" / "a"):
            cache.put(KEYS[0], array(0))
            assert cache.get(KEYS[0]) is not None
