from __future__ import annotations

import numpy as np
import pytest

from anytomy.engine.frame import Frame
from anytomy.tuning.batches import low_mask
from anytomy.tuning.prompts import (
    PAD,
    Tokens,
    correction,
    first_prompt,
    first_tokens,
    learned_kinds,
    prompt_mix,
    rounds_of,
    stacked,
)
from tests.engine.tiny import EVERYTHING, LITEMEDSAM, card
from tests.tuning.conftest import quick

SQUARE = Frame.of((64, 64), 64, LITEMEDSAM)


def disc() -> np.ndarray:
    rows, columns = np.indices((64, 64))
    return np.hypot(rows - 30, columns - 25) < 8


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_boxes_grow_and_never_shrink() -> None:
    mask = disc()
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    tight = (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1)
    assert first_prompt("box", mask, 0, rng()).box == tight
    grown = [first_prompt("box", mask, 40, rng(seed)).box for seed in range(50)]
    for box in grown:
        assert box is not None
        outwards = np.subtract(box, tight) * (-1, -1, 1, 1)
        assert outwards.min() >= 0
        # 40 pixels at 1024 are 2.5 of these.
        assert outwards.max() <= 3
    assert len(set(grown)) > 10


@pytest.mark.parametrize("kind", ["points", "clicks"])
def test_points_lie_inside(kind: str) -> None:
    mask = disc()
    for seed in range(30):
        prompt = first_prompt(kind, mask, 0, rng(seed))
        assert prompt.box is None
        assert all(mask[int(y), int(x)] for x, y in prompt.points)
        assert set(prompt.labels) == {1}


def test_a_click_goes_into_what_is_wrong() -> None:
    target = disc()
    start = first_tokens(first_prompt("clicks", target, 0, rng()), SQUARE)
    assert start.labels.tolist() == [1, PAD]
    found = np.zeros_like(target)
    found[30:, :] = target[30:, :]
    found[50:60, 50:60] = True
    for seed in range(20):
        after = correction(start, found, target, rng(seed), frame=SQUARE)
        x, y = (round(float(v)) for v in after.coords[1])
        assert (found ^ target)[y, x]
        assert after.labels.tolist() == [1, int(target[y, x]), PAD]


def test_clicks_stand_before_the_corners_of_a_box() -> None:
    box = Tokens(np.zeros((2, 2), np.float32), np.array([2, 3], np.float32))
    assert box.with_click(5, 6, 0).labels.tolist() == [0, 2, 3]


def test_where_nothing_is_wrong_no_click_comes() -> None:
    start = Tokens(np.zeros((2, 2), np.float32), np.array([1, PAD], np.float32))
    assert correction(start, disc(), disc(), rng(), frame=SQUARE) is start


@pytest.mark.parametrize("shape", [(30, 64), (64, 30), (33, 100), (9, 900)])
def test_no_click_goes_into_the_padding(shape: tuple[int, int]) -> None:
    """Nobody can click there, whatever a model finds in it."""
    frame = Frame.of(shape, 256, LITEMEDSAM)
    start = Tokens(np.zeros((1, 2), np.float32), np.array([PAD], np.float32))
    everywhere, nothing = np.ones((64, 64), bool), np.zeros((64, 64), bool)
    for seed in range(50):
        click = correction(start, everywhere, nothing, rng(seed), frame=frame)
        x, y = click.coords[0]
        assert 0 <= x < frame.inner_width
        assert 0 <= y < frame.inner_height
    padding = everywhere.copy()
    padding[: -(-frame.inner_height // 4), : -(-frame.inner_width // 4)] = False
    assert correction(start, padding, nothing, rng(), frame=frame) is start


def test_low_masks_are_scaled_to_the_input() -> None:
    start = Tokens(np.zeros((1, 2), np.float32), np.array([PAD], np.float32))
    target = np.zeros((16, 16), bool)
    target[4, 10] = True
    after = correction(start, np.zeros_like(target), target, rng(), frame=SQUARE)
    assert after.coords[0].tolist() == [41.5, 17.5]


def test_batches_are_filled_up_with_padding() -> None:
    short = Tokens(np.ones((1, 2), np.float32), np.array([PAD], np.float32))
    coords, labels = stacked([short, short.with_click(3, 4, 1)])
    assert coords.shape == (2, 2, 2)
    assert labels.tolist() == [[PAD, PAD], [1, PAD]]


def test_the_mix_follows_what_the_base_has_learned() -> None:
    assert prompt_mix(quick(), card()) == {"box": 1.0}
    assert prompt_mix(quick(), card(**EVERYTHING)) == {"box": 0.5, "clicks": 0.5}
    assert prompt_mix(quick(prompts={"box": 3.0, "points": 1.0}), card()) == {"box": 0.75, "points": 0.25}


def test_the_card_says_what_was_trained() -> None:
    config = quick(rounds=3)
    assert learned_kinds({"box": 1.0}, config) == ("box",)
    assert learned_kinds({"box-clicks": 1.0}, config) == ("box", "points", "mask")
    assert learned_kinds({"clicks": 1.0}, quick(rounds=3, feed_mask=False)) == ("points",)
    assert learned_kinds({"clicks": 1.0}, quick(mode="promptable", routes=("box",))) == (
        "box",
        "points",
        "mask",
    )
    assert (rounds_of("box", config), rounds_of("points", config), rounds_of("clicks", config)) == (1, 1, 3)


def test_what_routes_answer_in_all_rounds_is_not_trained() -> None:
    asked = {"mode": "promptable", "prompts": {"box-clicks": 1.0, "clicks": 1.0}}
    assert set(prompt_mix(quick(**asked, routes=("box",)), card())) == {"box-clicks", "clicks"}
    assert set(prompt_mix(quick(**asked, routes=("box",), rounds=1), card())) == {"clicks"}
    # Without the mask of the round before, a further point is a prompt of points still.
    assert set(prompt_mix(quick(**asked, routes=("points",)), card())) == {"box-clicks", "clicks"}
    assert set(prompt_mix(quick(**asked, routes=("points",), feed_mask=False), card())) == {"box-clicks"}


def test_an_object_smaller_than_a_pixel_of_the_decoder_is_not_learned_as_nothing() -> None:
    mask = np.zeros((1500, 1500), bool)
    mask[403:408, 403:408] = True
    frame = Frame.of((1500, 1500), 256, LITEMEDSAM)
    assert 1 <= low_mask(mask, frame, 256).sum() <= 4
    whole = np.zeros((1500, 1500), bool)
    whole[300:900, 300:900] = True
    assert low_mask(whole, frame, 256).sum() == pytest.approx(whole.sum() * (256 / 1500) ** 2, rel=0.02)
