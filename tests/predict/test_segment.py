"""`segment` from an image and prompts to a result."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest

import anytomy
from anytomy.core.errors import ImageReadError, OptionError, PromptError, UnsupportedPromptError
from anytomy.core.geometry import Geometry
from anytomy.core.image import Image
from anytomy.core.prompt import Prompt
from anytomy.predict.result import Interrupted
from anytomy.predict.segment import check_request
from tests.engine.tiny import EVERYTHING, bright_model, card
from tests.volumes.strategy_contract import BOXES, volume

BOX = Prompt(box=(20, 10, 50, 40))


def disc(*rest: int) -> np.ndarray[Any, Any]:
    out = np.zeros((64, 64, *rest), dtype=np.uint8)
    y, x = np.indices((64, 64))
    out[np.hypot(y - 25, x - 35) < 10] = 250
    return out


class TestPictures:
    def test_a_disc_is_found(self) -> None:
        result = bright_model().segment(Image.from_array(disc()), [BOX])
        np.testing.assert_array_equal(result.masks[0], disc() > 0)
        np.testing.assert_array_equal(result.label_map, (disc() > 0).astype(np.uint8))
        assert not result.is_volume
        assert result.scores == (0.5,)
        assert result.ids == (1,)
        assert result.names == ("object 1",)

    def test_colour(self) -> None:
        result = bright_model().segment(Image.from_array(disc(3)), [BOX])
        np.testing.assert_array_equal(result.masks[0], disc() > 0)

    @pytest.mark.parametrize("dtype", [np.uint16, np.int32, np.float32, np.float64])
    def test_any_type_of_values(self, dtype: Any) -> None:
        array = (disc().astype(dtype) * 11) + dtype(3)
        result = bright_model().segment(Image.from_array(array), [BOX])
        np.testing.assert_array_equal(result.masks[0], disc() > 0)
        assert result.grey.low >= 3

    def test_a_constant_picture_is_no_error(self) -> None:
        for value in (0, 7, 255):
            image = Image.from_array(np.full((40, 50), value, np.uint8))
            result = bright_model().segment(image, [Prompt(box=(5, 5, 20, 20))])
            assert not result.label_map.any()
            assert result.scores == (0.0,)

    def test_some_nans_are_black(self) -> None:
        array = disc().astype(np.float32) + 3
        array[:5] = np.nan
        result = bright_model().segment(Image.from_array(array), [BOX])
        np.testing.assert_array_equal(result.masks[0], disc() > 0)

    @pytest.mark.parametrize("value", [np.nan, np.inf])
    @pytest.mark.parametrize("intensity", ["auto", "window:100,50", "none", "percentile:1,99"])
    def test_nothing_finite_is_refused(self, value: float, intensity: str) -> None:
        image = Image.from_array(np.full((10, 10), value, np.float32))
        with pytest.raises(ImageReadError, match="no finite value"):
            bright_model().segment(image, [Prompt(box=(1, 1, 5, 5))], intensity=intensity)

    def test_a_picture_of_one_pixel(self) -> None:
        result = bright_model().segment(
            Image.from_array(np.array([[9]], np.uint8)), [Prompt(box=(0, 0, 1, 1))]
        )
        assert result.label_map.shape == (1, 1)

    def test_overlaps(self) -> None:
        prompts = [Prompt(box=(20, 10, 50, 40)), Prompt(box=(30, 10, 60, 40)), Prompt(box=(20, 10, 50, 40))]
        results = {
            rule: bright_model().segment(Image.from_array(disc()), prompts, overlap=rule)
            for rule in ("higher-logit", "last", "keep")
        }
        for result in results.values():
            np.testing.assert_array_equal(result.masks[0], disc() > 0)
            np.testing.assert_array_equal(result.masks[0], result.masks[2])
        assert set(np.unique(results["last"].label_map)) == {0, 3}
        assert set(np.unique(results["higher-logit"].label_map)) == {0, 1}  # ties to the first
        np.testing.assert_array_equal(results["keep"].label_map, results["higher-logit"].label_map)

    def test_ids_beyond_255(self) -> None:
        prompts = [Prompt(box=BOX.box, id=65535, name="disc"), Prompt(box=(0, 0, 5, 5))]
        result = bright_model().segment(Image.from_array(disc()), prompts)
        assert result.label_map.dtype == np.uint16
        assert set(np.unique(result.label_map)) == {0, 65535}
        assert result.ids == (65535, 1)
        assert result.names == ("disc", "object 1")

    def test_cleaning(self) -> None:
        array = disc()
        array[24:27, 34:37] = 0
        array[38, 22:24] = 250
        image = Image.from_array(array)
        raw = bright_model().segment(image, [BOX])
        assert raw.masks[0].sum() == (array > 0).sum()
        result = bright_model().segment(image, [BOX], largest=True, fill_holes=True)
        np.testing.assert_array_equal(result.masks[0], disc() > 0)
        np.testing.assert_array_equal(result.label_map > 0, disc() > 0)


class TestVolumes:
    def test_details_and_progress(self) -> None:
        steps: list[tuple[int, int]] = []
        prompts = [Prompt(box=box) for box in BOXES]
        result = bright_model().segment(
            Image.from_array(volume()), prompts, progress=lambda done, total: steps.append((done, total))
        )
        total = sum(box[5] - box[2] for box in BOXES)
        assert steps == [(i, total) for i in range(1, total + 1)]
        assert result.details["slices"] == result.details["encodings"] == 14
        assert result.details["volume"] == "auto"
        assert result.details["zoom"] == "off"
        assert result.details["axis"] == "z"
        assert result.details["seconds"] >= 0
        assert result.masks.shape == (4, 14, 60, 50)
        for mask, box in zip(result.masks, BOXES, strict=True):
            reached = np.flatnonzero(mask.any(axis=(1, 2)))
            assert reached.min() >= box[2]
            assert reached.max() < box[5]

    def test_the_label_map_holds_the_masks(self) -> None:
        result = bright_model().segment(Image.from_array(volume()), [Prompt(box=box) for box in BOXES])
        masks = np.asarray(result.masks)
        np.testing.assert_array_equal(result.label_map > 0, masks.any(axis=0))
        for mask, id_ in zip(masks, result.ids, strict=True):
            assert mask[result.label_map == id_].all()

    @pytest.mark.parametrize("axis", ["x", "y", "z"])
    def test_colour_along_any_axis(self, axis: str) -> None:
        grey = volume()
        colour = np.stack([grey] * 3, axis=-1)
        prompt = Prompt(box=BOXES[0])
        expected = bright_model().segment(Image.from_array(grey), [prompt], axis=axis)
        result = bright_model().segment(Image.from_array(colour), [prompt], axis=axis)
        assert result.masks[0].any()
        np.testing.assert_array_equal(result.masks[0], expected.masks[0])
        assert result.axis == axis

    def test_a_range_is_half_open_in_the_files_own_slices(self) -> None:
        geometry = Geometry(size_xyz=(50, 60, 14)).flip(2).flip(0)
        image = Image.from_array(volume(), geometry=geometry)
        result = bright_model().segment(image, [Prompt(box=(5, 6, 25, 30), slice=7, z=(6, 9))])
        assert np.flatnonzero(result.masks[0].any(axis=(1, 2))).tolist() == [6, 7, 8]

    def test_zoom_finds_the_same_object(self) -> None:
        image, prompt = Image.from_array(volume()), Prompt(box=BOXES[1])
        whole, zoomed = (bright_model().segment(image, [prompt], zoom=z).masks[0] for z in ("off", 1.4))
        assert (whole & zoomed).sum() / (whole | zoomed).sum() > 0.8

    def test_segmenting_twice_encodes_once(self) -> None:
        model, image = bright_model(), Image.from_array(volume())
        assert model.segment(image, [Prompt(box=BOXES[0])]).details["encodings"] == 10
        again = model.segment(image, [Prompt(box=BOXES[0]), Prompt(box=BOXES[2])])
        assert again.details["encodings"] == 2

    def test_an_interrupt_carries_what_is_done(self) -> None:
        """Slices are those of the file, which runs against the view here."""
        image = Image.from_array(volume(), geometry=Geometry(size_xyz=(50, 60, 14)).flip(2))

        def stop(done: int, total: int) -> None:
            if done == 3:
                raise KeyboardInterrupt

        prompts = [Prompt(box=BOXES[0], name="ball")]
        with pytest.raises(Interrupted, match="after 3 of 10 slices") as caught:
            bright_model().segment(image, prompts, combine=["copy = ball"], progress=stop)
        part = caught.value.result
        # Upwards from the middle of the view; the third slice was answered, but not yet drawn.
        assert part.details["done"] == [[[6, 8]]]
        assert part.names == ("ball",)
        assert np.flatnonzero(part.label_map.any(axis=(1, 2))).tolist() == [6, 7]
        np.testing.assert_array_equal(part.masks[0], part.label_map > 0)

    def test_an_interrupted_picture_leaves_nothing(self) -> None:
        def stop(done: int, total: int) -> None:
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt) as caught:
            bright_model().segment(Image.from_array(disc()), [BOX], progress=stop)
        assert not isinstance(caught.value, Interrupted)


class TestRefusals:
    @pytest.mark.parametrize(
        ("options", "match"),
        [
            ({"zoom": "near"}, "zoom of off, auto"),
            ({"intensity": "bright"}, "expected an intensity of"),
            ({"axis": "w"}, "expected the axis x, y or z"),
            ({"volume": "magic"}, "volume strategy"),
            ({"overlap": "first"}, "expected an overlap of"),
        ],
    )
    def test_unknown_options_before_anything_is_computed(self, options: Any, match: str) -> None:
        model = bright_model()
        with pytest.raises(OptionError, match=match):
            model.segment(Image.from_array(disc()), [BOX], **options)
        with pytest.raises(OptionError, match=match):
            check_request(card(), Image.from_array(disc()), [BOX], **options)
        assert model.encodings == 0

    @pytest.mark.parametrize("axis", ["x", "y"])
    def test_a_picture_has_one_axis_of_slices_only(self, axis: str) -> None:
        with pytest.raises(OptionError, match=f"single picture.*along {axis}"):
            bright_model().segment(Image.from_array(disc()), [BOX], axis=axis)

    def test_no_prompt_and_prompts_of_one_number(self) -> None:
        with pytest.raises(PromptError, match="there is no prompt"):
            bright_model().segment(Image.from_array(disc()), [])
        with pytest.raises(PromptError, match="stands twice"):
            bright_model().segment(Image.from_array(disc()), [Prompt(box=BOX.box, id=2)] * 2)

    def test_kinds_that_the_model_never_learned_name_the_object(self) -> None:
        prompts = [BOX, Prompt(points=((3, 3),), name="cyst")]
        with pytest.raises(UnsupportedPromptError, match=r"object 2 \(cyst\) has points.*boxes only"):
            bright_model().segment(Image.from_array(disc()), prompts)
        assert bright_model(**EVERYTHING).segment(Image.from_array(disc()), prompts).scores[0] > 0

    def test_prompts_may_come_from_a_generator(self) -> None:
        result = bright_model().segment(Image.from_array(disc()), (p for p in [BOX]))
        assert result.masks[0].any()


class TestSaving:
    @pytest.mark.parametrize("ending", [".nii.gz", ".nrrd", ".mha"])
    def test_a_volume_round_trip(self, tmp_path: Path, ending: str) -> None:
        geometry = Geometry(size_xyz=(50, 60, 14), spacing_xyz_mm=(0.7, 0.8, 2.5)).flip(0).flip(2)
        image = Image.from_array(volume(), geometry=geometry)
        result = bright_model().segment(image, [Prompt(box=box) for box in BOXES])
        (path,) = result.save(tmp_path / f"out{ending}")
        back = anytomy.read(path)
        np.testing.assert_array_equal(back.array, result.label_map)
        assert back.geometry.is_close(geometry, rtol=1e-5)

    def test_a_picture_round_trip(self, tmp_path: Path) -> None:
        result = bright_model().segment(Image.from_array(disc()), [BOX])
        (path,) = result.save(tmp_path / "out.png")
        with PIL.Image.open(path) as back:
            np.testing.assert_array_equal(
                np.asarray(back), result.label_map
            )  # ids, however they are coloured
