"""How far a pseudo-label is to be trusted: `Evidence` about one object, and `Rules` that decide.

- Agreement and entropy over answers to augmented prompts: WS-SAM (He et al., arXiv 2305.11003), which weighs
  pixels and chooses images by the entropy of the mean answer.
- Agreement with an independent student: SamDSK (Zhang et al., arXiv 2308.13759) and SemiSAM (Zhang et al.,
  arXiv 2312.06316). A teacher that errs the same way each time agrees with itself; only somebody else sees
  it. A student that drew the box itself is a witness only where it is sure: a teacher fills whatever box it
  is given.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np

from anytomy.core.errors import OptionError
from anytomy.distill.pseudo.proposals import STORED, STUDENT
from anytomy.volumes.level import filled, tight_box

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from anytomy.distill.pseudo.teacher import Answer

# By how much of its side a box is grown to see what a student finds there: a box need not hold all of it.
_AROUND = 0.1


@dataclass(frozen=True)
class Evidence:
    """What is known about one pseudo-label; NaN is not known.

    Attributes:
        area: Pixels of the mask, which is where the mean answer is above one half.
        score: The teacher's own confidence in its first answer (its predicted IoU). It ranks at best.
        agreement: Mean IoU of the single answers with the mask; of an automatic mask its stability.
        entropy: Mean entropy in bits of the mean answer, over all that at least one answer holds.
        student_dice: Dice with what an independent student finds of the class there. Where it finds nothing
            in a box that somebody drew, that says more of the student than of the box: it is not known.
        certainty: The student's mean probability over its object, where the box is its own.
        area_ratio: Area over the student's.
        offset: How far its middle lies from the student's, as a share of the student's extent; the larger one
            of rows and columns.
        filled: IoU of its tight box with the box that was asked for.
    """

    area: int
    score: float = math.nan
    agreement: float = math.nan
    entropy: float = math.nan
    student_dice: float = math.nan
    certainty: float = math.nan
    area_ratio: float = math.nan
    offset: float = math.nan
    filled: float = math.nan


@dataclass(frozen=True)
class Rules:
    """What a pseudo-label must be to be learned from.

    How the defaults were chosen: with LiteMedSAM on kvasir_seg (16 pictures, a box around each part of a
    student) 94 % of its answers pass, and 0 to 6 % of those that are moved by a quarter of their size. Asked
    by tight boxes, all pass in kvasir_seg (10 pictures, Dice 0.92) and 46 % in msd_hippocampus (13 objects;
    Dice 0.83 of those that pass, 0.69 of the others); of moved ones 0 to 10 %. Students were labels that a
    smooth noise distorts to a Dice of 0.70 to 0.85. Labels distorted in the same way to 0.87 to 0.93, which
    know nothing of the box, pass in 54 to 57 % (kvasir_seg, msd_hippocampus, dsb2018), moved along one axis
    in 5 to 17 %, along both in 0 to 5 %. A teacher that errs the same way each time is better found out where
    labels are (`trial`).

    What no rule sees: a weak student draws wrong boxes, the teacher fills them, and both agree. With students
    of six labelled pictures of kvasir_seg (Dice about 0.3), answers that pass have a Dice of 0.3 to 0.45 with
    the label. The student's certainty tells some of the worst (below 0.7 after 435 steps: Dice 0.0).

    Attributes:
        score: Least score of the teacher's own.
        agreement: Least agreement.
        entropy: Most entropy in bits.
        student_dice: Least Dice with the student.
        certainty: Least certainty of the student.
        area_ratio: Most that it may be larger or smaller than the student's, as a factor.
        offset: Farthest from the student's middle.
        filled: Least IoU of boxes where a person drew the box, which is tight then.
        filled_student: The same where the box is a student's, whose errors the teacher is asked to correct.
        disputed: Weight of a pixel that the teacher gives to another class than the student does, in an
            accepted object.

    Raises:
        OptionError: If a number makes no sense.
    """

    score: float = 0.5
    agreement: float = 0.75
    entropy: float = 0.5
    student_dice: float = 0.65
    certainty: float = 0.7
    area_ratio: float = 2.0
    offset: float = 0.13
    filled: float = 0.75
    filled_student: float = 0.5
    disputed: float = 0.5

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            low, high = (1.0, math.inf) if field.name == "area_ratio" else (0.0, 1.0)
            if not low <= value <= high:
                raise OptionError(
                    f"expected {field.name} of {low:g} to {high:g} for pseudo-labels, got {value}"
                )

    def against(self, known: Evidence, *, stored: bool = False) -> tuple[str, ...]:
        """Why an object must not be learned from, in words after the rule's name; nothing if it may be.

        Args:
            known: What is known about it; what is not known passes.
            stored: Whether a person drew its box.
        """
        unsure = (
            f"certainty: the student is sure to {known.certainty:.2f}, at least {self.certainty:g} is wanted"
        )
        if known.area == 0:
            return (unsure if known.certainty < self.certainty else "nothing: the teacher found nothing",)
        least = self.filled if stored else self.filled_student
        ratio = max(known.area_ratio, 1 / known.area_ratio) if known.area_ratio > 0 else math.nan
        # For each rule whether it is broken, its name, what was found and what is wanted.
        checks = (
            (known.score < self.score, f"own score: {known.score:.2f}", f"at least {self.score:g}"),
            (
                known.agreement < self.agreement,
                f"agreement: answers agree to {known.agreement:.2f}",
                f"at least {self.agreement:g}",
            ),
            (
                known.entropy > self.entropy,
                f"entropy: {known.entropy:.2f} bits",
                f"at most {self.entropy:g}",
            ),
            (
                known.student_dice < self.student_dice,
                f"student: Dice {known.student_dice:.2f} with it",
                f"at least {self.student_dice:g}",
            ),
            (
                known.certainty < self.certainty,
                f"certainty: the student is sure to {known.certainty:.2f}",
                f"at least {self.certainty:g}",
            ),
            (
                ratio > self.area_ratio,
                f"area: {known.area_ratio:.2f} times the student's",
                f"at most a factor of {self.area_ratio:g}",
            ),
            (
                known.offset > self.offset,
                f"middle: {known.offset:.2f} extents from the student's",
                f"at most {self.offset:g}",
            ),
            (known.filled < least, f"box: filled to {known.filled:.2f}", f"at least {least:g}"),
        )
        return tuple(f"{found}, {wanted} is wanted" for broken, found, wanted in checks if broken)


@dataclass(frozen=True, eq=False)
class Seen:
    """An answer that was looked at.

    Attributes:
        mask: Where the mean answer is above one half; bool, of the whole slice.
        mean: The mean answer, float32, of the answer's part of the slice.
        entropy: Of the mean answer in bits, of the same part.
        student: What the student finds of the class there; bool, of the whole slice; None without a student.
        evidence: What follows.
    """

    mask: NDArray[np.bool_]
    mean: NDArray[np.float32]
    entropy: NDArray[np.float32]
    student: NDArray[np.bool_] | None
    evidence: Evidence


def look(
    answer: Answer,
    shape: tuple[int, int],
    student: NDArray[np.bool_] | None,
    chance: NDArray[np.float32] | None = None,
) -> Seen:
    """All that can be known about an answer.

    Args:
        answer: Of the teacher.
        shape: `(row, column)` of the slice.
        student: Where an independent student finds the class in the slice.
        chance: The student's probability of the class there.
    """
    mean = answer.probabilities.mean(axis=0, dtype=np.float32)
    bits = entropy(mean)
    mask = np.zeros(shape, dtype=bool)
    mask[answer.window.part] = mean > 0.5
    near = None if student is None else student & (mask | _around(answer, mask))
    area = int(np.count_nonzero(mask))
    measured = {"score": answer.score}
    if near is not None and near.any() and chance is not None and answer.source == STUDENT:
        measured["certainty"] = float(chance[near].mean())
    if not area:
        return Seen(mask, mean, bits, near, Evidence(0, **measured))
    single = answer.probabilities > 0.5
    measured["agreement"] = answer.stability
    if len(single) > 1:
        measured["agreement"] = _agreement(single, mask[answer.window.part])
        measured["entropy"] = float(bits[single.any(axis=0) | (mean > 0.5)].mean())
    if answer.box is not None:
        measured["filled"] = filled(mask, np.asarray(answer.box))
    if near is not None and near.any():
        measured |= _against_student(mask, near)
    elif near is not None and answer.source != STORED:
        measured["student_dice"] = 0.0
    return Seen(mask, mean, bits, near, Evidence(area, **measured))


def entropy(chance: NDArray[np.float32]) -> NDArray[np.float32]:
    """Entropy in bits of each probability: 1 at one half, 0 where it is sure."""
    p = np.clip(chance, 1e-6, 1 - 1e-6).astype(np.float32)
    return np.asarray(-p * np.log2(p) - (1 - p) * np.log2(1 - p), dtype=np.float32)


def _agreement(single: NDArray[np.bool_], mask: NDArray[np.bool_]) -> float:
    shared = (single & mask).sum(axis=(1, 2))
    return float((shared / np.maximum((single | mask).sum(axis=(1, 2)), 1)).mean())


def _around(answer: Answer, mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Where a student's object counts as this one: the box, or that of the mask, and a little around it."""
    box = answer.box if answer.box is not None else tight_box(mask)
    near = np.zeros_like(mask)
    if box is not None:
        x0, y0, x1, y1 = box
        wide, high = _AROUND * (x1 - x0), _AROUND * (y1 - y0)
        rows = slice(max(math.floor(y0 - high), 0), math.ceil(y1 + high))
        near[rows, max(math.floor(x0 - wide), 0) : math.ceil(x1 + wide)] = True
    return near


def _against_student(mask: NDArray[np.bool_], student: NDArray[np.bool_]) -> dict[str, float]:
    area, theirs = np.count_nonzero(mask), np.count_nonzero(student)
    box = tight_box(student)
    assert box is not None
    middles = [np.argwhere(m).mean(axis=0) for m in (mask, student)]
    extent = np.array([box[3] - box[1], box[2] - box[0]])
    return {
        "student_dice": float(2 * np.count_nonzero(mask & student) / (area + theirs)),
        "area_ratio": float(area / theirs),
        "offset": float((np.abs(middles[0] - middles[1]) / extent).max()),
    }
