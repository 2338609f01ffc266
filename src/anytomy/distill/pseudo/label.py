"""A label that nobody drew, with a weight for each pixel and a reason for each object: `pseudo_label`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from heapq import merge
from itertools import groupby
from typing import TYPE_CHECKING, Any

import numpy as np

from anytomy.core.errors import OptionError, PromptError
from anytomy.core.intensity import choose_policy
from anytomy.core.view import SliceView
from anytomy.distill.pseudo.asking import Asking
from anytomy.distill.pseudo.proposals import STORED, from_prompts, from_student
from anytomy.distill.pseudo.reliability import Evidence, Rules, look
from anytomy.distill.pseudo.teacher import Pictures, classified, prompted, proposed, unasked
from anytomy.distill.pseudo.weights import Painter
from anytomy.engine.model import check_prompt_kinds
from anytomy.evaluation.bench.table import packed
from anytomy.volumes.registry import strategy

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from anytomy.core.image import Image
    from anytomy.core.prompt import Prompt
    from anytomy.distill.pseudo.proposals import Proposal
    from anytomy.distill.pseudo.teacher import Answer
    from anytomy.engine.model import PromptableModel


@dataclass(frozen=True, eq=False)
class Judged:
    """One object in one slice, and whether it may be learned from.

    Attributes:
        structure: Its class.
        slice: Slice of the view, as the teacher saw it.
        file_slice: The same slice as the file counts it.
        source: Who found it: `stored`, `student`, `automatic` or `classes`.
        box: What was asked for, `x0, y0, x1, y1` in the slice; None where there was no box.
        evidence: What is known about it.
        reasons: Why it is rejected, in words; none if it is accepted.
        mask: The teacher's, `(row, column)` of the slice, `packed` (see `evaluation.bench.table`).
        student: What the student finds there, in the same form; None without one.
    """

    structure: str
    slice: int
    file_slice: int
    source: str
    box: tuple[float, float, float, float] | None
    evidence: Evidence
    reasons: tuple[str, ...]
    mask: bytes
    student: bytes | None = None

    @property
    def accepted(self) -> bool:
        """Whether it is learned from."""
        return not self.reasons


@dataclass(frozen=True, eq=False)
class PseudoLabel:
    """A label on the grid of the image.

    Attributes:
        case: What it is called.
        class_map: Class of each pixel, uint8 `([z,] y, x)`, 0 the background.
        weight: How sure that is, float32 of the same shape; 1 is sure, 0 is not to be learned.
        objects: All objects that the teacher was asked about, accepted or not.
        soft: The teacher's probabilities, float16 `(classes + 1, [z,] y, x)`; None where not asked for.
    """

    case: str
    class_map: NDArray[np.uint8]
    weight: NDArray[np.float32]
    objects: tuple[Judged, ...]
    soft: NDArray[np.float16] | None = None

    @property
    def accepted(self) -> int:
        """How many objects are learned from."""
        return sum(each.accepted for each in self.objects)

    def rows(self, dataset: str = "") -> list[dict[str, Any]]:
        """A row of the table of objects (`distill.pseudo.table`) for each object."""
        return [
            {
                "dataset": dataset,
                "case": self.case,
                "structure": each.structure,
                "slice": each.file_slice,
                "source": each.source,
                "accepted": each.accepted,
                "reason": "; ".join(each.reasons),
                **asdict(each.evidence),
                **dict(zip(("x0", "y0", "x1", "y1"), each.box or (None,) * 4, strict=True)),
                "mask": each.mask,
                "student": each.student,
            }
            for each in self.objects
        ]


def pseudo_label(
    image: Image,
    teacher: PromptableModel,
    classes: Sequence[str],
    *,
    asking: Asking | None = None,
    prompts: Iterable[Prompt] = (),
    student: NDArray[np.float32] | None = None,
    rules: Rules | None = None,
    intensity: str = "auto",
    axis: str = "z",
    seed: int = 0,
    case: str = "",
    soft: bool = False,
) -> PseudoLabel:
    """Ask a teacher for the objects of an image, and judge each answer.

    The label follows from the arguments alone, whatever else runs; memory is that of the label and of one
    object.

    Args:
        image: What is to be labelled.
        teacher: Takes prompts; or has classes, and is then asked for those, whatever `asking.how` says.
        classes: Names of the classes in order; the first has the value 1.
        asking: How objects are found and how often the teacher is asked.
        prompts: For `stored`; each named for its class.
        student: Probabilities `(classes + 1, [z,] y, x)` of a network that did not learn from this teacher,
            on the image's grid. Without it there is nothing to ask about but stored prompts and classes, and
            a teacher that errs consistently is not found out.
        rules: What is accepted.
        intensity: `auto` (the teacher's policy for the modality) or a policy.
        axis: The file's axis that slices run along.
        seed: Of the jitters.
        case: What the label is called.
        soft: Also keep the teacher's probabilities.

    Raises:
        OptionError: If there is no student where one is needed, or its shape does not fit.
        PromptError: If stored prompts are missing, outside of the image, or not named for a class.
        UnsupportedPromptError: If the teacher never learned such prompts.
    """
    asking, rules = asking or Asking(), rules or Rules()
    view = SliceView.canonical(image.geometry, axis)
    guide = _student_in_view(student, image, view, len(classes))
    painter = Painter(
        (view.size[2], view.size[1], view.size[0]),
        len(classes),
        guide,
        complete=bool(teacher.card.classes) or asking.how == "stored",
        disputed=rules.disputed,
        soft=soft,
    )
    grey = choose_policy(image, teacher.card.intensity, intensity).policy.fit(image)
    pictures = Pictures(image, view, grey)
    objects: list[Judged] = []

    def unsure(answer: Answer) -> bool:
        """Whether the student is less sure of what lies in a box than rules want."""
        assert guide is not None
        assert painter.student is not None
        mine = painter.student[answer.slice] == answer.index
        chance = guide[answer.index, answer.slice]
        return look(answer, pictures.shape, mine, chance).evidence.certainty < rules.certainty

    answers = _answers(
        teacher, pictures, classes, painter.student, asking, tuple(prompts), axis, seed, unsure
    )
    for slice_, group in groupby(answers, key=lambda answer: answer.slice):
        chances = None if guide is None else guide[:, slice_]
        objects += _judge_slice(list(group), painter, pictures, classes, rules, chances)
    painter.finish()
    return PseudoLabel(
        case=case,
        class_map=_on_grid(painter.class_map, image, view),
        weight=_on_grid(painter.weight, image, view),
        objects=tuple(objects),
        soft=None if painter.soft is None else np.stack([_on_grid(c, image, view) for c in painter.soft]),
    )


def _answers(
    teacher: PromptableModel,
    pictures: Pictures,
    classes: Sequence[str],
    found: NDArray[np.uint8] | None,
    asking: Asking,
    prompts: Sequence[Prompt],
    axis: str,
    seed: int,
    unsure: Callable[[Answer], bool],
) -> Iterator[Answer]:
    """What the teacher says, by whichever way it is asked.

    About what a student is too unsure of it is not asked, since that would hardly ever be accepted: a weak
    student draws hundreds of such specks.
    """
    if teacher.card.classes:
        return classified(teacher, pictures, classes, asking)
    if asking.how == "stored":
        if not prompts:
            raise PromptError("there is no stored prompt", hint="give prompts that are named for their class")
        for prompt in prompts:
            check_prompt_kinds(teacher.card, prompt.kinds, prompt.label)
        proposals = from_prompts(pictures.image, prompts, classes, pictures.view, axis)
        carry = strategy(asking.volume)
        return _by_slice(prompted(teacher, pictures, proposals, carry, asking, seed))
    if found is None:
        raise OptionError(
            "expected a student's prediction to find objects by", hint="give one, or ask by stored prompts"
        )
    if asking.how == "automatic":
        return proposed(teacher, pictures, found, asking)
    check_prompt_kinds(teacher.card, ("box",), "a box around a student's object")
    sure: list[Proposal] = []
    left_out: list[Answer] = []
    for proposal in from_student(found, asking):
        answer = unasked(proposal)
        if unsure(answer):
            left_out.append(answer)
        else:
            sure.append(proposal)
    asked = prompted(teacher, pictures, sure, strategy("slices"), asking, seed)
    return merge(asked, left_out, key=lambda answer: answer.slice)


def _by_slice(answers: Iterable[Answer]) -> Iterator[Answer]:
    """Answers to objects that reach through slices, slice by slice."""
    return iter(sorted(answers, key=lambda answer: answer.slice))


def _judge_slice(
    answers: Sequence[Answer],
    painter: Painter,
    pictures: Pictures,
    classes: Sequence[str],
    rules: Rules,
    chances: NDArray[np.float32] | None,
) -> list[Judged]:
    """Judge and draw the objects of one slice; `chances` are the student's `(classes + 1, row, column)`."""
    found = None if chances is None else chances.argmax(axis=0)
    judged, accepted = [], []
    for answer in answers:
        mine = None if found is None else found == answer.index
        seen = look(answer, pictures.shape, mine, None if chances is None else chances[answer.index])
        reasons = rules.against(seen.evidence, stored=answer.source == STORED)
        judged.append(
            Judged(
                structure=classes[answer.index - 1],
                slice=answer.slice,
                file_slice=pictures.view.slice_to_view(answer.slice),
                source=answer.source,
                box=answer.box,
                evidence=seen.evidence,
                reasons=reasons,
                mask=packed(seen.mask),
                student=None if seen.student is None else packed(seen.student),
            )
        )
        if reasons:
            painter.reject(answer, seen)
        else:
            accepted.append((answer, seen))
    for answer, seen in accepted:
        painter.accept(answer, seen)
    return judged


def _student_in_view(
    student: NDArray[np.float32] | None, image: Image, view: SliceView, classes: int
) -> NDArray[np.float32] | None:
    """Probabilities as `(classes + 1, slice, row, column)`; no copy."""
    if student is None:
        return None
    shape = image.geometry.shape_zyx[0 if image.is_volume else 1 :]
    if student.shape != (classes + 1, *shape):
        raise OptionError(
            f"expected a student's probabilities of shape {(classes + 1, *shape)} for {image.name}, got "
            f"{student.shape}"
        )
    whole = student if image.is_volume else student[:, None]
    return np.moveaxis(view.apply(np.moveaxis(whole, 0, -1)), -1, 0)


def _on_grid(array: NDArray[Any], image: Image, view: SliceView) -> NDArray[Any]:
    """An array `(slice, row, column)` as the file has it."""
    whole = np.ascontiguousarray(view.restore(array))
    return whole if image.is_volume else whole[0]
