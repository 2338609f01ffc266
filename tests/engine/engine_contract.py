"""What every `Engine` must do; subclass `EngineContract` and give the fixture `engine`.

    class TestMine(EngineContract):
        @pytest.fixture
        def engine(self, sam): return MyEngine(sam)

The fixture `sam` holds the torch modules that the engine runs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from anytomy.engine.protocol import BatchEngine, Engine

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from anytomy.models.sam import Sam

PROMPTS: dict[str, tuple[Any, Any]] = {
    "box": ([[8, 10], [40, 50]], [2, 3]),
    "point": ([[20, 30], [0, 0]], [1, -1]),
    "points": ([[20, 30], [5, 60], [33, 1], [0, 0]], [1, 0, 1, -1]),
    "box and points": ([[20, 30], [5, 60], [8, 10], [40, 50]], [1, 0, 2, 3]),
}


def prompt(name: str) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    coords, labels = PROMPTS[name]
    return np.array([coords], dtype=np.float32), np.array([labels], dtype=np.float32)


class EngineContract:
    """Results of f32 engines agree with the torch modules to 1e-3 and depend on nothing but their inputs."""

    tolerance = 1e-3

    @pytest.fixture
    def pixels(self, sam: Sam) -> NDArray[np.float32]:
        return np.random.default_rng(1).random((1, 3, sam.input_size, sam.input_size), dtype=np.float32)

    @pytest.fixture
    def mask(self, sam: Sam) -> NDArray[np.float32]:
        side = 4 * sam.grid
        return np.random.default_rng(2).normal(0, 6, (1, 1, side, side)).astype(np.float32)

    def test_is_an_engine_that_says_what_it_is(self, engine: Engine) -> None:
        assert isinstance(engine, Engine)
        assert engine.precision in ("f32", "bf16")
        assert engine.precision in engine.description

    def test_embedding_agrees_with_torch(self, engine: Engine, sam: Sam, pixels: NDArray[Any]) -> None:
        import torch

        with torch.no_grad():
            expected = sam.encode(torch.from_numpy(pixels)).numpy()
        got = engine.encode(pixels)
        assert got.dtype == np.float32
        assert got.shape == expected.shape
        np.testing.assert_allclose(got, expected, atol=self.tolerance)

    @pytest.mark.parametrize("name", PROMPTS)
    @pytest.mark.parametrize("with_mask", [False, True])
    def test_masks_agree_with_torch(
        self, engine: Engine, sam: Sam, pixels: Any, mask: Any, name: str, with_mask: bool
    ) -> None:
        import torch

        coords, labels = prompt(name)
        given = mask if with_mask else None
        embedding = engine.encode(pixels)
        with torch.no_grad():
            out = sam.decode(
                *(torch.from_numpy(a) for a in (embedding, coords, labels)),
                None if given is None else torch.from_numpy(given),
            )
        logits, scores = engine.decode(embedding, coords, labels, given)
        assert logits.shape == (4, 4 * sam.grid, 4 * sam.grid)
        assert scores.shape == (4,)
        assert logits.dtype == scores.dtype == np.float32
        scale = max(float(out.mask_logits.abs().max()) / 10, 1)
        np.testing.assert_allclose(logits, out.mask_logits[0].numpy(), atol=self.tolerance * scale)
        np.testing.assert_allclose(scores, out.iou_scores[0].numpy(), atol=self.tolerance * scale)

    def test_a_mask_changes_the_answer(self, engine: Engine, pixels: Any, mask: Any) -> None:
        embedding = engine.encode(pixels)
        without, _ = engine.decode(embedding, *prompt("box"), None)
        given, _ = engine.decode(embedding, *prompt("box"), mask)
        assert np.abs(without - given).max() > 0.01

    def test_many_prompts_at_once_bring_what_they_bring_alone(self, engine: Engine, pixels: Any) -> None:
        if not isinstance(engine, BatchEngine):
            pytest.skip("one by one is allowed")
        assert engine.batch > 1
        embedding = engine.encode(pixels)
        random = np.random.default_rng(3)
        for count in (1, 2, engine.batch + 1):
            coords = random.uniform(0, pixels.shape[-1], (count, 2, 2)).astype(np.float32)
            labels = np.tile(np.array([[1, -1]], np.float32), (count, 1))
            logits, scores = engine.decode_many(embedding, coords, labels)
            assert logits.shape == (count, 4, 4 * embedding.shape[-1], 4 * embedding.shape[-1])
            assert scores.shape == (count, 4)
            for i in range(count):
                alone, score = engine.decode(embedding, coords[i : i + 1], labels[i : i + 1], None)
                scale = max(float(np.abs(alone).max()) / 10, 1)
                np.testing.assert_allclose(logits[i], alone, atol=self.tolerance * scale)
                np.testing.assert_allclose(scores[i], score, atol=self.tolerance * scale)

    def test_has_no_memory(self, engine: Engine, pixels: Any, mask: Any) -> None:
        first = engine.encode(pixels)
        logits, scores = engine.decode(first, *prompt("box"), None)
        kept = first.copy(), logits.copy(), scores.copy()
        engine.encode(1 - pixels)
        engine.decode(engine.encode(pixels * 0.5), *prompt("points"), mask)
        again = engine.encode(pixels)
        logits_again, scores_again = engine.decode(again, *prompt("box"), None)
        for mine, now, before in zip(
            (first, logits, scores), (again, logits_again, scores_again), kept, strict=True
        ):
            np.testing.assert_array_equal(mine, before)  # what was handed out is not written to
            np.testing.assert_array_equal(now, before)

    def test_takes_read_only_and_strided_inputs(self, engine: Engine, pixels: Any) -> None:
        embedding = engine.encode(pixels)
        expected, _ = engine.decode(embedding, *prompt("box"), None)
        locked = np.repeat(embedding, 2, axis=-1)[..., ::2]
        locked.flags.writeable = False
        coords, labels = prompt("box")
        for array in (coords, labels):
            array.flags.writeable = False
        got, _ = engine.decode(locked, coords, labels, None)
        np.testing.assert_allclose(got, expected, atol=1e-5)
        strided = np.repeat(pixels, 2, axis=-1)[..., ::2]
        strided.flags.writeable = False
        np.testing.assert_allclose(engine.encode(strided), embedding, atol=1e-5)
