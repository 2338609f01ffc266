"""`LoadedModel`: what it refuses, which mask it takes, and what it does not compute twice."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from anytomy.core.errors import ImageReadError, OptionError, PromptError, UnsupportedPromptError
from anytomy.engine.cache import EmbeddingCache
from anytomy.engine.frame import PlanePrompt
from anytomy.engine.model import LoadedModel, PromptableModel, ProposingModel, check_prompt_kinds
from tests.engine.tiny import EVERYTHING, SAM, BrightEngine, bright_model, card

BOX = PlanePrompt(box=(10, 12, 40, 30))
POINT = PlanePrompt(points=((20, 20),))
MASK = PlanePrompt(mask=np.ones((64, 64), bool))
PICTURE = np.random.default_rng(0).integers(0, 256, (64, 64), dtype=np.uint8)


def test_is_promptable() -> None:
    assert isinstance(bright_model(), PromptableModel)
    assert isinstance(bright_model(), ProposingModel)


class TestRefusals:
    @pytest.mark.parametrize(
        ("prompt", "what", "way_out"),
        [
            (POINT, "points", "give a box around the object instead"),
            (MASK, "a mask", "give a box around the object instead"),
            (PlanePrompt(BOX.box, points=((20, 20),)), "points", "leave the points out"),
            (replace(BOX, mask=MASK.mask), "a mask", "leave the mask out"),
            (PlanePrompt(BOX.box, points=((2, 2),), mask=MASK.mask), "points and a mask", "the mask out"),
        ],
    )  # fmt: skip
    def test_what_was_never_learned(self, prompt: PlanePrompt, what: str, way_out: str) -> None:
        model = bright_model()
        embedding = model.encode(PICTURE)
        with pytest.raises(UnsupportedPromptError) as caught:
            model.decode(embedding, prompt)
        text = str(caught.value)
        assert f"has {what}, but Tiny was trained on boxes only" in text
        assert way_out in text
        assert "--model" in text
        assert "\n" not in text

    def test_a_box_for_a_model_of_points(self) -> None:
        with pytest.raises(UnsupportedPromptError, match="give points and masks instead"):
            check_prompt_kinds(card(prompts=("points", "mask")), ("box",), "object 3 (liver)")

    def test_nothing_at_all(self) -> None:
        model = bright_model()
        with pytest.raises(PromptError, match="is empty"):
            model.decode(model.encode(PICTURE), PlanePrompt())

    def test_a_mask_of_another_shape(self) -> None:
        model = bright_model(**EVERYTHING)
        with pytest.raises(PromptError, match="expected a mask of shape"):
            model.decode(model.encode(PICTURE), PlanePrompt(mask=np.ones((3, 3), bool)))

    @pytest.mark.parametrize("picture", [PICTURE.astype(float), PICTURE[0], PICTURE[None, None], PICTURE[:0]])
    def test_what_is_no_picture(self, picture: Any) -> None:
        with pytest.raises(ImageReadError, match="expected uint8"):
            bright_model().encode(picture)

    @pytest.mark.parametrize(
        ("options", "match"),
        [
            ({"engine": "tensorrt"}, "expected an engine of auto, openvino, onnxruntime, torch"),
            ({"precision": "int8"}, "expected a precision of f32 or bf16"),
            ({"threads": 0}, "threads, got 0"),
        ],
    )
    def test_options_are_checked_before_anything_is_fetched(self, options: Any, match: str) -> None:
        with pytest.raises(OptionError, match=match):
            LoadedModel.open(card(id="not-in-the-zoo"), **options)


class TestWhichMask:
    """Logits of token k are those of the single mask less k; token 2 scores best."""

    @pytest.mark.parametrize(
        ("prompt", "token"),
        [
            (POINT, 2),
            (PlanePrompt(points=((20, 20), (30, 30))), 0),
            (BOX, 0),
            (PlanePrompt(BOX.box, points=((20, 20),)), 0),
            (PlanePrompt(points=((20, 20),), mask=np.ones((64, 64), bool)), 0),
        ],
    )
    def test_best_of_three_for_a_single_point(self, prompt: PlanePrompt, token: int) -> None:
        single, best = (bright_model(**{**EVERYTHING, "mask_output": m}) for m in ("single", "best-of-three"))
        embedding = single.encode(PICTURE)
        base, got = single.decode(embedding, prompt), best.decode(embedding, prompt)
        np.testing.assert_allclose(got.logits, base.logits - token, atol=1e-5)
        assert got.score == pytest.approx([0.5, 0.6, 0.9, 0.7][token])
        assert base.score == 0.5

    def test_the_single_mask_scoring_best_does_not_count(self) -> None:
        model = bright_model(engine=BrightEngine(scores=(0.99, 0.1, 0.2, 0.3)), **EVERYTHING)
        assert model.decode(model.encode(PICTURE), POINT).score == pytest.approx(0.3)


class TestCache:
    def test_a_picture_is_encoded_once(self) -> None:
        model = bright_model()
        first = model.encode(PICTURE)
        again = model.encode(PICTURE.copy())
        assert model.encodings == 1
        np.testing.assert_array_equal(first.array, again.array)
        model.encode(PICTURE[:, ::-1])
        model.encode(np.stack([PICTURE] * 3, axis=-1))
        assert model.encodings == 3

    @pytest.mark.parametrize(
        "change", ["weights", "id", "precision", "preprocess", "input_size", "architecture"]
    )
    def test_models_on_one_cache_are_not_mixed_up(self, change: str, tmp_path: Path) -> None:
        first = bright_model()
        first.cache = EmbeddingCache(directory=tmp_path)
        first.encode(PICTURE)
        engine, weights, values = BrightEngine(), "0" * 64, {}
        match change:
            case "weights":
                weights = "1" * 64
            case "precision":
                engine.precision = "bf16"
            case "preprocess":
                values = {"preprocess": SAM}
            case "input_size":
                values = {"input_size": 128}
            case _:
                values = {change: "other"}
        for cache in (first.cache, EmbeddingCache(directory=tmp_path)):
            other = LoadedModel(card(**values), engine, weights_sha256=weights, cache=cache)
            other.encode(PICTURE[:, ::-1] if cache is first.cache else PICTURE)
            assert other.encodings == 1
        same = LoadedModel(card(), BrightEngine(), weights_sha256="0" * 64, cache=first.cache)
        same.encode(PICTURE)
        assert same.encodings == 0

    def test_decoding_does_not_change_what_is_cached(self) -> None:
        model = bright_model()
        before = model.encode(PICTURE).array.copy()
        model.decode(model.encode(PICTURE), BOX).logits[:] = 7
        np.testing.assert_array_equal(model.encode(PICTURE).array, before)


def test_logits_lie_on_the_pictures_own_pixels() -> None:
    model = bright_model()
    picture = np.zeros((128, 90), dtype=np.uint8)
    picture[30:70, 20:50] = 255
    decoded = model.decode(model.encode(picture), PlanePrompt(box=(10, 20, 60, 90)))
    assert decoded.logits.shape == picture.shape
    truth, mask = picture > 0, decoded.logits > 0
    assert (truth & mask).sum() / (truth | mask).sum() > 0.93


class TestManyPoints:
    POINTS = np.array([[20.0, 20.0], [40.5, 10.0], [3.0, 60.0]])

    @pytest.mark.parametrize(("output", "tokens"), [("best-of-three", [1, 2, 3]), ("single", [0])])
    def test_bring_the_masks_that_the_card_names(self, output: str, tokens: list[int]) -> None:
        engine = BrightEngine()
        model = bright_model(engine=engine, **{**EVERYTHING, "mask_output": output})
        embedding = model.encode(PICTURE)
        found = model.propose(embedding, self.POINTS)
        assert found.logits.shape == (3, len(tokens), 64, 64)
        for i, (x, y) in enumerate(self.POINTS):
            coords, labels = embedding.frame.tokens(PlanePrompt(points=((x, y),)))
            logits, scores = engine.decode(embedding.array, coords, labels, None)
            np.testing.assert_array_equal(found.logits[i], logits[tokens])
            np.testing.assert_array_equal(found.scores[i], scores[tokens])

    def test_are_refused_where_points_were_never_learned(self) -> None:
        model = bright_model()
        with pytest.raises(UnsupportedPromptError, match="a point has points, but Tiny was trained on boxes"):
            model.propose(model.encode(PICTURE), self.POINTS)
