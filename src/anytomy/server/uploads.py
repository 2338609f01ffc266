"""Images that a client sends: decoded by a process of their own, kept as plain voxels.

A stranger's bytes are opened by a child process with bounds on memory, time and file size
(`upload_worker`); the server itself reads only what that writes: an array without pickles and a JSON file.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from anytomy.core.errors import AnytomyError, ImageReadError
from anytomy.core.geometry import Geometry
from anytomy.core.image import Image
from anytomy.server.problems import ConflictError, TooLargeError
from anytomy.server.upload_worker import tidy

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from anytomy.server.settings import Limits

PIXELS, ABOUT, RECEIVED = "pixels.npy", "about.json", "received"


def room_for_one(folder: Path, limits: Limits) -> None:
    """Refuse an upload before it is received.

    Raises:
        ConflictError: If there are too many.
    """
    held = sum(1 for each in folder.glob("*/") if each.is_dir())
    if held >= limits.uploads:
        raise ConflictError(f"{held} uploads are kept already, which is the most")


async def receive(stream: AsyncIterator[bytes], folder: Path, limits: Limits) -> Path:
    """Store what a client sends in a folder of its own, which is returned.

    Raises:
        TooLargeError: If it is too much; nothing is kept then.
    """
    place = _own_folder(folder)
    size = 0
    try:
        with (place / RECEIVED).open("wb") as file:
            async for part in stream:
                size += len(part)
                if size > limits.upload_bytes:
                    raise _too_large(limits)
                file.write(part)
    except BaseException:
        shutil.rmtree(place, ignore_errors=True)
        raise
    return place


def collect(files: Sequence[BinaryIO], folder: Path, limits: Limits) -> Path:
    """Store files that were received already in a folder of their own, which is returned.

    Several files are one DICOM series; their names are not kept.

    Raises:
        TooLargeError: If it is too much; nothing is kept then.
    """
    place = _own_folder(folder)
    received = place / RECEIVED
    size = 0
    try:
        if len(files) != 1:
            received.mkdir()
        for number, source in enumerate(files):
            with (received if len(files) == 1 else received / f"{number:05d}").open("wb") as target:
                while piece := source.read(2**20):
                    size += len(piece)
                    if size > limits.upload_bytes:
                        raise _too_large(limits)
                    target.write(piece)
    except BaseException:
        shutil.rmtree(place, ignore_errors=True)
        raise
    return place


def decode(place: Path, limits: Limits) -> Path:
    """Decode what was received; returns the folder of the upload, which is a case from then on.

    Raises:
        ImageReadError: If it is no image, or takes too much memory or time; nothing is kept then.
    """
    try:
        _decoded(place, limits)
        final = place.with_name(place.name.removeprefix("."))
        os.replace(place, final)
        return final
    except (AnytomyError, OSError, ValueError):
        shutil.rmtree(place, ignore_errors=True)
        raise


def decode_labels(place: Path, limits: Limits) -> Image:
    """Decode what was received as a label map; nothing is kept of it.

    Raises:
        ImageReadError: If it is none, or takes too much memory or time.
    """
    try:
        _decoded(place, limits, "labels")
        return read_upload(place)
    finally:
        shutil.rmtree(place, ignore_errors=True)


def take_bytes(place: Path) -> bytes:
    """The bytes of one file that was received; nothing is kept of it."""
    try:
        return (place / RECEIVED).read_bytes()
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _decoded(place: Path, limits: Limits, *more: str) -> None:
    command = [sys.executable, "-m", "anytomy.server.upload_worker", str(place)]
    command += [str(limits.decode_bytes), str(limits.decode_seconds), *more]
    single = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=2 * limits.decode_seconds,
            env={**os.environ, **single},
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise ImageReadError("the upload takes too long to decode") from None
    answer = json.loads(done.stdout or b"{}")
    if done.returncode != 0 or "error" in answer or not (place / ABOUT).is_file():
        raise ImageReadError(
            answer.get("error", "the upload takes more memory or time than is allowed to decode it"),
            hint="is it one image of a known kind? serve large ones from a folder",
        )
    tidy(place)


def _own_folder(folder: Path) -> Path:
    place = folder / f".{secrets.token_hex(16)}"
    place.mkdir(parents=True, mode=0o700)
    return place


def _too_large(limits: Limits) -> TooLargeError:
    return TooLargeError(f"expected an upload of at most {limits.upload_bytes // 2**20} MiB")


def read_upload(path: Path) -> Image:
    """The image of a decoded upload.

    Raises:
        ImageReadError: If its files are gone or damaged.
    """
    try:
        about = json.loads((path / ABOUT).read_text(encoding="utf-8"))
        geometry = Geometry(
            size_xyz=tuple(about["size_xyz"]),
            spacing_xyz_mm=tuple(about["spacing_xyz_mm"]),
            origin_lps_mm=tuple(about["origin_lps_mm"]),
            direction=about["direction"],
        )
        return Image(
            array=np.load(path / PIXELS, allow_pickle=False),
            geometry=geometry,
            is_volume=about["is_volume"],
            modality=about["modality"],
            format="" if about["is_volume"] else about["format"],
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ImageReadError("the upload is damaged", hint="send it again") from error
