"""The whole way of somebody who annotates, in a real browser; `make test-browser`."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
from PIL import Image as Pillow

from tests.browser.conftest import Served
from tests.browser.person import Person
from tests.server.command import annotating
from tests.server.serving import SHAPE, ball_volume, unpacked

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]
Serve = Callable[..., Served]
Sit = Callable[..., Person]
TRUTH = ball_volume() > 500
BOX = (15, 10, 50, 40)


class Looking:
    """What the server has, apart from the page."""

    def __init__(self, served: Served, name: str) -> None:
        self._api = f"{served.address}api/v1"
        self._name = name

    def ask(self, path: str) -> Any:
        with urllib.request.urlopen(self._api + path, timeout=30) as answer:
            return json.loads(answer.read())

    @property
    def session(self) -> str:
        (case,) = [each for each in self.ask("/cases") if each["name"] == self._name]
        return str(case["sessions"][-1]["id"])

    def state(self) -> Any:
        return self.ask(f"/sessions/{self.session}")

    def voxels(self) -> dict[int, int]:
        return {label["id"]: label["voxels"] for label in self.state()["labels"]}

    def mask(self, label: int, slice_: int, shape: tuple[int, ...] = SHAPE[1:]) -> np.ndarray:
        answer = self.ask(f"/sessions/{self.session}/masks/z/{slice_}")
        found = [each for each in answer["patches"] if each["label"] == label]
        return unpacked(found[0], shape) if found else np.zeros(shape, dtype=bool)


def dice(one: np.ndarray, two: np.ndarray) -> float:
    return float(2 * np.count_nonzero(one & two) / (np.count_nonzero(one) + np.count_nonzero(two)))


def box(person: Person, x0: float, y0: float, x1: float, y1: float) -> None:
    person.page.keyboard.press("b")
    person.drag((x0, y0), (x1, y1))


def download(person: Person, kind: str, folder: Path) -> Path:
    """What the export dialog gives."""
    person.page.keyboard.press("Control+e")
    person.page.get_by_role("radio", name=kind, exact=False).first.check()
    with person.page.expect_download() as waiting:
        person.page.get_by_role("button", name="Download").click()
    path = folder / waiting.value.suggested_filename
    waiting.value.save_as(path)
    person.page.get_by_role("dialog").wait_for(state="hidden")
    return path


def test_a_volume_from_the_first_box_to_the_exported_file(serve: Serve, sit: Sit, tmp_path: Path) -> None:
    served = serve()
    person, there = sit(served.address), Looking(served, "ball.nii.gz")
    thumbnail = person.page.get_by_role("option", name="ball.nii.gz").locator("img")
    person.until(
        lambda: thumbnail.evaluate("image => image.complete && image.naturalWidth > 0"), "its picture"
    )
    person.picture("1 cases")
    person.open("ball.nii.gz")
    assert "not a medical device" in person.page.locator("footer").inner_text()

    box(person, *BOX)
    person.picture("2 box")
    slice_ = there.state()["prompts"][0]["slice"]
    assert dice(there.mask(1, slice_), TRUTH[slice_]) > 0.9
    before = there.mask(1, slice_)

    person.page.keyboard.press("p")
    person.click(34, 24)
    assert there.state()["prompts"][0]["points"]
    person.page.keyboard.press("o")
    person.click(5, 5)
    points = there.state()["prompts"][0]["points"]
    assert [kind for *_, kind in points] == [1, 0]
    assert np.allclose([points[0][:2], points[1][:2]], [[34, 24], [5, 5]], atol=1)
    person.picture("3 clicks")

    for _ in range(2):
        person.press("Control+z")
    assert np.array_equal(there.mask(1, slice_), before)
    person.press("Control+Shift+Z")
    assert len(there.state()["prompts"][0]["points"]) == 1
    person.press("Control+z")

    person.page.keyboard.press("f")
    person.until(lambda: np.count_nonzero(there.mask(1, slice_ + 3)) > 0, "the propagation")
    person.rest()
    person.picture("4 propagated")

    person.press(".")
    held = there.voxels()[1]
    person.page.keyboard.press("d")
    person.drag((4, 40), (12, 40))
    assert there.voxels()[1] > held
    person.picture("5 brush")
    person.page.keyboard.press("e")
    person.drag((1, 40), (16, 40))
    assert there.voxels()[1] == held

    person.press("Control+s")
    person.page.get_by_text("Saved", exact=True).wait_for()
    saved = nibabel.load(served.folder / "ball.labels.nii.gz")
    assert dice(np.asarray(saved.dataobj).transpose(2, 1, 0) == 1, TRUTH) > 0.9

    person.page.reload()
    person.page.locator("[data-plane]").first.wait_for()
    person.rest()
    person.picture("6 after reloading")
    assert there.voxels()[1] == held
    person.press("n")
    person.page.keyboard.press("Escape")
    person.page.keyboard.press("d")
    person.drag((50, 6), (58, 6))
    assert there.voxels()[2] > 0

    path = download(person, "NIfTI", tmp_path)
    found, image = nibabel.load(path), nibabel.load(served.folder / "ball.nii.gz")
    assert np.array_equal(found.affine, image.affine)
    assert found.shape == image.shape
    values = np.asarray(found.dataobj).transpose(2, 1, 0)
    assert dice(values == 1, TRUTH) > 0.9
    assert np.count_nonzero(values == 2) == there.voxels()[2]
    person.picture("7 exported")


def test_a_picture_is_exported_as_label_map_and_as_objects(serve: Serve, sit: Sit, tmp_path: Path) -> None:
    served = serve()
    person = sit(served.address)
    person.open("bar.png")
    box(person, 12, 7, 38, 23)
    person.picture("box")
    values = np.asarray(Pillow.open(download(person, "PNG", tmp_path)))
    truth = np.zeros((40, 50), dtype=bool)
    truth[10:20, 15:35] = True
    assert values.shape == truth.shape
    assert dice(values == 1, truth) > 0.9
    document = json.loads(download(person, "COCO", tmp_path).read_text())
    assert len(document["annotations"]) == 1
    x, y, width, height = document["annotations"][0]["bbox"]
    assert np.allclose([x, y, width, height], [15, 10, 20, 10], atol=1)


def test_a_model_of_boxes_only_offers_boxes_only_and_says_why(serve: Serve, sit: Sit) -> None:
    served = serve(default="tiny")
    person = sit(served.address)
    person.open("ball.nii.gz")
    person.page.get_by_text("Boxes only").first.wait_for()
    click = person.page.get_by_role("button", name="Click inside").first
    assert click.is_disabled() or click.get_attribute("aria-disabled") == "true"
    person.picture("boxes only")


def test_all_goes_by_keys_alone(serve: Serve, sit: Sit) -> None:
    served = serve()
    person, there = sit(served.address), Looking(served, "ball.nii.gz")
    person.page.get_by_role("option", name="ball.nii.gz").focus()
    person.press("Enter")
    person.page.locator("[data-plane]").first.wait_for()
    person.rest()
    keys = ("p", "ArrowRight", "Enter")  # the first arrow shows the cursor: in the middle, where the ball is
    for key in keys:
        person.press(key)
    few = there.voxels()[1]
    assert few > 0
    for key in ("d", *["Shift+ArrowLeft"] * 2, "Enter", "Shift+ArrowDown", "Enter"):
        person.press(key)
    assert there.voxels()[1] > few
    person.page.keyboard.press("?")
    overlay = person.page.get_by_role("dialog")
    overlay.wait_for()
    person.picture("keys")
    assert "Propagate" in overlay.inner_text()
    person.page.keyboard.press("Escape")
    overlay.wait_for(state="hidden")


def test_a_server_that_comes_back_finds_all_the_work(serve: Serve, sit: Sit) -> None:
    served = serve()
    person, there = sit(served.address), Looking(served, "ball.nii.gz")
    person.expected_faults = ("Failed to load resource", "ERR_CONNECTION_REFUSED")
    person.open("ball.nii.gz")
    box(person, *BOX)
    held = there.voxels()
    served.stop()
    person.page.keyboard.press("Control+z")
    person.page.get_by_text("No connection").first.wait_for()
    person.picture("no connection")
    served.start()
    person.page.get_by_text("No connection").first.wait_for(state="hidden")
    person.until(lambda: there.voxels() == {1: 0}, "what was under way when the server went")
    person.press("Control+Shift+Z")
    assert there.voxels() == held


@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_it_fits_a_small_screen_in_dark_and_light(serve: Serve, sit: Sit, scheme: str) -> None:
    served = serve()
    person = sit(served.address, color_scheme=scheme)
    person.open("ball.nii.gz")
    box(person, *BOX)
    person.page.keyboard.press("q")
    person.page.locator("[data-layout='four']").wait_for()
    person.page.wait_for_timeout(3000)
    person.picture("four panes")
    wide = person.page.evaluate(
        "[document.scrollingElement.scrollWidth, document.scrollingElement.scrollHeight]"
    )
    assert wide == [1280, 720]


@pytest.mark.slow
@pytest.mark.usefixtures("real_cache")
def test_the_command_with_the_real_model(sit: Sit, tmp_path: Path) -> None:
    """A box around an ellipse and a click into it, through `anytomy annotate` as people start it."""
    y, x = np.mgrid[:200, :240]
    truth = ((x - 130) / 60) ** 2 + ((y - 90) / 40) ** 2 < 1
    noise = np.random.default_rng(0).normal(0, 8, truth.shape)
    (tmp_path / "scans").mkdir()
    Pillow.fromarray(np.clip(60 + 110 * truth + noise, 0, 255).astype(np.uint8)).save(
        tmp_path / "scans/a.png"
    )
    with annotating(tmp_path / "scans") as address:
        person = sit(address)
        person.open("a.png")
        box(person, 66, 46, 194, 134)
        person.page.keyboard.press("p")
        person.click(130, 90)
        person.picture("box and click")
        values = np.asarray(Pillow.open(download(person, "PNG", tmp_path)))
    assert dice(values == 1, truth) > 0.9
