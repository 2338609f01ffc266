"""Embeddings that were computed once: in memory, and on disk where wanted."""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
import time
from collections import OrderedDict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

MEMORY_BYTES = 256 * 2**20
DISK_BYTES = 4 * 2**30
_FORGOTTEN_S = 7 * 24 * 3600.0


def content_key(pixels: NDArray[Any], *context: str) -> str:
    """Hash of a picture's content, shape and type, and of what else decides its embedding."""
    digest = hashlib.sha256("\0".join((str(pixels.shape), pixels.dtype.str, *context)).encode())
    digest.update(np.ascontiguousarray(pixels).data)
    return digest.hexdigest()


class EmbeddingCache:
    """Least recently used embeddings by content key.

    Args:
        memory_bytes: Kept in memory, in full precision; the latest one is kept whatever its size.
        directory: Where to keep them on disk as well; None for memory only.
        disk_bytes: Cap of the directory; the files that were used longest ago go first.
        dtype: Precision on disk. Half precision halves the size; logits then differ by about 0.005.
    """

    def __init__(
        self,
        memory_bytes: int = MEMORY_BYTES,
        directory: Path | None = None,
        disk_bytes: int = DISK_BYTES,
        dtype: str = "float16",
    ) -> None:
        self._memory: OrderedDict[str, NDArray[np.float32]] = OrderedDict()
        self._held = 0
        self._memory_bytes = memory_bytes
        self._directory = directory
        self._disk_bytes = disk_bytes
        self._dtype = np.dtype(dtype)
        self._on_disk: int | None = None
        self._spill: Path | None = None
        self._resumed: Path | None = None
        self._resumed_left = 0  # bytes

    @contextlib.contextmanager
    def spilling(self) -> Iterator[None]:
        """While this is open, what falls out of memory is kept in a temporary folder, in full precision.

        Inside of another one it is that one.
        """
        if self._spill is not None:
            yield
            return
        with tempfile.TemporaryDirectory(prefix="anytomy-", ignore_cleanup_errors=True) as folder:
            self._spill = Path(folder)
            try:
                yield
            finally:
                self._spill = None

    @contextlib.contextmanager
    def resuming(self, folder: Path) -> Iterator[None]:
        """While this is open, what is encoded is kept in a folder at once, in full precision.

        The folder stays when the block is left by an exception, and goes when it ends well. A run that was
        cut off so need not encode again, and gives to the bit what it would have given in one go.

        Args:
            folder: For one run, below one that is for such folders alone: those that nobody has touched for a
                week are removed.
        """
        _remove_old(folder.parent)
        held = sum(path.stat().st_size for path in folder.glob("*.npy"))
        self._resumed, self._resumed_left = folder, max(self._disk_bytes - held, 0)
        try:
            yield
            _remove(folder)
        finally:
            self._resumed = None

    def __contains__(self, key: str) -> bool:
        """Whether an embedding is here, without reading it."""
        if key in self._memory:
            return True
        folders = (self._spill, self._resumed, self._directory)
        return any(_path(folder, key).exists() for folder in folders if folder is not None)

    def get(self, key: str) -> NDArray[np.float32] | None:
        """The embedding, or None."""
        if key in self._memory:
            self._memory.move_to_end(key)
            return self._memory[key]
        for directory in (self._spill, self._resumed, self._directory):
            array = _read(directory, key)
            if array is not None:
                self._remember(key, array)
                return array
        return None

    def put(self, key: str, embedding: NDArray[np.float32]) -> None:
        """Keep an embedding; a full or read-only disk costs speed, nothing else."""
        self._remember(key, embedding)
        if self._resumed is not None and embedding.nbytes <= self._resumed_left:
            with contextlib.suppress(OSError):
                self._resumed_left -= _write(self._resumed, key, embedding)
        if self._directory is not None:
            with contextlib.suppress(OSError):
                size = _write(self._directory, key, embedding.astype(self._dtype))
                self._make_room(self._directory, size)

    def _remember(self, key: str, array: NDArray[np.float32]) -> None:
        if key in self._memory:
            return
        self._memory[key] = array
        self._held += array.nbytes
        # The latest one stays in any case: all objects of a slice ask for it one after the other.
        while self._held > self._memory_bytes and len(self._memory) > 1:
            old_key, oldest = self._memory.popitem(last=False)
            self._held -= oldest.nbytes
            if self._spill is not None and not self._is_kept(old_key):
                with contextlib.suppress(OSError):
                    _write(self._spill, old_key, oldest)

    def _is_kept(self, key: str) -> bool:
        """Whether an embedding is on disk in full precision."""
        folders = (self._spill, self._resumed)
        return any(_path(folder, key).exists() for folder in folders if folder is not None)

    def _make_room(self, directory: Path, added: int) -> None:
        if self._on_disk is not None and self._on_disk + added <= self._disk_bytes:
            self._on_disk += added
            return
        # Counted anew where it matters: other processes write and remove files here too.
        files = []
        for path in directory.glob("*.npy"):
            with contextlib.suppress(FileNotFoundError):
                status = path.stat()
                files.append((status.st_mtime_ns, status.st_size, path))
        self._on_disk = sum(size for _, size, _ in files)
        for _, size, path in sorted(files):
            if self._on_disk <= self._disk_bytes:
                break
            path.unlink(missing_ok=True)
            self._on_disk -= size


def _remove(folder: Path) -> None:
    """A folder of embeddings and nothing else; what others put there stays."""
    with contextlib.suppress(OSError):
        for path in [*folder.glob("*.npy"), *folder.glob("*.part")]:
            path.unlink(missing_ok=True)
        folder.rmdir()


def _remove_old(parent: Path) -> None:
    for folder in [path for path in parent.glob("*") if path.is_dir() and not path.is_symlink()]:
        with contextlib.suppress(OSError):
            # Each file that is written changes the folder's own time.
            if time.time() - folder.stat().st_mtime > _FORGOTTEN_S:
                _remove(folder)


def _path(directory: Path, key: str) -> Path:
    return directory / f"{key}.npy"


def _read(directory: Path | None, key: str) -> NDArray[np.float32] | None:
    if directory is None:
        return None
    path = _path(directory, key)
    try:
        array = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError):  # absent, or cut off by a crash
        return None
    with contextlib.suppress(OSError):  # a folder that others own is read all the same
        os.utime(path)
    return np.asarray(array, dtype=np.float32)


def _write(directory: Path, key: str, array: NDArray[Any]) -> int:
    """Write to a temporary name and rename; returns the file's size."""
    directory.mkdir(parents=True, exist_ok=True)
    path = _path(directory, key)
    partial = path.with_suffix(f".{os.getpid()}.part")
    try:
        with partial.open("wb") as file:
            np.save(file, array, allow_pickle=False)
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)
    return path.stat().st_size
