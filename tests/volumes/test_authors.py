"""The authors' strategy: the contract, and their loop written down a second time."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

from anytomy.core.errors import OptionError, UnsupportedPromptError
from anytomy.core.image import Image
from anytomy.core.prompt import Prompt
from anytomy.engine.frame import PlanePrompt
from anytomy.predict.placing import Track
from anytomy.predict.zoom import Zoom
from anytomy.volumes.authors import Authors
from anytomy.volumes.registry import strategy as by_name
from tests.engine.tiny import EVERYTHING, BrightEngine, bright_model
from tests.volumes.strategy_contract import BOXES, OFF, StrategyContract, masks, placed, volume

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Encode = Callable[[NDArray[np.float32]], Any]
    Decode = Callable[[Any, NDArray[np.float32]], NDArray[np.float32]]


class TestAuthors(StrategyContract):
    @pytest.fixture
    def strategy(self) -> Authors:
        return Authors()


def area(array: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    """OpenCV's INTER_AREA, pixel after pixel; each target pixel is a sum over at most a few of the source."""

    def shares(target: int, source: int) -> NDArray[np.float64]:
        matrix = np.zeros((target, source))
        for i in range(target):
            if height <= array.shape[0] and width <= array.shape[1]:
                low, high = i * source / target, (i + 1) * source / target
                for j in range(int(low), min(int(np.ceil(high)), source)):
                    matrix[i, j] = (min(high, j + 1) - max(low, j)) / (high - low)
            else:
                ratio = target / source
                left = int(np.floor(i * (1 / ratio)))
                part = np.float32((i + 1) - (left + 1) * ratio)
                part = 0.0 if part <= 0 else float(part - np.floor(part))
                matrix[i, min(left, source - 1)] += 1 - part
                matrix[i, min(left + 1, source - 1)] += part
        return matrix

    if array.shape[:2] == (height, width):
        return array
    values = np.tensordot(shares(height, array.shape[0]), array.astype(float), (1, 0))
    values = np.moveaxis(np.tensordot(shares(width, array.shape[1]), values, (1, 1)), 0, 1)
    shrinks = height <= array.shape[0] and width <= array.shape[1]
    halves = array.shape[:2] == (2 * height, 2 * width)
    values = np.round(values, 4)
    rounded = np.rint(values) if shrinks and not halves else np.floor(values + 0.5)
    return rounded.astype(np.uint8)


def longest_side(array: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    scale = size / max(array.shape[:2])
    return area(array, int(array.shape[0] * scale + 0.5), int(array.shape[1] * scale + 0.5))


def their_way(
    volume: NDArray[np.uint8], box: tuple[int, ...], encode: Encode, decode: Decode, size: int = 256
) -> NDArray[np.bool_]:
    """`MedSAM_infer_npz_3D` for one object; `box` names the last slice, as their files do."""
    x0, y0, z0, x1, y1, z1 = box
    depth, height, width = volume.shape[:3]
    out = np.zeros((depth, height, width), dtype=np.uint8)
    middle = int((z1 - z0) / 2 + z0)

    def scaled() -> NDArray[Any]:
        return np.array([int(v * (size / max(height, width))) for v in (x0, y0, x1, y1)])

    def from_neighbour(z: int) -> NDArray[Any]:
        small = longest_side(out[z], size)
        if small.max() == 0:
            return scaled()
        small = np.pad(small, ((0, size - small.shape[0]), (0, size - small.shape[1])))
        rows, columns = np.where(small > 0)
        grow = round(3 * size / 256)
        return np.array([
            max(0, columns.min() - grow), max(0, rows.min() - grow),
            min(size, columns.max() + grow), min(size, rows.max() + grow),
        ])  # fmt: skip

    def segment(z: int, corners: NDArray[Any]) -> None:
        picture = volume[z]
        small = longest_side(picture if picture.ndim == 3 else np.repeat(picture[..., None], 3, -1), size)
        h, w = small.shape[:2]
        values = (small - small.min()) / np.clip(small.max() - small.min(), 1e-8, None)
        values = np.pad(values, ((0, size - h), (0, size - w), (0, 0)))
        logits = decode(
            encode(values.transpose(2, 0, 1)[None].astype(np.float32)), corners.astype(np.float32)
        )
        full = torch.nn.functional.interpolate(
            torch.from_numpy(logits)[None, None, :h, :w],
            (height, width),
            mode="bilinear",
            align_corners=False,
        )
        out[z] = torch.sigmoid(full)[0, 0].numpy() > 0.5

    for z in range(middle, min(z1 + 1, depth)):
        segment(z, scaled() if z == middle else from_neighbour(z - 1))
    for z in range(middle - 1, max(-1, z0 - 1), -1):
        segment(z, from_neighbour(z + 1))
    return out > 0


def their_box(box: tuple[int, ...]) -> tuple[int, ...]:
    """Our box as theirs: they name the last slice; corners within a slice are given as they are."""
    return (*box[:5], box[5] - 1)


def with_engine(engine: Any) -> tuple[Encode, Decode]:
    labels = np.array([[2, 3]], dtype=np.float32)
    return engine.encode, lambda e, box: engine.decode(e, box.reshape(1, 2, 2), labels, None)[0][0]


def moving_tube(shape: tuple[int, int, int], seed: int = 0) -> NDArray[np.uint8]:
    """A tube that wanders and changes its width, gone in two slices, with a ghost beside it."""
    rng = np.random.default_rng(seed)
    out = rng.integers(0, 60, shape, dtype=np.uint8)
    y, x = np.indices(shape[1:])
    for z in range(shape[0]):
        cy, cx = shape[1] * (0.45 + 0.012 * z), shape[2] * (0.4 + 0.01 * z)
        radius = min(shape[1:]) * (0.12 + 0.05 * np.sin(z / 2))
        if z not in (3, 10):
            out[z][np.hypot(y - cy, x - cx) < radius] = 240
        out[z][np.hypot(y - cy * 1.6, x - cx * 1.6) < radius / 2] = 220
    return out


@pytest.mark.parametrize("shape", [(13, 70, 90), (12, 256, 256), (9, 300, 180), (8, 512, 400), (8, 31, 40)])
@pytest.mark.parametrize("ends", [(0, None), (2, -1), (4, 7), (5, 6)])
def test_masks_are_those_of_the_authors_loop(shape: tuple[int, int, int], ends: Any) -> None:
    array = moving_tube(shape)
    z0, z1 = ends[0], shape[0] if ends[1] is None else ends[1] % shape[0]
    box = tuple(int(v) for v in (0.22 * shape[2], 0.28 * shape[1], z0, 0.66 * shape[2], 0.75 * shape[1], z1))
    expected = their_way(array, their_box(box), *with_engine(BrightEngine()))
    result = bright_model(input_size=256).segment(
        Image.from_array(array), [Prompt(box=box)], intensity="none", volume="authors"
    )
    assert expected.any()
    np.testing.assert_array_equal(result.masks[0], expected)


def test_many_objects_are_as_one_after_the_other() -> None:
    array = volume()
    model = bright_model(input_size=256)
    result = model.segment(
        Image.from_array(array), [Prompt(box=box) for box in BOXES], intensity="none", volume="authors"
    )
    for box, mask in zip(BOXES, result.masks, strict=True):
        np.testing.assert_array_equal(mask, their_way(array, their_box(box), *with_engine(BrightEngine())))


def test_the_box_comes_back_where_the_object_was_lost() -> None:
    engine = BrightEngine()
    array = np.zeros((5, 64, 64), dtype=np.uint8)
    array[2, 20:40, 10:30] = 255
    array[:, 0, 0] = 255  # for the range of values
    bright_model(engine=engine).segment(
        Image.from_array(array), [Prompt(box=(10, 20, 0, 30, 40, 5))], volume="authors"
    )
    asked = [coords.ravel().tolist() for coords, _ in engine.asked]
    # Middle; up with the grown mask (1 pixel of 64), then the given box; the same down.
    grown, given = [9, 19, 30, 40], [10, 20, 30, 40]
    assert asked == [given, grown, given, grown, given]


class TestOtherPrompts:
    def test_points_are_carried_by_the_box_of_what_they_found(self) -> None:
        engine = BrightEngine()
        model = bright_model(engine=engine, **EVERYTHING)
        array = np.zeros((3, 64, 64), dtype=np.uint8)
        array[:, 20:30, 15:25] = 255
        model.segment(
            Image.from_array(array), [Prompt(points=((20, 25),), slice=1, z=(0, 3))], volume="authors"
        )
        assert engine.asked[0][1].tolist() == [1, -1]
        for coords, labels in engine.asked[1:]:
            assert labels.tolist() == [2, 3]
            assert (coords[1] - coords[0] > 5).all()

    def test_a_point_that_finds_nothing_is_asked_again(self) -> None:
        engine = BrightEngine()
        model = bright_model(engine=engine, **EVERYTHING)
        array = np.zeros((3, 64, 64), dtype=np.uint8)
        array[:, 0, 0] = 255
        model.segment(
            Image.from_array(array), [Prompt(points=((20, 25),), slice=1, z=(0, 3))], volume="authors"
        )
        assert [labels.tolist() for _, labels in engine.asked] == [[1, -1]] * 3

    def test_a_model_without_boxes_needs_a_prompt_on_every_slice(self) -> None:
        model = bright_model(prompts=("points",))
        image = Image.from_array(volume())
        with pytest.raises(UnsupportedPromptError, match=r"did not learn boxes.*on every slice"):
            model.segment(image, [Prompt(points=((15, 18),), slice=6, z=(5, 8))], volume="authors")
        result = model.segment(
            image, [Prompt(points=tuple((15, 18, z) for z in (5, 6, 7)))], volume="authors"
        )
        assert [m.any() for m in result.masks[0][4:9]] == [False, True, True, True, False]

    def test_prompts_on_two_slices_meet(self) -> None:
        slices, _, _ = placed([])
        prompts = {3: PlanePrompt(box=(6, 7, 24, 29)), 9: PlanePrompt(box=(6, 7, 24, 29))}
        (mask,) = masks(Authors(), bright_model(), slices, [Track(prompts, 2, 12)])
        assert mask[2:12].any(axis=(1, 2)).all()
        assert not mask[:2].any()
        assert not mask[12:].any()


class TestSpilling:
    """Only where slices are needed twice, and never for crops, which no second object can use."""

    @pytest.mark.parametrize(
        ("boxes", "zoom", "spills"),
        [
            (BOXES, "off", True),
            (BOXES[:1], "off", False),
            (BOXES, "1.5", False),
            (((5, 6, 0, 25, 30, 5), (5, 6, 6, 25, 30, 12)), "off", False),
        ],
    )
    def test_when(self, boxes: Any, zoom: str, spills: bool, monkeypatch: pytest.MonkeyPatch) -> None:
        model = bright_model(memory_bytes=0)
        written: list[Path] = []
        import anytomy.engine.cache as module

        write = module._write
        monkeypatch.setattr(module, "_write", lambda *a: written.append(a[0]) or write(*a))
        slices, tracks, _ = placed([Prompt(box=box) for box in boxes])
        masks(Authors(), model, slices, tracks, Zoom.parse(zoom))
        assert bool(written) == spills
        assert not any(folder.exists() for folder in written)

    def test_the_folder_goes_when_the_caller_stops_in_the_middle(self, tmp_path: Path) -> None:
        import tempfile

        model = bright_model(memory_bytes=0)
        slices, tracks, _ = placed([Prompt(box=box) for box in BOXES])
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(tempfile, "tempdir", str(tmp_path))
            run = Authors().run(model, slices, tracks, OFF)
            for _ in range(6):
                next(run)
            assert list(tmp_path.iterdir())
            run.close()
        assert not list(tmp_path.iterdir())


def test_strategies_by_name() -> None:
    assert by_name("authors").name == "authors"
    with pytest.raises(OptionError, match=r"volume strategy of .*authors.*got 'magic'"):
        by_name("magic")


@pytest.mark.slow
@pytest.mark.shared
@pytest.mark.parametrize(
    ("path", "box", "scale"),
    [("acdc/patient064/patient064_frame01.nii.gz", None, 255.0)],
)
def test_the_published_model_on_a_real_volume(
    path: str, box: Any, scale: float, shared: Path, litemedsam: Any
) -> None:
    """Hearts of ACDC: the truth only places the box, as in the challenge."""
    import anytomy
    from anytomy.core.view import SliceView
    from anytomy.engine.model import LoadedModel
    from anytomy.engine.torch_engine import TorchEngine
    from anytomy.predict.model import Model
    from anytomy.zoo.registry import card

    image = anytomy.read(shared / "data" / path)
    truth = np.asarray(anytomy.read(shared / "data" / path.replace(".nii", "_gt.nii")).array)
    view = SliceView.canonical(image.geometry)
    # 8-bit slices in the canonical view: what the authors' script would be given.
    grey = np.ascontiguousarray(
        view.apply((np.asarray(image.array, float) * scale).clip(0, 255).astype(np.uint8))
    )
    seen_truth = view.apply(truth)
    engine = TorchEngine(litemedsam, threads=2)
    model = Model(card("litemedsam"), engine)
    assert isinstance(model, LoadedModel)
    prompts = []
    for label in (1, 3):
        where = np.argwhere(seen_truth == label)
        low, high = where.min(axis=0), where.max(axis=0) + 1
        prompts.append(Prompt(box=tuple(int(v) for v in (*low[::-1], *high[::-1]))))
    result = model.segment(Image.from_array(grey), prompts, intensity="none", volume="authors")
    assert model.encodings == len({s for p in prompts for s in range(int(p.box[2]), int(p.box[5]))})
    for prompt, mask in zip(prompts, result.masks, strict=True):
        expected = their_way(grey, their_box(tuple(int(v) for v in prompt.box)), *with_engine(engine))
        overlap = (mask & expected).sum() / (mask | expected).sum()
        assert expected.any()
        assert overlap >= 0.995
