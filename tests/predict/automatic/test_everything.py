"""`segment_everything`: each object once, whatever the picture, the tiles and the layers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from anytomy.core.errors import ModelError, OptionError, UnsupportedPromptError
from anytomy.core.geometry import Geometry
from anytomy.core.image import Image
from anytomy.models.thresholds import Thresholds
from anytomy.predict.automatic.everything import find_objects, segment_everything
from anytomy.predict.automatic.settings import AutomaticSettings
from tests.engine.tiny import bright_model, random_sam
from tests.predict.automatic.blobs import BatchingBlobEngine, BlobEngine, blob_model, blobs, matched, spread


def picture(truth: np.ndarray[Any, Any]) -> Image:
    return Image.from_array(np.where(truth > 0, 220, 20).astype(np.uint8))


def found(truth: np.ndarray[Any, Any], *, input_size: int = 64, **numbers: Any) -> np.ndarray[Any, Any]:
    model = blob_model(input_size=input_size)
    return segment_everything(model, picture(truth), AutomaticSettings(**numbers)).label_map


class TestEachObjectOnce:
    @pytest.mark.parametrize("shape", [(64, 64), (96, 128), (150, 60)])
    @pytest.mark.parametrize("side", [16, 64])
    def test_of_any_picture(self, shape: tuple[int, int], side: int) -> None:
        truth = spread(shape, 3, 4, 6 if min(shape) > 60 else 5)
        label_map = found(truth, points=side)
        assert label_map.max() == 12
        assert min(matched(label_map, truth)) > 0.7  # of a radius of two pixels in the input

    def test_exactly_where_the_picture_has_the_size_of_the_input(self) -> None:
        truth = spread((64, 64), 3, 3, 7)
        label_map = found(truth)
        assert label_map.max() == 9
        np.testing.assert_array_equal(label_map > 0, truth > 0)

    def test_nothing_there_is_no_error(self) -> None:
        result = segment_everything(blob_model(), Image.from_array(np.full((40, 50), 7, np.uint8)))
        assert len(result.masks) == 0
        assert result.masks.shape == (0, 40, 50)
        assert not result.label_map.any()
        assert result.ids == result.scores == ()

    def test_points_that_meet_nothing_bring_nothing(self) -> None:
        truth = blobs((64, 64), [(10, 10)], 5)
        assert found(truth, points=2).max() == 0

    def test_of_three_masks_the_unstable_one_is_left_out(self) -> None:
        truth = blobs((64, 64), [(30, 30)], 12)
        result = segment_everything(blob_model(), picture(truth))
        assert len(result.masks) == 1
        assert result.scores[0] == pytest.approx(0.95)  # the unstable one said 0.98
        assert result.details["stability"][0] > 0.95

    def test_without_that_filter_it_wins(self) -> None:
        truth = blobs((64, 64), [(30, 30)], 12)
        result = segment_everything(blob_model(), picture(truth), AutomaticSettings(stability=0))
        assert result.scores[0] == pytest.approx(0.98)

    def test_a_model_of_single_masks(self) -> None:
        truth = spread((64, 64), 2, 2, 8)
        model = blob_model(mask_output="single")
        assert segment_everything(model, picture(truth)).label_map.max() == 4

    def test_sizes(self) -> None:
        truth = blobs((64, 64), [(12, 12)], 3)
        assert found(truth).max() == 1
        assert found(truth, least=100).max() == 0
        everywhere = np.ones((64, 64), np.uint8)
        everywhere[0, 0] = 0
        assert found(everywhere).max() == 0
        assert found(everywhere, most=1.0).max() == 1


class TestBatches:
    def test_bring_the_same(self) -> None:
        truth = spread((80, 100), 3, 4, 7)
        engine = BatchingBlobEngine()
        one, many = (
            segment_everything(blob_model(each), picture(truth), AutomaticSettings(points=10))
            for each in (BlobEngine(), engine)
        )
        np.testing.assert_array_equal(one.label_map, many.label_map)
        assert one.scores == many.scores
        assert engine.batches == [7] * 11 + [3]
        assert engine.encoded == 1

    def test_progress_counts_points(self) -> None:
        said: list[tuple[int, int]] = []
        segment_everything(
            blob_model(BatchingBlobEngine()),
            picture(spread((64, 64), 1, 1, 9)),
            AutomaticSettings(points=4),
            progress=lambda done, total: said.append((done, total)),
        )
        assert said == [(7, 16), (14, 16), (16, 16)]


class TestTiles:
    def test_one_tile_is_no_tile(self) -> None:
        truth = spread((90, 70), 3, 2, 9)
        whole = segment_everything(blob_model(), picture(truth), AutomaticSettings(tile="off"))
        for tile in ("auto", 90, 500):
            one = segment_everything(blob_model(), picture(truth), AutomaticSettings(tile=tile))
            np.testing.assert_array_equal(one.label_map, whole.label_map)
            assert one.scores == whole.scores
            assert one.details["encodings"] == 1

    @pytest.mark.parametrize("shift", [0, 7, 15])
    def test_objects_over_borders_are_found_once_and_whole(self, shift: int) -> None:
        truth = np.roll(spread((200, 230), 6, 7, 9), (shift, shift), axis=(0, 1))
        truth[:12] = truth[-12:] = 0
        truth[:, :12] = truth[:, -12:] = 0
        numbers = {n: i for i, n in enumerate(np.unique(truth))}
        truth = np.vectorize(numbers.get)(truth).astype(np.uint8)
        truth = _without_specks(truth)
        label_map = found(truth, tile=64, points=16)
        assert label_map.max() == truth.max()
        np.testing.assert_array_equal(label_map > 0, truth > 0)
        assert min(matched(label_map, truth)) == 1

    def test_an_object_larger_than_a_tile_is_put_together(self) -> None:
        truth = np.zeros((200, 200), np.uint8)
        truth[20:180, 90:110] = 1
        truth[90:110, 20:180] = 1
        label_map = found(truth, tile=64, points=16)
        np.testing.assert_array_equal(label_map, truth)

    def test_neighbours_over_a_border_stay_apart(self) -> None:
        truth = blobs((64, 160), [(20, 52), (44, 52), (32, 76)], 10)
        label_map = found(truth, tile=64, points=16)
        assert label_map.max() == 3
        assert min(matched(label_map, truth)) == 1

    def test_large_pictures_are_tiled_by_default(self) -> None:
        truth = spread((193, 193), 5, 5, 8)
        result = segment_everything(blob_model(), picture(truth))
        assert result.details["encodings"] == 4
        assert result.label_map.max() == 25


class TestLayers:
    def test_small_objects_are_seen_in_closer_looks_only(self) -> None:
        centres = [(16.0, 16.0), (16.0, 240.0), (200.0, 40.0)]
        truth = blobs((256, 256), centres, 4)
        truth[blobs((256, 256), [(120, 140)], 30) > 0] = 4  # keeps the grey levels of the whole as they are
        assert found(truth, input_size=32, points=64, tile="off").max() == 1
        label_map = found(truth, input_size=32, points=64, tile="off", layers=1)
        assert label_map.max() == 4
        assert min(matched(label_map, truth)) > 0.5

    def test_bring_nothing_twice(self) -> None:
        truth = spread((128, 128), 3, 3, 14)
        for layers in (1, 2):
            label_map = found(truth, layers=layers, points=32)
            assert label_map.max() == 9
            assert min(matched(label_map, truth)) > 0.8


class TestResult:
    def test_is_sorted_by_score_and_says_which_point(self) -> None:
        truth = spread((64, 64), 2, 3, 8)
        result = segment_everything(blob_model(), picture(truth))
        assert list(result.scores) == sorted(result.scores, reverse=True)
        assert result.ids == tuple(range(1, 7))
        for prompt, mask in zip(result.prompts, result.masks, strict=True):
            ((x, y),) = prompt.points
            assert mask[round(y), round(x)]

    def test_the_smaller_object_lies_in_front(self) -> None:
        class Nested(BlobEngine):
            """Knows a cell and the nucleus in it."""

            def decode(self, *asked: Any) -> Any:
                logits, scores = super().decode(*asked)
                y, x = np.indices(logits.shape[1:])
                logits[2] = np.where(np.hypot(y - 32, x - 32) < 6, 9, -9)
                return logits, scores

        truth = blobs((64, 64), [(32, 32)], 20)
        result = segment_everything(blob_model(Nested()), picture(truth))
        assert len(result.masks) == 2
        cell, nucleus = result.masks[0], result.masks[1]
        np.testing.assert_array_equal(cell, truth > 0)
        np.testing.assert_array_equal(result.label_map == 2, nucleus)
        np.testing.assert_array_equal(result.label_map == 1, cell & ~nucleus)

    def test_a_hole_is_filled_on_request(self) -> None:
        truth = blobs((64, 64), [(32, 32)], 20)
        holed = truth.copy()
        holed[30:34, 30:34] = 0
        result = segment_everything(blob_model(), picture(holed), fill_holes=True)
        assert len(result.masks) == 1
        np.testing.assert_array_equal(result.masks[0], truth > 0)

    def test_repeats_itself(self) -> None:
        truth = spread((150, 150), 4, 4, 9)
        first, again = (segment_everything(blob_model(), picture(truth)) for _ in range(2))
        np.testing.assert_array_equal(first.label_map, again.label_map)
        assert first.scores == again.scores

    def test_one_slice_of_a_volume_stored_in_any_way(self) -> None:
        truth = spread((64, 64), 2, 3, 8)
        volume = np.zeros((5, 64, 64), np.uint8)
        volume[3] = np.where(truth > 0, 220, 20)
        geometry = Geometry(size_xyz=(64, 64, 5), spacing_xyz_mm=(1, 1, 3)).flip(0)
        image = Image.from_array(volume, geometry=geometry)
        result = segment_everything(blob_model(), image, slice_=3, intensity="none")
        assert result.label_map.max() == 6
        assert not np.delete(result.label_map, 3, axis=0).any()
        np.testing.assert_array_equal(result.label_map[3] > 0, truth > 0)
        for prompt, mask in zip(result.prompts, result.masks, strict=True):
            ((x, y),) = prompt.points
            assert prompt.slice == 3
            assert mask[3, round(y), round(x)]


class TestRefusals:
    def test_a_model_of_boxes(self) -> None:
        with pytest.raises(UnsupportedPromptError, match="the grid of automatic masks has points"):
            segment_everything(bright_model(), picture(spread((64, 64), 1, 1, 5)))

    def test_a_model_that_is_asked_one_by_one(self) -> None:
        class Other:
            card = blob_model().card

            def encode(self, picture: Any) -> Any: ...
            def decode(self, embedding: Any, prompt: Any) -> Any: ...

        with pytest.raises(ModelError, match="many points at once"):
            segment_everything(Other(), picture(spread((64, 64), 1, 1, 5)))  # type: ignore[arg-type]

    @pytest.mark.parametrize(
        ("said", "what"),
        [
            ({"overlap": "last"}, "smaller or keep"),
            ({"slice_": 0}, "no slices"),
            ({"axis": "x"}, "no slices"),
            ({"intensity": "loud"}, "loud"),
        ],
    )
    def test_words(self, said: dict[str, Any], what: str) -> None:
        with pytest.raises(OptionError, match=what):
            segment_everything(blob_model(), picture(spread((64, 64), 1, 1, 5)), **said)

    def test_a_volume_needs_a_slice(self) -> None:
        image = Image.from_array(np.zeros((4, 30, 30), np.uint8))
        with pytest.raises(OptionError, match=r"volume of 4 slices.*--slice 0 to 3"):
            segment_everything(blob_model(), image)
        with pytest.raises(OptionError, match="slice of 0 to 3"):
            segment_everything(blob_model(), image, slice_=4)

    @pytest.mark.parametrize(
        ("name", "value"),
        [("points", 0), ("points", 1000), ("score", 1.5), ("stability", float("nan")), ("duplicate", -1),
         ("layers", 9), ("least", 0), ("most", 2), ("tile", "big"), ("tile", 8), ("tile", "-64")],
    )  # fmt: skip
    def test_numbers(self, name: str, value: Any) -> None:
        with pytest.raises(OptionError, match=name):
            AutomaticSettings(**{name: value})


class TestThresholds:
    """The blob engine is sure of what lies under a blob by 0.95, and of the background by 0.2."""

    TRUTH = blobs((64, 64), [(16, 16), (46, 44)], 9)

    def count(self, known: Thresholds | None, **numbers: Any) -> int:
        model = blob_model(automatic=known)
        result = segment_everything(model, picture(self.TRUTH), AutomaticSettings(**numbers))
        used = result.details["everything"]
        assert (used["score"], used["stability"]) == self.expected(known, **numbers)
        return len(result.masks)

    @staticmethod
    def expected(known: Thresholds | None, **numbers: Any) -> tuple[float, float]:
        own = (0.88, 0.95) if known is None else (known.score, known.stability)
        return numbers.get("score", own[0]), numbers.get("stability", own[1])

    def test_those_of_the_card_count_where_nobody_says_others(self) -> None:
        assert self.count(None) == 2
        assert self.count(Thresholds(0.97, 0.9, "made up")) == 0
        assert self.count(Thresholds(0.9, 0.9, "made up")) == 2

    def test_what_is_said_counts_more(self) -> None:
        strict = Thresholds(0.97, 0.9, "made up")
        assert self.count(strict, score=0.5) == 2
        assert self.count(None, score=0.99) == 0

    def test_a_part_of_the_picture_is_judged_alike(self) -> None:
        model = blob_model(automatic=Thresholds(0.97, 0.9, "made up"))
        assert find_objects(model, picture(self.TRUTH).array, AutomaticSettings()) == []


@pytest.mark.parametrize("kind", ["tinyvit", "vit"])
def test_a_random_model_runs_through(kind: str) -> None:
    """Masks of a real decoder at a quarter of the input and at its size, in batches of the engine's own."""
    from anytomy.engine.torch_engine import TorchEngine

    engine: Any = TorchEngine(random_sam(kind=kind))
    model = blob_model(engine)
    rng = np.random.default_rng(0)
    image = Image.from_array(rng.integers(0, 255, (70, 100), dtype=np.uint8))
    settings = AutomaticSettings(points=6, score=0, stability=0.3, least=1)
    result = segment_everything(model, image, settings)
    assert result.label_map.shape == (70, 100)
    embedding = model.encode(result.grey.apply(image.array))
    assert len(result.masks) > 0
    for prompt, mask in zip(result.prompts, result.masks, strict=True):
        answers = model.propose(embedding, np.array(prompt.points))
        wholes = [embedding.frame.logits(low) > 0 for low in answers.logits[0]]
        assert any((whole ^ mask).sum() <= 2 for whole in wholes)


def _without_specks(truth: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The map without what is too small to be found, renumbered."""
    out = np.zeros_like(truth)
    for number in range(1, int(truth.max()) + 1):
        if (truth == number).sum() >= 60:
            out[truth == number] = out.max() + 1
    return out
