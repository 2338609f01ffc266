"""The page's picture in the README: `make annotate-picture`. The real model outlines a brain from one box."""

from __future__ import annotations

import io
import os
import sys
import tempfile
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image as Pillow

from tests.browser.browsers import chromium_here
from tests.browser.person import Person
from tests.server.command import annotating

if TYPE_CHECKING:
    from numpy.typing import NDArray

SIZE = {"width": 1280, "height": 720}
COLOURS = 96


def main(images: Path, target: Path) -> None:
    """Work as somebody would, and keep what is on the screen.

    Args:
        images: A folder with `mni152-t1.nii.gz` (`anytomy demo --images`).
        target: Where the picture goes.
    """
    with (
        tempfile.TemporaryDirectory() as output,
        annotating(images, "--output", output) as address,
        chromium_here() as browser,
    ):
        assert browser is not None, "there is no Chromium"
        person = Person(browser.new_context(viewport=SIZE, color_scheme="dark"), address, Path(output))
        shown = work(person, address)
        person.leave()
    picture = Pillow.open(io.BytesIO(shown)).convert("RGB").quantize(COLOURS, dither=Pillow.Dither.NONE)
    picture.save(target, optimize=True)
    sys.stderr.write(f"{target}: {os.path.getsize(target) // 1024} KiB\n")


def work(person: Person, address: str) -> bytes:
    """A box on the middle slice, carried through the volume; then all planes and 3D."""
    person.open("mni152-t1.nii.gz")
    slice_ = int(person.page.locator(".pane-name b").first.inner_text().split()[0]) - 1
    case = person.page.evaluate("fetch('/api/v1/cases').then((answer) => answer.json())")
    (id_,) = [each["id"] for each in case if each["name"] == "mni152-t1.nii.gz"]
    inside = levels(address, id_, slice_) > 0
    (top, bottom), (left, right) = ((where.min(), where.max() + 1) for where in np.nonzero(inside))
    person.page.keyboard.press("b")
    person.drag((float(left), float(top)), (float(right), float(bottom)))
    person.page.keyboard.press("f")
    person.page.get_by_text("Propagated through").wait_for(timeout=1_200_000)
    person.rest()
    person.page.keyboard.press("q")
    person.page.wait_for_timeout(8000)  # the 3D view comes last
    return bytes(person.page.screenshot())


def levels(address: str, case: str, slice_: int) -> NDArray[np.uint8]:
    """Grey levels of an axial slice as it is shown."""
    with urllib.request.urlopen(f"{address}api/v1/cases/{case}/slices/z/{slice_}?raw=1") as answer:
        shape = [int(n) for n in answer.headers["X-Shape"].split("x")]
        return np.frombuffer(answer.read(), dtype=np.uint8).reshape(shape)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
