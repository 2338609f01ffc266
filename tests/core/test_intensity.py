from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from anytomy.core.errors import ImageReadError, OptionError
from anytomy.core.image import Image
from anytomy.core.intensity import (
    CT_WINDOWS,
    GreyScale,
    IntensityPolicy,
    choose_policy,
    modality_of,
    nonzero_percentiles,
    value_range,
)

CARD = {"CT": "ct:soft", "8-bit": "none", "default": "percentile:0.5,99.5"}
shapes = st.tuples(st.integers(1, 4), st.integers(1, 6), st.integers(4, 6))
percents = st.tuples(st.floats(0, 100), st.floats(0, 100))
numbers = st.floats(-1e5, 1e5, allow_nan=False)


def volume(array: np.ndarray) -> Image:
    return Image.from_array(array, is_volume=True)


def reference_percentiles(array: np.ndarray, wanted: tuple[float, ...]) -> np.ndarray:
    values = array[(array != 0) & np.isfinite(array)].astype(np.float64)
    return np.percentile(values, wanted) if values.size else np.zeros(len(wanted))


class TestParse:
    @pytest.mark.parametrize("preset", CT_WINDOWS)
    def test_ct_presets_are_their_windows(self, preset: str) -> None:
        width, level = CT_WINDOWS[preset]
        policy = IntensityPolicy.parse(f"ct:{preset}")
        assert (policy.kind, policy.high - policy.low, (policy.high + policy.low) / 2) == (
            "window",
            width,
            level,
        )

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("none", ("none", 0, 255, "none")),
            ("window:400,40", ("window", -160, 240, "window:400,40")),
            (" Window: 400 , -40.5 ", ("window", -240.5, 159.5, "window:400,-40.5")),
            ("percentile:0.5,99.5", ("percentile", 0.5, 99.5, "percentile:0.5,99.5")),
            ("percentile:0,100", ("percentile", 0, 100, "percentile:0,100")),
        ],
    )
    def test_the_grammar(self, text: str, expected: tuple[object, ...]) -> None:
        policy = IntensityPolicy.parse(text)
        assert (policy.kind, policy.low, policy.high, policy.text) == expected

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "auto",
            "ct",
            "ct:",
            "ct:heart",
            "ct:400,40",
            "none:1",
            "window",
            "window:400",
            "window:0,40",
            "window:-400,40",
            "window:400,40,1",
            "window:a,b",
            "window:inf,0",
            "window:nan,0",
            "window:400,nan",
            "percentile:5",
            "percentile:99,1",
            "percentile:5,5",
            "percentile:-1,50",
            "percentile:1,101",
            "percentile:nan,50",
            "level:1,2",
            "window 400,40",
            "1,2",
        ],
    )
    def test_anything_else_is_refused_with_what_is_possible(self, text: str) -> None:
        with pytest.raises(OptionError, match=r"ct:soft.*window:WIDTH,LEVEL.*percentile:LOW,HIGH"):
            IntensityPolicy.parse(text)

    @given(st.floats(1e-6, 1e6), numbers)
    def test_the_text_of_a_window_gives_the_same_window(self, width: float, level: float) -> None:
        policy = IntensityPolicy.parse(f"window:{width!r},{level!r}")
        assert IntensityPolicy.parse(policy.text) == policy

    @given(percents.filter(lambda pair: pair[0] < pair[1]))
    def test_the_text_of_percentiles_gives_the_same_percentiles(self, pair: tuple[float, float]) -> None:
        policy = IntensityPolicy.parse(f"percentile:{pair[0]!r},{pair[1]!r}")
        assert IntensityPolicy.parse(policy.text) == policy


class TestPercentiles:
    @pytest.mark.parametrize(
        "dtype", ["u1", "i1", "i2", "u2", ">i2", ">u2", "i4", "u4", "i8", "u8"], ids=lambda d: np.dtype(d).str
    )
    @given(data=st.data(), wanted=percents)
    def test_whole_numbers(self, dtype: str, data: st.DataObject, wanted: tuple[float, ...]) -> None:
        array = data.draw(hnp.arrays(dtype, shapes))
        np.testing.assert_allclose(
            nonzero_percentiles(volume(array), wanted), reference_percentiles(array, wanted), rtol=1e-12
        )

    @pytest.mark.parametrize("dtype", ["f2", "f4", ">f4", "f8", ">f8"], ids=lambda d: np.dtype(d).str)
    @given(data=st.data(), wanted=percents)
    def test_real_numbers_with_nan_and_infinity(
        self, dtype: str, data: st.DataObject, wanted: tuple[float, ...]
    ) -> None:
        width = 8 * np.dtype(dtype).itemsize
        limit = {16: 1e4, 32: 2.0**99, 64: 1e150}[width]
        values = st.floats(-limit, limit, width=width) | st.sampled_from([np.nan, np.inf, -np.inf, 0.0, -0.0])
        array = data.draw(hnp.arrays(dtype, shapes, elements=values))
        if not np.isfinite(array).any():
            with pytest.raises(ImageReadError, match="no finite value"):
                nonzero_percentiles(volume(array), wanted)
            return
        found, expected = nonzero_percentiles(volume(array), wanted), reference_percentiles(array, wanted)
        np.testing.assert_allclose(
            found, expected, rtol=1e-9, atol=1e-12 * float(np.nanmax(np.abs(expected)))
        )

    @pytest.mark.parametrize("outlier", [1e30, -1e30, 3e38])
    def test_huge_outliers_change_nothing_else(self, outlier: float) -> None:
        array = np.random.default_rng(0).normal(100, 20, (5, 40, 40)).astype(np.float32)
        array[2, 3, 4] = outlier
        found = nonzero_percentiles(volume(array), (0.5, 50.0, 99.5))
        np.testing.assert_allclose(found, reference_percentiles(array, (0.5, 50.0, 99.5)), rtol=1e-12)

    def test_constants_and_zeros(self) -> None:
        assert nonzero_percentiles(volume(np.full((2, 3, 4), 7)), (0.5, 99.5)) == (7, 7)
        assert nonzero_percentiles(volume(np.zeros((2, 3, 4))), (0.5, 99.5)) == (0, 0)
        one = np.zeros((2, 3, 4), dtype=np.int16)
        one[1, 2, 3] = -5
        assert nonzero_percentiles(volume(one), (0, 50, 100)) == (-5, -5, -5)

    def test_planes_of_any_memory_layout(self) -> None:
        array = np.random.default_rng(1).normal(size=(4, 5, 6)).astype(np.float32)
        expected = nonzero_percentiles(volume(array), (10, 90))
        for other in (np.asfortranarray(array), array[::-1, :, ::-1]):
            assert nonzero_percentiles(volume(other), (10, 90)) == expected

    @pytest.mark.parametrize("outlier", [0, 1e30])
    def test_memory_is_that_of_a_slice(self, outlier: float) -> None:
        array = np.random.default_rng(2).normal(size=(48, 256, 256)).astype(np.float32)
        array[0, 0, 0] = outlier
        image = volume(array)
        tracemalloc.start()
        nonzero_percentiles(image, (0.5, 99.5))
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < array.nbytes / 2


class TestFitAndApply:
    @given(hnp.arrays(np.float64, shapes, elements=numbers), st.floats(1, 4000), st.floats(-1000, 1000))
    def test_a_window_is_its_formula(self, array: np.ndarray, width: float, level: float) -> None:
        grey = IntensityPolicy.parse(f"window:{width!r},{level!r}").fit(volume(array)).apply(array)
        low, high = level - width / 2, level + width / 2
        expected = (np.clip(array, low, high) - low) / (high - low) * 255.0
        np.testing.assert_array_equal(grey, np.floor(expected).astype(np.uint8))

    def test_a_window_of_hu(self) -> None:
        scale = IntensityPolicy.parse("ct:soft").fit(volume(np.zeros((1, 2, 4), np.int16)))
        hu = np.array([-1000, -161, -160, 40, 239, 240, 3000], np.int16)
        assert scale.apply(hu).tolist() == [0, 0, 0, 127, 254, 255, 255]

    def test_percentiles_are_those_of_the_medsam_authors(self) -> None:
        """Their lines, written out: clip to percentiles of the non-zero voxels, scale, zeros stay zero."""
        array = np.random.default_rng(3).gamma(2.0, 200.0, (6, 32, 32)).astype(np.int16)
        array[:, :8] = 0
        low, high = np.percentile(array[array > 0], (0.5, 99.5))
        clipped = np.clip(array, low, high)
        expected = np.uint8((clipped - clipped.min()) / (clipped.max() - clipped.min()) * 255.0)
        expected[array == 0] = 0
        grey = IntensityPolicy.parse("percentile:0.5,99.5").fit(volume(array)).apply(array)
        np.testing.assert_array_equal(grey, expected)

    def test_zeros_outside_of_the_body_stay_black_below_negative_values(self) -> None:
        array = np.array([[[-2.0, -1.0, 0.0, 1.0, 2.0]]])
        assert IntensityPolicy.parse("percentile:0,100").fit(volume(array)).apply(array).tolist() == [
            [[0, 63, 0, 191, 255]]
        ]

    @pytest.mark.parametrize("text", ["window:2,0", "percentile:0,100", "none"])
    def test_nan_becomes_black_and_infinity_an_end(self, text: str) -> None:
        array = np.array([[[0.5, np.nan, np.inf, 1.0]]])
        with np.errstate(all="raise"):
            grey = IntensityPolicy.parse(text).fit(volume(array)).apply(array)
        assert grey[0, 0, 1] == 0
        assert grey[0, 0, 2] == 255

    def test_slices_are_scaled_alike(self) -> None:
        array = np.random.default_rng(4).normal(500, 100, (4, 8, 8))
        scale = IntensityPolicy.parse("percentile:1,99").fit(volume(array))
        np.testing.assert_array_equal(np.stack([scale.apply(s) for s in array]), scale.apply(array))

    @given(st.integers(-20, 15))
    def test_the_unit_of_the_values_does_not_matter(self, exponent: int) -> None:
        """Diffusion maps in m²/s span 1e-9: as good as the same map in µm²/s."""
        array = np.random.default_rng(5).uniform(1, 3, (2, 8, 8))
        policy = IntensityPolicy.parse("percentile:0,100")
        scaled = array * 2.0 ** (2 * exponent)
        np.testing.assert_array_equal(
            policy.fit(volume(scaled)).apply(scaled), policy.fit(volume(array)).apply(array)
        )

    def test_a_constant_image_is_black(self) -> None:
        array = np.full((2, 3, 4), 9.0)
        assert not IntensityPolicy.parse("percentile:0.5,99.5").fit(volume(array)).apply(array).any()

    def test_none_keeps_grey_levels_as_they_are(self) -> None:
        array = np.arange(256, dtype=np.uint8).reshape(1, 16, 16)
        policy = IntensityPolicy.parse("none")
        assert policy.fit(volume(array)).apply(array) is array
        for dtype in (np.int16, np.float32):
            same = array.astype(dtype)
            np.testing.assert_array_equal(policy.fit(volume(same)).apply(same), array)

    @pytest.mark.parametrize("value", [-1, 256])
    def test_none_refuses_what_is_no_grey_level(self, value: int) -> None:
        with pytest.raises(OptionError, match="needs 0 to 255"):
            IntensityPolicy.parse("none").fit(volume(np.full((1, 2, 4), value, np.int16)))

    def test_memory_is_one_copy_in_double_precision(self) -> None:
        array = np.random.default_rng(6).normal(size=(1024, 1024)).astype(np.float32)
        scale = GreyScale(-2.0, 2.0, keep=False, zero_is_black=True)
        tracemalloc.start()
        scale.apply(array)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 11 * array.size

    def test_the_input_is_left_alone(self) -> None:
        for text in ("window:1,0", "percentile:1,99", "none"):
            array = np.random.default_rng(7).uniform(0, 255, (2, 4, 4))
            before = array.copy()
            IntensityPolicy.parse(text).fit(volume(array)).apply(array)
            np.testing.assert_array_equal(array, before)


class TestModality:
    rng = np.random.default_rng(8)
    ct = rng.integers(-1024, 1500, (3, 16, 16))
    mr = rng.gamma(2.0, 150.0, (3, 16, 16))

    @pytest.mark.parametrize("dtype", [np.int16, np.int32, np.float32, np.float64])
    def test_a_ct_is_guessed_from_whole_numbers_in_hu(self, dtype: type) -> None:
        modality, guessed, why = modality_of(volume(self.ct.astype(dtype)))
        assert (modality, guessed) == ("CT", True)
        assert "HU" in why

    def test_hu_after_a_float32_slope_are_still_whole(self) -> None:
        assert modality_of(volume((self.ct * np.float32(1.0000001)).astype(np.float32)))[0] == "CT"

    @pytest.mark.parametrize(
        "array",
        [mr.astype(np.uint16), mr, (ct + 1024).astype(np.uint16), ct / 1000.0, ct + 0.4, mr - 400],
        ids=["MR", "MR as floats", "CT without its intercept", "scaled CT", "resampled CT", "z-scored MR"],
    )
    def test_the_rest_is_unknown_rather_than_wrong(self, array: np.ndarray) -> None:
        assert modality_of(volume(array))[:2] == ("unknown", True)

    def test_what_the_file_says_counts(self) -> None:
        image = Image.from_array(self.ct.astype(np.int16), modality="MR")
        assert modality_of(image)[:2] == ("MR", False)

    def test_8_bit_pictures_and_colours_are_grey_levels_whatever_made_them(self) -> None:
        picture = Image.from_array(np.zeros((4, 4), np.uint8), modality="CT")
        colours = Image.from_array(np.zeros((2, 4, 4, 3), np.uint8))
        for image in (picture, colours):
            assert modality_of(image)[:2] == ("8-bit", False)
            assert choose_policy(image, CARD).policy.text == "none"

    def test_8_bit_volumes_go_by_percentiles_and_never_by_a_ct_window(self) -> None:
        image = Image.from_array(np.zeros((2, 4, 4), np.uint8), modality="CT")
        assert choose_policy(image, CARD).policy.text == "percentile:0.5,99.5"

    def test_a_colour_image_is_no_ct(self) -> None:
        colour = np.stack([self.ct] * 3, axis=-1)
        assert modality_of(Image.from_array(colour))[0] == "unknown"


class TestChoosePolicy:
    def test_the_card_decides_by_modality(self) -> None:
        ct = volume(np.array([[[-1000, 0, 50, 1200]]], np.int16))
        choice = choose_policy(ct, CARD)
        assert (choice.policy.text, choice.modality, choice.guessed) == ("ct:soft", "CT", True)

    def test_a_modality_that_the_card_does_not_name_takes_its_default(self) -> None:
        image = Image.from_array(np.ones((1, 4, 4), np.int16), modality="PT")
        assert choose_policy(image, CARD).policy.text == "percentile:0.5,99.5"
        assert choose_policy(image, {}).policy.text == "percentile:0.5,99.5"

    def test_the_user_decides_before_the_card(self) -> None:
        choice = choose_policy(Image.from_array(np.ones((4, 4), np.uint8)), CARD, "window:10,5")
        assert (choice.policy.text, choice.guessed) == ("window:10,5", False)
        assert "--intensity" in choice.why

    def test_a_wrong_option_is_refused(self) -> None:
        with pytest.raises(OptionError, match="expected an intensity"):
            choose_policy(Image.from_array(np.ones((4, 4), np.uint8)), CARD, "bright")


class TestValueRange:
    @given(hnp.arrays(np.float32, shapes, elements=st.floats(width=32)))
    def test_of_the_finite_values(self, array: np.ndarray) -> None:
        finite = array[np.isfinite(array)]
        if finite.size == 0:
            with pytest.raises(ImageReadError, match="no finite value"):
                value_range(volume(array))
        else:
            assert value_range(volume(array)) == (finite.min(), finite.max(), array.size - finite.size)
