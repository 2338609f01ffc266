from __future__ import annotations

import numpy as np

from anytomy.engine.answers import AnswerCache
from anytomy.engine.frame import PlanePrompt
from anytomy.predict.placing import Track
from anytomy.volumes.propagate import Propagate
from tests.engine.tiny import BrightEngine, bright_model
from tests.volumes.strategy_contract import OFF, placed

PICTURE = np.random.default_rng(0).integers(0, 255, (40, 30), dtype=np.uint8)


def test_the_same_prompt_in_the_same_picture_is_asked_once() -> None:
    engine = BrightEngine()
    model = bright_model(engine=engine)
    model.answers = AnswerCache()
    prompt = PlanePrompt(box=(5, 5, 20, 20))
    first = model.decode(model.encode(PICTURE), prompt)
    again = model.decode(model.encode(PICTURE.copy()), prompt)
    assert len(engine.asked) == 1
    assert again.score == first.score
    np.testing.assert_array_equal(again.logits, first.logits)


def test_another_prompt_picture_or_mask_is_asked_anew() -> None:
    engine = BrightEngine()
    model = bright_model(engine=engine, prompts=("box", "points", "mask"))
    model.answers = AnswerCache()
    embedding = model.encode(PICTURE)
    mask = np.zeros(PICTURE.shape, bool)
    model.decode(embedding, PlanePrompt(box=(5, 5, 20, 20)))
    model.decode(embedding, PlanePrompt(box=(5, 5, 20, 21)))
    model.decode(embedding, PlanePrompt(box=(5, 5, 20, 20), mask=mask))
    model.decode(embedding, PlanePrompt(points=((5, 5),)))
    model.decode(embedding, PlanePrompt(points=((5, 5),), labels=(0,)))
    model.decode(model.encode(255 - PICTURE), PlanePrompt(box=(5, 5, 20, 20)))
    assert len(engine.asked) == 6


def test_what_was_used_longest_ago_goes_first() -> None:
    one = np.zeros((8, 8), np.float32)
    cache = AnswerCache(memory_bytes=2 * one.nbytes)
    cache.put("a", one, 0.1)
    cache.put("b", one, 0.2)
    assert cache.get("a") is not None
    cache.put("c", one, 0.3)
    assert cache.get("b") is None
    assert cache.get("a") is not None
    assert cache.get("c") is not None


def test_a_further_key_slice_asks_only_for_the_stretch_that_it_changes() -> None:
    engine = BrightEngine()
    model = bright_model(engine=engine)
    model.answers = AnswerCache()
    z, y, x = np.indices((20, 64, 64))
    volume = np.where(np.hypot(y - 32, x - 32) < 8, 220, 15 + z).astype(np.uint8)  # no two slices alike
    slices, _, _ = placed([], volume)
    box = PlanePrompt(box=(24.0, 24.0, 41.0, 41.0))
    list(Propagate().run(model, slices, [Track({8: box}, 2, 18, (2, 18))], OFF))
    before = len(engine.asked)
    assert before == 16
    wide = PlanePrompt(box=(22.0, 24.0, 41.0, 41.0))
    found = list(Propagate().run(model, slices, [Track({8: box, 12: wide}, 2, 18, (2, 18))], OFF))
    assert sorted(f.slice for f in found) == list(range(2, 18))
    # The new key slice, down from it to slice 8, and up from it: the rest is as it was.
    assert len(engine.asked) - before <= 1 + 3 + 5
