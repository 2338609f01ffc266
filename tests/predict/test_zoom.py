"""Crops around boxes; when `auto` takes one is measured elsewhere."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from anytomy.core.errors import OptionError
from anytomy.engine.frame import PlanePrompt
from anytomy.engine.model import Decoded
from anytomy.predict.plane import decode_plane
from anytomy.predict.zoom import Zoom
from tests.engine.tiny import EVERYTHING, bright_model


@st.composite
def boxes(draw: Any) -> Any:
    height, width = draw(st.integers(1, 400)), draw(st.integers(1, 400))
    x0, y0 = draw(st.floats(0, width - 0.5)), draw(st.floats(0, height - 0.5))
    x1, y1 = draw(st.floats(x0 + 0.1, width + 0.1)), draw(st.floats(y0 + 0.1, height + 0.1))
    return (x0, y0, min(x1, width), min(y1, height)), (height, width)


@given(boxes(), st.one_of(st.just("auto"), st.floats(1, 20)))
def test_windows_lie_in_the_picture_and_hold_the_box(case: Any, text: Any) -> None:
    box, (height, width) = case
    assume(box[2] > box[0] and box[3] > box[1])
    windows = Zoom.parse(text).windows(box, (height, width))
    assert windows
    for window in windows:
        if window is None:
            continue
        x0, y0, x1, y1 = window
        assert all(isinstance(v, int) for v in window)
        assert 0 <= x0 < x1 <= width
        assert 0 <= y0 < y1 <= height
        assert (x1 - x0, y1 - y0) != (width, height)
        # A factor of 1 leaves no room to put the crop on whole pixels.
        slack = 1
        assert x0 - slack <= box[0]
        assert y0 - slack <= box[1]
        assert box[2] <= x1 + slack
        assert box[3] <= y1 + slack


def test_a_fixed_factor_is_a_square_of_so_many_boxes() -> None:
    assert Zoom.parse("2").windows((40, 50, 60, 60), (200, 200)) == ((30, 35, 70, 75),)
    assert Zoom.parse(2).windows((0, 0, 20, 10), (200, 200)) == ((0, 0, 40, 40),)
    assert Zoom.parse(2).windows((180, 190, 200, 200), (200, 200)) == ((160, 160, 200, 200),)
    assert Zoom.parse(2).windows((40, 50, 160, 60), (200, 200)) == (None,)
    assert Zoom.parse(2).windows((40, 5, 100, 20), (30, 200)) == ((10, 0, 130, 30),)


def test_auto_looks_closer_at_small_boxes_only() -> None:
    small, large = (100, 100, 116, 110), (100, 100, 150, 110)
    views = Zoom.parse("auto").windows(small, (256, 256))
    assert views == (None, (60, 57, 156, 153))  # 96 pixels at least
    assert Zoom.parse("auto").windows(large, (256, 256)) == (None,)
    # Small in the input of the model: four box sides.
    assert Zoom.parse("auto").windows(large, (1024, 1024)) == (None, (25, 5, 225, 205))


class _Scored:
    """A model that trusts a view by the size of its picture."""

    def __init__(self, scores: dict[int, float]) -> None:
        self.scores = scores

    def encode(self, picture: np.ndarray) -> Any:
        return picture

    def decode(self, embedding: Any, prompt: PlanePrompt) -> Decoded:
        return Decoded(np.ones(embedding.shape, np.float32), self.scores[embedding.shape[0]])


@pytest.mark.parametrize(
    ("scores", "chosen"),
    [
        ({256: 0.8, 96: 0.7}, 256),
        ({256: 0.8, 96: 0.82}, 256),  # the whole picture has a head start
        ({256: 0.8, 96: 0.84}, 96),
    ],
)
def test_auto_takes_the_view_that_the_model_trusts(scores: dict[int, float], chosen: int) -> None:
    picture = np.zeros((256, 256), np.uint8)
    prompt = PlanePrompt(box=(100, 100, 116, 110))
    decoded = decode_plane(_Scored(scores), picture, prompt, Zoom.parse("auto"))  # type: ignore[arg-type]
    assert decoded.score == scores[chosen]
    assert (decoded.logits > 0).sum() == chosen**2


def test_off_and_prompts_without_a_box_see_everything() -> None:
    assert Zoom.parse("off").windows((40, 50, 60, 60), (200, 200)) == (None,)
    assert Zoom.parse("3").windows(None, (200, 200)) == (None,)
    assert Zoom.parse("auto").windows(None, (200, 200)) == (None,)


@pytest.mark.parametrize("text", ["", "on", "0.5", "-2", "nan", "inf", "1e999", None, "2,5", (2,)])
def test_rubbish_is_refused(text: Any) -> None:
    with pytest.raises(OptionError, match="expected a zoom of off, auto or a factor"):
        Zoom.parse(text)


class TestDecodePlane:
    def picture(self, *rest: int) -> Any:
        out = np.zeros((150, 200, *rest), dtype=np.uint8)
        out[60:80, 90:125] = 255
        out[0, 0] = 255
        return out

    @pytest.mark.parametrize("rest", [(), (3,)])
    def test_logits_lie_on_the_whole_picture(self, rest: Any) -> None:
        picture, truth = self.picture(*rest), self.picture() > 0
        truth[0, 0] = False
        prompt = PlanePrompt(box=(88, 57, 128, 84))
        decoded = decode_plane(bright_model(), picture, prompt, Zoom.parse("1.5"))
        assert decoded.logits.shape == (150, 200)
        mask = decoded.logits > 0
        assert (mask & truth).sum() / (mask | truth).sum() > 0.9
        whole = decode_plane(bright_model(), picture, prompt, Zoom.parse("off")).logits > 0
        assert (mask & truth).sum() / (mask | truth).sum() > (whole & truth).sum() / (whole | truth).sum()

    def test_zoom_moves_with_the_picture(self) -> None:
        """A crop that does not touch the border gives the same logits wherever it lies."""
        model, zoom = bright_model(**EVERYTHING), Zoom.parse("2")
        mask = self.picture() > 0
        prompt = PlanePrompt(box=(88, 57, 128, 84), points=((100, 70),), mask=mask)
        first = decode_plane(model, self.picture(), prompt, zoom)
        by = (-17, 11)
        rolled = np.roll(self.picture(), by, axis=(0, 1))
        rolled[rolled.shape[0] + by[0], by[1]] = 0  # the corner pixel
        there = PlanePrompt(
            box=(88 + 11, 57 - 17, 128 + 11, 84 - 17),
            points=((111, 53),),
            mask=np.roll(mask, by, axis=(0, 1)),
        )
        second = decode_plane(model, rolled, there, zoom)
        assert first.score == second.score
        np.testing.assert_array_equal(np.roll(first.logits, by, axis=(0, 1)), second.logits)

    def test_outside_of_the_crop_is_outside(self) -> None:
        decoded = decode_plane(
            bright_model(), self.picture(), PlanePrompt(box=(88, 57, 128, 84)), Zoom.parse("1.2")
        )
        assert (decoded.logits[:30] == -100).all()
        assert decoded.logits.dtype == np.float32
