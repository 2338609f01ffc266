"""The page in the README: `make annotate-picture`. The real model outlines nuclei from a box each."""

from __future__ import annotations

import io
import os
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image as Pillow

from anytomy.io.read import read
from anytomy.zoo.samples import sample
from tests.browser.browsers import chromium_here
from tests.browser.person import Person
from tests.server.command import annotating

SIZE = {"width": 1280, "height": 720}
QUALITY = 80
NUCLEI = 60


def main(images: Path, target: Path) -> None:
    """Work as somebody would, and keep what is on the screen.

    Args:
        images: A folder with the sample images (`anytomy demo --images`).
        target: Where the picture goes.
    """
    with (
        tempfile.TemporaryDirectory() as output,
        annotating(images, "--output", output) as address,
        chromium_here() as browser,
    ):
        assert browser is not None, "there is no Chromium"
        person = Person(browser.new_context(viewport=SIZE, color_scheme="dark"), address, Path(output))
        shown = work(person)
        person.leave()
    Pillow.open(io.BytesIO(shown)).convert("RGB").save(target, quality=QUALITY, optimize=True)
    sys.stderr.write(f"{target}: {os.path.getsize(target) // 1024} KiB\n")


def work(person: Person) -> bytes:
    """A box around each of some nuclei, all of one label; one of them corrected by a click."""
    person.open("nuclei2d.tif")
    person.press("n")
    person.page.locator("[role=radio][aria-checked=true]").press("F2")
    person.page.keyboard.type("nuclei")
    person.press("Enter")
    person.page.get_by_label("Each box is a part of its own").check()
    person.page.locator("[data-plane]").focus()
    person.page.keyboard.press("b")
    for x0, y0, x1, y1 in boxes():
        person.drag((x0, y0), (x1, y1))
    person.page.keyboard.press("p")
    person.click((x0 + x1) / 2, (y0 + y1) / 2)
    return bytes(person.page.screenshot())


def boxes() -> list[tuple[float, float, float, float]]:
    """The largest nuclei, from the ground truth of the sample; a picture is shown as it is stored."""
    truth = read(sample("nuclei2d-mask")).array
    ids, areas = np.unique(truth[truth > 0], return_counts=True)
    found = []
    for id_ in ids[np.argsort(-areas)][:NUCLEI]:
        rows, columns = np.nonzero(truth == id_)
        found.append((columns.min(), rows.min(), columns.max() + 1, rows.max() + 1))
    return [(float(x0), float(y0), float(x1), float(y1)) for x0, y0, x1, y1 in found]


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
