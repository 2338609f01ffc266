"""From a picture to the model's input and back."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from anytomy.core.errors import ImageReadError, PromptError
from anytomy.engine.frame import Frame, PlanePrompt, shifted
from anytomy.engine.resample import resize_area
from tests.engine.tiny import LITEMEDSAM, MEDSAM, SAM

PREPROCESSES = {"litemedsam": LITEMEDSAM, "sam": SAM, "medsam": MEDSAM}
shapes = st.tuples(st.integers(1, 700), st.integers(1, 700))


@given(shapes, st.sampled_from([64, 256, 1024]))
def test_padding_keeps_the_longest_side(shape: tuple[int, int], size: int) -> None:
    frame = Frame.of(shape, size, LITEMEDSAM)
    scale = size / max(shape)
    assert max(frame.inner_height, frame.inner_width) == size
    assert frame.inner_height == max(int(shape[0] * scale + 0.5), 1)
    assert frame.inner_width == max(int(shape[1] * scale + 0.5), 1)


@given(shapes)
def test_stretching_fills_the_input(shape: tuple[int, int]) -> None:
    frame = Frame.of(shape, 256, MEDSAM)
    assert (frame.inner_height, frame.inner_width) == (256, 256)


class TestPixels:
    def test_litemedsam_steps(self) -> None:
        picture = np.random.default_rng(0).integers(20, 200, (100, 60), dtype=np.uint8)
        pixels = Frame.of((100, 60), 64, LITEMEDSAM).pixels(picture, LITEMEDSAM)
        small = resize_area(picture, (64, 38)).astype(float)
        expected = (small - small.min()) / (small.max() - small.min())
        assert pixels.shape == (1, 3, 64, 64)
        assert pixels.dtype == np.float32
        for channel in pixels[0]:
            np.testing.assert_allclose(channel[:, :38], expected, atol=1e-6)
            assert (channel[:, 38:] == 0).all()

    def test_minmax_is_over_all_colours(self) -> None:
        picture = np.stack([np.full((64, 64), v, np.uint8) for v in (10, 60, 110)], axis=-1)
        pixels = Frame.of((64, 64), 64, LITEMEDSAM).pixels(picture, LITEMEDSAM)
        np.testing.assert_allclose(pixels[0, :, 0, 0], [0, 0.5, 1])

    def test_minmax_of_a_constant_picture_is_zero(self) -> None:
        pixels = Frame.of((30, 20), 64, LITEMEDSAM).pixels(np.full((30, 20), 77, np.uint8), LITEMEDSAM)
        assert (pixels == 0).all()

    def test_sam_steps_agree_with_hugging_face(self) -> None:
        transformers = pytest.importorskip("transformers")
        processor = transformers.SamImageProcessor(
            size={"longest_edge": 96}, pad_size={"height": 96, "width": 96}
        )
        picture = np.random.default_rng(0).integers(0, 256, (71, 55, 3), dtype=np.uint8)
        theirs = np.asarray(processor(picture, return_tensors="np")["pixel_values"])
        ours = Frame.of((71, 55), 96, SAM).pixels(picture, SAM)
        assert ours.shape == theirs.shape
        assert np.abs(ours - theirs).max() < 0.02  # a grey level is 0.017 of a deviation

    def test_mean_and_deviation_per_colour_before_padding(self) -> None:
        picture = np.zeros((10, 20, 3), dtype=np.uint8)
        pixels = Frame.of((10, 20), 64, SAM).pixels(picture, SAM)
        np.testing.assert_allclose(
            pixels[0, :, 0, 0], [-m / s for m, s in zip(SAM.mean, SAM.std, strict=True)], rtol=1e-6
        )
        assert (pixels[0, :, 32:] == 0).all()

    def test_nearest(self) -> None:
        how = replace(MEDSAM, resize="nearest")
        picture = np.array([[0, 255]], dtype=np.uint8)
        pixels = Frame.of((1, 2), 64, how).pixels(picture, how)
        assert (pixels[0, :, :, :32] == 0).all()
        assert (pixels[0, :, :, 32:] == 1).all()

    @pytest.mark.parametrize("picture", [
        np.zeros((4, 4)), np.zeros((4, 4, 4), np.uint8), np.zeros(4, np.uint8), np.zeros((0, 4), np.uint8),
    ])  # fmt: skip
    def test_what_is_not_a_picture_is_refused(self, picture: Any) -> None:
        frame = Frame.of((4, 4), 64, LITEMEDSAM)
        with pytest.raises(ImageReadError, match=r"expected uint8 of shape \(y, x\)"):
            frame.pixels(picture, LITEMEDSAM)


class TestTokens:
    def test_a_box_is_given_with_its_exclusive_end(self) -> None:
        frame = Frame.of((64, 64), 64, SAM)
        coords, labels = frame.tokens(PlanePrompt(box=(3, 5, 20, 41)))
        np.testing.assert_array_equal(coords, [[[3, 5], [20, 41]]])
        np.testing.assert_array_equal(labels, [[2, 3]])
        assert coords.dtype == labels.dtype == np.float32

    @given(shapes, st.data())
    def test_the_authors_truncate(self, shape: tuple[int, int], data: Any) -> None:
        """`resize_box_to_256`: int(corner * 256 / longest side)."""
        x0, x1 = sorted(data.draw(st.integers(0, shape[1] - 1)) for _ in range(2))
        y0, y1 = sorted(data.draw(st.integers(0, shape[0] - 1)) for _ in range(2))
        coords, _ = Frame.of(shape, 256, LITEMEDSAM).tokens(PlanePrompt(box=(x0, y0, x1, y1)))
        ratio = 256 / max(shape)
        assert coords.ravel().tolist() == [int(v * ratio) for v in (x0, y0, x1, y1)]

    @given(shapes, st.data())
    def test_sam_scales_by_the_rounded_sizes(self, shape: tuple[int, int], data: Any) -> None:
        """`ResizeLongestSide.apply_coords`."""
        point = data.draw(st.tuples(st.floats(0, shape[1]), st.floats(0, shape[0])))
        frame = Frame.of(shape, 1024, SAM)
        coords, _ = frame.tokens(PlanePrompt(points=(point,)))
        expected = [point[0] * (frame.inner_width / shape[1]), point[1] * (frame.inner_height / shape[0])]
        np.testing.assert_allclose(coords[0, 0], expected, rtol=1e-6, atol=1e-6)

    def test_points_come_before_the_box_and_a_pad_point_where_there_is_none(self) -> None:
        frame = Frame.of((128, 64), 64, SAM)
        points = {"points": ((10, 20), (30, 40)), "labels": (1, 0)}
        coords, labels = frame.tokens(PlanePrompt(box=(0, 0, 64, 128), **points))
        np.testing.assert_array_equal(labels, [[1, 0, 2, 3]])
        np.testing.assert_array_equal(coords[0, :2], [[5, 10], [15, 20]])
        coords, labels = frame.tokens(PlanePrompt(**points))
        np.testing.assert_array_equal(labels, [[1, 0, -1]])
        np.testing.assert_array_equal(coords[0, 2], [0, 0])

    def test_labels_fit_the_points(self) -> None:
        assert PlanePrompt(points=((1, 2), (3, 4))).labels == (1, 1)
        with pytest.raises(PromptError, match="one label for each of 2 points"):
            PlanePrompt(points=((1, 2), (3, 4)), labels=(1,))

    @given(shapes, st.sampled_from(list(PREPROCESSES)), st.sampled_from([64, 256, 1024]), st.data())
    def test_box_from_input_is_undone_by_tokens(
        self, shape: tuple[int, int], name: str, size: int, data: Any
    ) -> None:
        frame = Frame.of(shape, size, PREPROCESSES[name])
        x0, x1 = sorted(data.draw(st.integers(0, size)) for _ in range(2))
        y0, y1 = sorted(data.draw(st.integers(0, size)) for _ in range(2))
        coords, _ = frame.tokens(PlanePrompt(box=frame.box_from_input(x0, y0, x1, y1)))
        if frame.integer_boxes:
            assert coords.ravel().tolist() == [x0, y0, x1, y1]
        else:
            np.testing.assert_allclose(coords.ravel(), [x0, y0, x1, y1], atol=1e-3)


class TestMaskInput:
    def test_logits_in_the_padded_frame(self) -> None:
        mask = np.zeros((100, 50), dtype=bool)
        mask[:50, :25] = True
        frame = Frame.of((100, 50), 64, SAM)
        got = frame.mask_input(mask, 16)
        assert got.shape == (1, 1, 16, 16)
        expected = np.full((16, 16), -10.0)
        expected[:8, :4] = 10
        np.testing.assert_allclose(got[0, 0], expected)

    def test_a_part_of_a_cell_is_between(self) -> None:
        mask = np.zeros((64, 64), dtype=bool)
        mask[:2, :4] = True
        got = Frame.of((64, 64), 64, MEDSAM).mask_input(mask, 16)
        assert abs(got[0, 0, 0, 0]) < 0.1
        assert (got[0, 0, 1:] == -10).all()

    def test_another_shape_is_refused(self) -> None:
        with pytest.raises(PromptError, match=r"\(64, 32\).*got \(32, 64\)"):
            Frame.of((64, 32), 64, SAM).mask_input(np.ones((32, 64), bool), 16)


class TestLogits:
    @given(
        st.tuples(st.integers(1, 90), st.integers(1, 90)), st.sampled_from(list(PREPROCESSES)), st.booleans()
    )
    def test_torch_does_the_same(self, shape: tuple[int, int], name: str, quarter: bool) -> None:
        """LiteMedSAM's masks have the input's size; SAM's are enlarged to it, cropped, and resized again."""
        frame = Frame.of(shape, 64, PREPROCESSES[name])
        low = np.random.default_rng(0).normal(0, 8, (16, 16) if quarter else (64, 64)).astype(np.float32)
        tensor = torch.from_numpy(low)[None, None]
        how: dict[str, Any] = {"mode": "bilinear", "align_corners": False}
        if quarter:
            tensor = torch.nn.functional.interpolate(tensor, size=(64, 64), **how)
        tensor = tensor[..., : frame.inner_height, : frame.inner_width]
        expected = torch.nn.functional.interpolate(tensor, size=shape, **how)[0, 0].numpy()
        np.testing.assert_allclose(frame.logits(low), expected, atol=1e-3)
        rows, columns = frame.logit_weights(len(low))
        np.testing.assert_allclose(rows @ low @ columns.T, frame.logits(low), atol=1e-3)


def test_shifting_moves_everything_into_the_crop() -> None:
    mask = np.zeros((20, 30), dtype=bool)
    mask[12, 15] = True
    prompt = PlanePrompt(box=(12, 11, 18, 16), points=((15, 12),), labels=(0,), mask=mask)
    moved = shifted(prompt, (10, 8, 25, 19))
    assert moved.box == (2, 3, 8, 8)
    assert moved.points == ((5, 4),)
    assert moved.labels == (0,)
    assert moved.mask is not None
    assert moved.mask.shape == (11, 15)
    assert moved.mask[4, 5]
    assert prompt.kinds == moved.kinds == ("box", "points", "mask")
