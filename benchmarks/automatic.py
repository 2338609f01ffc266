"""Everything without prompts: which thresholds suit a model, and what it costs beside encoding and decoding.

`thresholds` asks a model about a grid of points in pictures that it was trained on (those of dsb2018, the
fullest slice of stardist's 3D sample), keeps all masks, and says for pairs of thresholds how many objects are
right. `time` finds everything in a picture of 512 x 512 pixels in one run and takes the encoding and the
decodings away from what it took; with the model's thresholds, and with none, so that all masks have to be
sorted out. Processor seconds stand beside those of the clock, which other programs lengthen.

    python benchmarks/automatic.py thresholds
    python benchmarks/automatic.py time --threads 2
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

import numpy as np

import anytomy
from anytomy.datasets.dataset import open_dataset
from anytomy.evaluation.metrics.measure import measure_instances
from anytomy.predict.automatic.everything import find_objects, segment_everything
from anytomy.predict.automatic.instance import Instance, suppress, tight
from anytomy.predict.automatic.settings import AutomaticSettings
from data import DATA, arguments
from ledger import Ledger, code_version, progress, publish, table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from anytomy.engine.model import Embedding, Proposals
    from anytomy.predict.model import Model

SCORES = tuple(round(0.4 + 0.05 * step, 2) for step in range(11))
STABILITIES = tuple(round(0.5 + 0.05 * step, 2) for step in range(10))
TRAINED_ON = {"dsb2018": None, "stardist_nuclei": "3d"}
KEYS = ("model", "weights", "dataset", "case", "points", "code")
SIDE, POINTS, BAR_S = 512, 32, 3.0


def pictures(model: Model) -> Iterator[tuple[str, str, Any, int | None, NDArray[Any]]]:
    """Data set, case, image, slice and label map `(y, x)` of the pictures that the model was trained on."""
    assert model.card.adapter is not None
    for name, only in TRAINED_ON.items():
        used = model.card.adapter.card.data[name]
        for case in open_dataset(name):
            if case.id not in (*used["train"], *used["validate"]) or (only or case.id) != case.id:
                continue
            image, labels = case.load()
            (whole,) = labels.values()
            slice_ = int((whole > 0).sum(axis=(1, 2)).argmax()) if image.is_volume else None
            yield name, case.id, image, slice_, whole if slice_ is None else whole[slice_]


def all_masks(model: Model, image: Any, slice_: int | None, points: int) -> list[Instance]:
    """All masks of a grid of points, with score and stability; nothing is left out but what is tiny."""
    wanted = AutomaticSettings(points=points, score=0, stability=min(STABILITIES), duplicate=1)
    result = segment_everything(model, image, wanted, slice_=slice_)
    found = []
    for mask, score, stable in zip(result.masks, result.scores, result.details["stability"], strict=True):
        box, part = tight(np.asarray(mask if slice_ is None else mask[slice_]))  # type: ignore[misc]
        found.append(Instance(box, part, score, stable, (0.0, 0.0)))
    return found


def sorted_out(found: list[Instance], score: float, stability: float, shape: tuple[int, ...]) -> list[Any]:
    """The masks `(y, x)` that two thresholds leave, each object once."""
    left = [each for each in found if each.score >= score and each.stability >= stability]
    masks = []
    for place in suppress(left, AutomaticSettings().duplicate):
        mask = np.zeros(shape, dtype=bool)
        mask[left[place].box.part] = left[place].mask
        masks.append(mask)
    return masks


def thresholds(model: Model, points: int) -> None:
    """AP at IoU 0.5 for pairs of thresholds, mean over the pictures."""
    code = code_version(*(f"predict/automatic/{each}.py" for each in ("everything", "proposals", "instance")))
    kept = Ledger("automatic", KEYS)
    rows = []
    every = list(pictures(model))
    with progress("pictures", len(every)) as step:
        for dataset, case, image, slice_, truth in every:
            where = {"model": model.card.id, "weights": model.weights_sha256, "dataset": dataset}
            where |= {"case": case, "points": points, "code": code}

            def measured(image: Any = image, slice_: Any = slice_, truth: Any = truth) -> dict[str, Any]:
                found = all_masks(model, image, slice_, points)
                return {
                    "ap50": [
                        [
                            measure_instances(sorted_out(found, score, stable, truth.shape), truth)["ap50"]
                            for stable in STABILITIES
                        ]
                        for score in SCORES
                    ]
                }

            rows.append(kept.remember(measured, **where))
            step(f"{dataset} {case[:8]}")
    means = np.mean([row["ap50"] for row in rows], axis=0)
    best = np.unravel_index(int(means.argmax()), means.shape)
    lines = [(score, *(float(v) for v in line)) for score, line in zip(SCORES, means, strict=True)]
    text = table(("score / stability", *map(str, STABILITIES)), lines)
    text += f"\n\nbest: score {SCORES[best[0]]}, stability {STABILITIES[best[1]]}, AP50 {means[best]:.3f}"
    publish("automatic", f"{text}, mean over {len(rows)} pictures", {"ap50": means.tolist()})


class Watched:
    """A model that knows how long it encoded and decoded, and answers again what it was asked before."""

    def __init__(self, model: Model) -> None:
        self._model, self.card, self.batch = model, model.card, model.batch
        self._answers: dict[bytes, Proposals] = {}
        self.seconds = np.zeros(2)

    def encode(self, picture: NDArray[np.uint8]) -> Embedding:
        """See `ProposingModel`."""
        return self._timed(lambda: self._model.encode(picture))

    def propose(self, embedding: Embedding, points: NDArray[np.float64]) -> Proposals:
        """See `ProposingModel`."""
        key = points.tobytes()
        if key not in self._answers:
            self._answers[key] = self._timed(lambda: self._model.propose(embedding, points))
        return self._answers[key]

    def decode(self, embedding: Embedding, prompt: Any) -> Any:
        """See `PromptableModel`."""
        return self._model.decode(embedding, prompt)

    def _timed(self, work: Any) -> Any:
        started = clocks()
        try:
            return work()
        finally:
            self.seconds += clocks() - started


def clocks() -> NDArray[np.float64]:
    """Seconds of the clock and of the processor."""
    return np.array([time.perf_counter(), time.process_time()])


def cells(seed: int = 0) -> NDArray[np.uint8]:
    """A picture of bright discs of many sizes on noise."""
    rng = np.random.default_rng(seed)
    picture = rng.normal(60, 12, (SIDE, SIDE))
    y, x = np.mgrid[:SIDE, :SIDE]
    for row, column, radius in zip(
        *rng.uniform([[20], [20], [6]], [[492], [492], [28]], (3, 80)), strict=True
    ):
        picture[(y - row) ** 2 + (x - column) ** 2 < radius**2] += 80
    return picture.clip(0, 255).astype(np.uint8)


def cost(model: Model) -> None:
    """What is left of the time of one run without encoding and decodings."""
    watched, picture, rows = Watched(model), cells(), []
    for name, settings in (
        ("the model's thresholds", AutomaticSettings(points=POINTS)),
        ("no thresholds", AutomaticSettings(points=POINTS, score=0, stability=0)),
    ):
        watched.seconds[:] = 0
        started = clocks()
        found = find_objects(watched, picture, settings)  # type: ignore[arg-type]
        whole = clocks() - started
        beside = whole - watched.seconds
        rows.append((name, len(found), *map(float, watched.seconds), *map(float, beside)))
    load = os.getloadavg()[0]
    text = table(
        ("", "objects", "model, s", "model, processor s", "beside it, s", "beside it, processor s"), rows
    )
    text += f"\n\nbar: {BAR_S:g} s beside the model; load {load:.1f} on {os.cpu_count()} cores"
    publish("automatic_time", text, {"rows": rows, "load": load})


def main() -> None:
    """Measure and publish."""
    parser = arguments(__doc__)
    parser.add_argument("what", choices=["thresholds", "time"])
    parser.add_argument("--model", default="litemedsam-click")
    parser.add_argument("--points", type=int, default=POINTS, help="along the longer side, for thresholds")
    options = parser.parse_args()
    if options.what == "thresholds" and not (options.data / "index.csv").exists():
        print(f"no development data at {options.data}: nothing to measure")
        return
    os.environ.setdefault("ANYTOMY_DATA", str(DATA))
    model = anytomy.load(options.model, threads=options.threads)
    if options.what == "thresholds":
        thresholds(model, options.points)
    else:
        cost(model)


if __name__ == "__main__":
    main()
