"""What a person does at the page: `Person`."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

WAIT_S = 60.0
_REPORT_VIOLATIONS = """
addEventListener('securitypolicyviolation', (event) =>
  console.error(`policy violated: ${event.violatedDirective} ${event.blockedURI}`));
"""
_PLACE = re.compile(r"x (-?\d+), y (-?\d+)")


class Person:
    """Sits at a page, works with mouse and keys, and keeps what went wrong.

    Args:
        context: Of the browser, with its own storage.
        address: Of the page.
        pictures: Folder for pictures of the screen.

    Attributes:
        page: Of Playwright.
        faults: Requests to other hosts, violations of the content security policy, errors of scripts.
    """

    def __init__(self, context: Any, address: str, pictures: Path) -> None:
        self.page: Any = context.new_page()
        self.page.set_default_timeout(WAIT_S * 1000)
        self.faults: list[str] = []
        self.expected_faults: tuple[str, ...] = ()
        self._context = context
        self._address = address
        self._pictures = pictures
        self._host = urlsplit(address).netloc
        self.page.add_init_script(_REPORT_VIOLATIONS)
        self.page.on("request", self._watch)
        self.page.on("console", lambda said: self._hear(said.type, said.text))
        self.page.on("pageerror", lambda error: self.faults.append(f"error: {error}"))
        self.page.goto(address)

    def _watch(self, request: Any) -> None:
        parts = urlsplit(request.url)
        if parts.scheme not in ("blob", "data") and parts.netloc != self._host:
            self.faults.append(f"a request to another host: {request.url}")

    def _hear(self, kind: str, text: str) -> None:
        if kind == "error" or "Content Security Policy" in text:
            self.faults.append(text)

    def leave(self) -> None:
        """Close the page; it must have done nothing that it should not."""
        self._context.close()
        faults = [each for each in self.faults if not any(part in each for part in self.expected_faults)]
        assert not faults, faults

    def picture(self, name: str) -> None:
        """Keep what is on the screen."""
        self._pictures.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=self._pictures / f"{name}.png")

    # -- cases and keys ------------------------------------------------------------------------------

    def open(self, name: str) -> None:
        """Choose a case."""
        self.page.get_by_role("option", name=name).click()
        self.page.locator("[data-plane]").first.wait_for()
        self.rest()

    def press(self, key: str) -> None:
        """A key, and wait until what it did is done."""
        self.page.keyboard.press(key)
        self.rest()

    def rest(self) -> None:
        """Wait until nothing is under way."""
        self.page.locator("[data-pending='0'][data-connected]").wait_for()
        self.page.wait_for_timeout(50)
        self.page.locator("[data-pending='0'][data-connected]").wait_for()

    def until(self, true: Callable[[], bool], what: str) -> None:
        """Wait for something."""
        end = time.monotonic() + WAIT_S
        while not true():
            assert time.monotonic() < end, f"waited for: {what}"
            self.page.wait_for_timeout(50)

    # -- at the picture ------------------------------------------------------------------------------

    def at(self, x: float, y: float) -> tuple[float, float]:
        """Where a pixel of the slice is on the screen, as the line at the bottom says it."""
        (left, top, x0, y0), (right, bottom, x1, y1) = self._read(0.25), self._read(0.75)
        return left + (x - x0) * (right - left) / (x1 - x0), top + (y - y0) * (bottom - top) / (y1 - y0)

    def _read(self, share: float) -> tuple[float, float, int, int]:
        """A place on the screen, at a share of the way through the pane, and its pixel."""
        box = self.page.locator("[data-plane]").first.bounding_box()
        side = min(box["width"], box["height"])
        left = box["x"] + box["width"] / 2 + (share - 0.5) * side
        top = box["y"] + box["height"] / 2 + (share - 0.5) * side
        place = self.page.locator(".place")
        self.page.mouse.move(2, 2)  # out of the picture, so that what is read is not an earlier place
        self.until(lambda: not place.inner_text(), "no place under the mouse")
        self.page.mouse.move(left, top)
        self.until(lambda: _PLACE.search(place.inner_text()) is not None, "a place under the mouse")
        found = _PLACE.search(place.inner_text())
        assert found is not None
        return left, top, int(found[1]), int(found[2])

    def drag(self, *pixels: tuple[float, float]) -> None:
        """Press the mouse at the first of some pixels of the slice, move over the others, let go."""
        places = [self.at(*pixel) for pixel in pixels]
        self.page.mouse.move(*places[0])
        self.page.mouse.down()
        for place in places[1:]:
            self.page.mouse.move(*place, steps=5)
        self.page.mouse.up()
        self.rest()

    def click(self, x: float, y: float, **options: Any) -> None:
        """Click on a pixel of the slice."""
        self.page.mouse.click(*self.at(x, y), **options)
        self.rest()
