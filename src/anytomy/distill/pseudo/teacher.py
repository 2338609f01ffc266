"""What the teacher says about each object in each slice, several times: `Answer`.

Sources: WS-SAM (He et al., arXiv 2305.11003) asks for the same object in several augmented pictures and
averages; boxes are augmented here first, since only flips of the picture cost encodings. SamDSK (Zhang et
al., arXiv 2308.13759) matches automatic masks with a student's prediction one to one.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Protocol, cast

import numpy as np

from anytomy.core.errors import ModelError, OptionError
from anytomy.core.structures import canonical
from anytomy.distill.pseudo.asking import FLIPS, jittered, mirrored, steps
from anytomy.distill.pseudo.proposals import components, parts
from anytomy.engine.model import ProposingModel, check_prompt_kinds
from anytomy.predict.automatic.instance import Instance, overlap
from anytomy.predict.automatic.windows import Window
from anytomy.predict.zoom import Zoom
from anytomy.volumes.fitted import Fitted
from anytomy.volumes.slices import Slices

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from anytomy.core.image import Image
    from anytomy.core.intensity import GreyScale
    from anytomy.core.view import SliceView
    from anytomy.distill.pseudo.asking import Asking
    from anytomy.distill.pseudo.proposals import Part, Proposal
    from anytomy.engine.model import Embedding, PromptableModel
    from anytomy.volumes.strategy import VolumeStrategy

    Box = tuple[float, float, float, float]

# Below this probability a pixel is background in every respect; crops end where nothing is above it.
_NOTHING = 0.02
# IoU: an automatic mask and a part that share less are of different things.
_LEAST_MATCH = 0.3


class _ClassifyingModel(Protocol):
    def encode(self, picture: NDArray[np.uint8]) -> Embedding: ...

    def classify(self, embedding: Embedding) -> NDArray[np.float32]: ...


@dataclass(frozen=True, eq=False)
class Answer:
    """What the teacher said about one object in one slice.

    Attributes:
        index: Class, from 1.
        slice: Slice of the view.
        source: `stored`, `student`, `automatic` or `classes`.
        box: The box that was asked for, `x0, y0, x1, y1`; None where there was none.
        probabilities: Of the object, float16 `(answers, row, column)` of a part of the slice; outside of it
            they are 0. The first is the answer to the prompt itself, the others are to jitters and flips.
        top: First row of the part.
        left: First column of the part.
        score: The teacher's own confidence in the first one.
        stability: Agreement of a mask that was found only once with itself at other thresholds.
    """

    index: int
    slice: int
    source: str
    box: Box | None
    probabilities: NDArray[np.float16]
    top: int
    left: int
    score: float
    stability: float = np.nan

    @property
    def window(self) -> Window:
        """The part of the slice."""
        _, rows, columns = self.probabilities.shape
        return Window(self.top, self.left, self.top + rows, self.left + columns)


@dataclass(frozen=True, eq=False)
class Pictures:
    """An image as the teacher sees it, also mirrored.

    Attributes:
        image: What is asked about.
        view: Its slices.
        grey: The fitted intensity policy.
    """

    image: Image
    view: SliceView
    grey: GreyScale

    @property
    def shape(self) -> tuple[int, int]:
        """`(row, column)` of every slice."""
        return self.view.size[1], self.view.size[0]

    def slices(self, flip: tuple[bool, bool] = (False, False)) -> Slices:
        """The slices, their rows or columns reversed."""
        if not any(flip):
            return Slices.of(self.image, self.view, self.grey)
        seen = self.view.apply(self.image.volume)[(slice(None), *steps(flip))]
        spacing = [self.image.geometry.spacing_xyz_mm[a] for a in reversed(self.view.axes)]
        return Slices(seen, self.grey, spacing=(spacing[0], spacing[1], spacing[2]))


def prompted(
    model: PromptableModel,
    pictures: Pictures,
    proposals: Sequence[Proposal],
    carry: VolumeStrategy,
    asking: Asking,
    seed: int,
) -> Iterator[Answer]:
    """Answers to prompts, to jittered ones, and to mirrored pictures.

    Which jitters an object gets follows from the seed and its own prompt alone, so that it does not matter
    what else is asked, and where.

    Args:
        model: The teacher.
        pictures: What it looks at.
        proposals: Objects; those of one slice one after the other cost one encoding.
        carry: Takes prompts through the slices of a volume.
        asking: Jitters and flips.
        seed: Of the jitters.
    """
    strategy: VolumeStrategy = Fitted(carry) if asking.fits_box else carry
    zoom = Zoom.parse(asking.zoom)
    flips = ((False, False), *FLIPS[: asking.flips])
    looks = [(flip, pictures.slices(flip)) for flip in flips]
    for proposal in proposals:
        held: dict[int, dict[int, _Patch]] = {}
        scores: dict[int, float] = {}
        count = 0
        for flip, slices in looks:
            tracks = [mirrored(proposal.track, flip, pictures.shape)]
            if not any(flip):
                rng = _randomness(seed, proposal)
                tracks += [
                    jittered(proposal.track, asking.jitter, pictures.shape, rng)
                    for _ in range(asking.jitters)
                ]
            for found in strategy.run(model, slices, tracks, zoom):
                number = count + found.track
                logits = found.decoded.logits[steps(flip)]
                held.setdefault(found.slice, {})[number] = _Patch.of(_sigmoid(logits))
                if number == 0:
                    scores[found.slice] = found.decoded.score
            count += len(tracks)
        for slice_ in sorted(scores):
            prompt = proposal.track.prompts.get(slice_)
            box = None if prompt is None else prompt.box
            stack, top, left = _stacked(held[slice_], count)
            yield Answer(proposal.index, slice_, proposal.source, box, stack, top, left, scores[slice_])


def unasked(proposal: Proposal) -> Answer:
    """In the place of an answer about an object in one slice that the teacher is not asked about."""
    ((slice_, prompt),) = proposal.track.prompts.items()
    nothing = np.zeros((1, 0, 0), dtype=np.float16)
    return Answer(proposal.index, slice_, proposal.source, prompt.box, nothing, 0, 0, np.nan)


def classified(
    model: PromptableModel, pictures: Pictures, classes: Sequence[str], asking: Asking
) -> Iterator[Answer]:
    """The parts of the classes that a teacher without prompts finds, in each slice, also mirrored.

    Args:
        model: The teacher; its card names classes.
        pictures: What it looks at.
        classes: Those that count.
        asking: Flips and the smallest part.

    Raises:
        OptionError: If it does not know a class.
    """
    channels = _channels(model, classes)
    judge = cast("_ClassifyingModel", model)
    flips = ((False, False), *FLIPS[: asking.flips])
    looks = [(flip, pictures.slices(flip)) for flip in flips]
    for slice_ in range(len(looks[0][1])):
        said = []
        for flip, slices in looks:
            chances = _softmax(judge.classify(judge.encode(slices[slice_])))
            said.append(chances[(slice(None), *steps(flip))])
        every = np.stack(said)  # (answers, classes + 1, row, column)
        winner = every.mean(axis=0).argmax(axis=0)
        for index, channel in enumerate(channels, start=1):
            for part in components(winner == channel, index, slice_):
                if np.count_nonzero(part.mask) >= asking.least:
                    yield _of_class(every[:, channel].astype(np.float16), winner == channel, part)


def proposed(
    model: PromptableModel, pictures: Pictures, found: NDArray[np.uint8], asking: Asking
) -> Iterator[Answer]:
    """Automatic masks, each matched with a part of a student's prediction.

    In a slice masks and parts are matched one to one so that their IoU is largest in all (Hungarian method,
    as in SamDSK). A part that no mask fits gets an empty answer. How stable a mask is when its threshold
    moves (Segment Anything, arXiv 2304.02643, appendix B) stands in for the agreement of several answers.

    Args:
        model: The teacher; it takes points.
        pictures: What it looks at.
        found: The student's class of each voxel `(slice, row, column)`.
        asking: The smallest part.

    Raises:
        ModelError: If the model can only be asked one by one.
        UnsupportedPromptError: If it never learned points.
    """

    from anytomy.predict.automatic.everything import find_objects
    from anytomy.predict.automatic.settings import AutomaticSettings

    if not isinstance(model, ProposingModel):
        raise ModelError(
            f"{model.card.title} cannot be asked about many points at once, which automatic masks need",
            hint="choose another teacher (anytomy models list)",
        )
    check_prompt_kinds(model.card, ("points",), "the grid of automatic masks")
    slices = pictures.slices()
    settings = AutomaticSettings(least=asking.least)
    for slice_, group in groupby(parts(found, asking), key=lambda part: part.slice):
        wanted = list(group)
        tied = _matched(wanted, find_objects(model, slices[slice_], settings))
        for number, part in enumerate(wanted):
            mask = tied.get(number)
            if mask is None:
                nothing = np.zeros((1, 0, 0), dtype=np.float16)
                yield Answer(part.index, slice_, "automatic", None, nothing, part.box[1], part.box[0], 0.0)
                continue
            sure, box = mask.mask[None].astype(np.float16), mask.box
            yield Answer(
                part.index, slice_, "automatic", None, sure, box.top, box.left, mask.score, mask.stability
            )


@dataclass(frozen=True, eq=False)
class _Patch:
    """Probabilities where there are any: a slice of a large volume has an object in a small part."""

    values: NDArray[np.float16]
    top: int
    left: int

    @classmethod
    def of(cls, chances: NDArray[np.float32]) -> _Patch:
        some = chances > _NOTHING
        rows, columns = np.flatnonzero(some.any(axis=1)), np.flatnonzero(some.any(axis=0))
        if not rows.size:
            return cls(np.zeros((0, 0), dtype=np.float16), 0, 0)
        y, x = int(rows[0]), int(columns[0])
        return cls(chances[y : rows[-1] + 1, x : columns[-1] + 1].astype(np.float16), y, x)


def _stacked(patches: dict[int, _Patch], count: int) -> tuple[NDArray[np.float16], int, int]:
    """Patches of one slice on their common part, `(count, row, column)`, and its first row and column."""
    full = [patch for patch in patches.values() if patch.values.size]
    if not full:
        return np.zeros((count, 0, 0), dtype=np.float16), 0, 0
    top, left = min(p.top for p in full), min(p.left for p in full)
    bottom = max(p.top + p.values.shape[0] for p in full)
    right = max(p.left + p.values.shape[1] for p in full)
    stack = np.zeros((count, bottom - top, right - left), dtype=np.float16)
    for number, patch in patches.items():
        rows, columns = patch.values.shape
        y, x = patch.top - top, patch.left - left
        if patch.values.size:
            stack[number, y : y + rows, x : x + columns] = patch.values
    return stack, top, left


def _of_class(chances: NDArray[np.float16], whole: NDArray[np.bool_], part: Part) -> Answer:
    """One part of a class as an answer; the other parts of the class are answers of their own.

    Args:
        chances: Of the class, `(answers, row, column)`.
        whole: All of the class in the slice.
        part: The part.
    """
    x0, y0, x1, y1 = part.box
    around = max(x1 - x0, y1 - y0) // 4 + 1
    top, left = max(y0 - around, 0), max(x0 - around, 0)
    window = slice(top, y1 + around), slice(left, x1 + around)
    others = whole[window].copy()
    inside = slice(y0 - top, y1 - top), slice(x0 - left, x1 - left)
    others[inside] &= ~part.mask
    values = np.where(others, np.float16(0), chances[(slice(None), *window)])
    score = float(values[0][inside][part.mask].mean())
    return Answer(part.index, part.slice, "classes", None, values, top, left, score)


def _matched(wanted: Sequence[Part], masks: Sequence[Instance]) -> dict[int, Instance]:
    """For each part, by its number, the automatic mask that is the same thing."""
    from scipy.optimize import linear_sum_assignment

    whole = [
        Instance(Window(p.box[1], p.box[0], p.box[3], p.box[2]), p.mask, 1.0, 1.0, (0.0, 0.0)) for p in wanted
    ]
    alike = np.array([[overlap(part, mask) for mask in masks] for part in whole]).reshape(len(wanted), -1)
    pairs = zip(*linear_sum_assignment(alike, maximize=True), strict=True)
    return {int(i): masks[j] for i, j in pairs if alike[i, j] >= _LEAST_MATCH}


def _channels(model: PromptableModel, classes: Sequence[str]) -> list[int]:
    """The teacher's channel of each class."""
    known = {canonical(name): number for number, name in enumerate(model.card.classes, start=1)}
    missing = [name for name in classes if canonical(name) not in known]
    if missing:
        raise OptionError(
            f"expected a teacher that finds {', '.join(missing)}, but {model.card.title} finds "
            f"{', '.join(model.card.classes)}"
        )
    return [known[canonical(name)] for name in classes]


def _randomness(seed: int, proposal: Proposal) -> np.random.Generator:
    said = [(s, p.box, p.points) for s, p in sorted(proposal.track.prompts.items())]
    return np.random.default_rng([seed, proposal.index, zlib.crc32(repr(said).encode())])


def _sigmoid(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(1 / (1 + np.exp(-np.clip(logits, -30, 30))), dtype=np.float32)


def _softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Over the first axis."""
    grown = np.exp(logits - logits.max(axis=0))
    return np.asarray(grown / grown.sum(axis=0), dtype=np.float32)
