"""What a teacher says to one object, several times."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from anytomy.core.errors import ModelError, OptionError, UnsupportedPromptError
from anytomy.core.intensity import GreyScale
from anytomy.core.view import SliceView
from anytomy.distill.pseudo.asking import Asking
from anytomy.distill.pseudo.proposals import Proposal
from anytomy.distill.pseudo.teacher import Answer, Pictures, classified, prompted, proposed
from anytomy.engine.frame import PlanePrompt
from anytomy.predict.placing import Track
from anytomy.volumes.registry import strategy
from tests.distill.pseudo.phantoms import SIDE, Wrong, bright, ellipse, image
from tests.engine.tiny import EVERYTHING

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from anytomy.engine.model import Embedding

AS_IT_IS = GreyScale(0.0, 255.0, keep=True, zero_is_black=False)


def pictures(mask: NDArray[np.bool_]) -> Pictures:
    made = image(mask)
    return Pictures(made, SliceView.canonical(made.geometry), AS_IT_IS)


def box_of(mask: NDArray[np.bool_]) -> tuple[float, float, float, float]:
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1)


def boxed(mask: NDArray[np.bool_], slice_: int = 0) -> Proposal:
    return Proposal(1, Track({slice_: PlanePrompt(box=box_of(mask))}, slice_, slice_ + 1), "student")


def whole(answer: Answer, number: int = 0) -> NDArray[np.float32]:
    found = np.zeros((SIDE, SIDE), dtype=np.float32)
    found[answer.window.part] = answer.probabilities[number]
    return found


class TestPrompted:
    def test_the_first_answer_is_that_to_the_prompt_itself(self) -> None:
        mask = ellipse(0)
        model, seen = bright(), pictures(mask)
        (found,) = prompted(model, seen, [boxed(mask)], strategy("slices"), Asking(jitters=3), 0)
        direct = model.decode(model.encode(seen.slices()[0]), PlanePrompt(box=box_of(mask)))
        assert found.probabilities.shape[0] == 4
        assert ((whole(found) > 0.5) == (direct.logits > 0)).all()
        assert found.score == pytest.approx(direct.score)
        assert found.box == box_of(mask)

    def test_mirrored_pictures_are_answered_and_mirrored_back(self) -> None:
        mask = ellipse(1)
        asking = Asking(jitters=0, flips=3)
        (found,) = prompted(bright(), pictures(mask), [boxed(mask)], strategy("slices"), asking, 0)
        assert found.probabilities.shape[0] == 4
        for number in range(4):
            either = (whole(found, number) > 0.5) | mask
            assert ((whole(found, number) > 0.5) & mask).sum() / either.sum() > 0.9

    def test_jitters_follow_from_the_seed_and_the_object_alone(self) -> None:
        first, second = ellipse(2), ellipse(3)
        seen = pictures(first | second)

        def asked(objects: list[Proposal], seed: int) -> list[Answer]:
            return list(prompted(bright(), seen, objects, strategy("slices"), Asking(jitter=0.3), seed))

        alone = asked([boxed(first)], 7)[0].probabilities
        later = asked([boxed(second), boxed(first)], 7)[1].probabilities
        assert np.array_equal(alone, later)
        assert not np.array_equal(alone, asked([boxed(first)], 8)[0].probabilities)

    def test_a_strategy_carries_an_object_through_slices(self) -> None:
        mask = ellipse(4)
        volume = np.stack([mask] * 4)
        track = Track({1: PlanePrompt(box=box_of(mask))}, 0, 3, (0, 3))
        found = list(
            prompted(
                bright(), pictures(volume), [Proposal(1, track, "stored")], strategy("slices"), Asking(), 0
            )
        )
        assert [each.slice for each in found] == [0, 1, 2]
        assert [each.box is not None for each in found] == [False, True, False]
        assert all(each.probabilities.shape[0] == 5 for each in found)

    def test_nothing_found_is_an_answer(self) -> None:
        mask = ellipse(5)
        (found,) = prompted(
            bright(), pictures(np.zeros_like(mask)), [boxed(mask)], strategy("slices"), Asking(), 0
        )
        assert not (found.probabilities > 0.5).any()


class _Classes:
    """Finds what is bright on the left as the first class and on the right as the second."""

    def __init__(self) -> None:
        self.card = SimpleNamespace(classes=("left", "right"), title="Sides")
        self.model = bright()

    def encode(self, picture: NDArray[np.uint8]) -> Embedding:
        return self.model.encode(picture)

    def classify(self, embedding: Embedding) -> NDArray[np.float32]:
        light = embedding.array[0, 0] > 0.5
        left = np.indices(light.shape)[1] < SIDE // 2
        return np.stack([4.0 * ~light, 4.0 * (light & left), 4.0 * (light & ~left)]).astype(np.float32)


class TestClassified:
    def squares(self) -> NDArray[np.bool_]:
        mask = np.zeros((SIDE, SIDE), dtype=bool)
        mask[5:15, 5:15] = mask[40:50, 8:20] = mask[10:20, 40:60] = True
        return mask

    def test_each_part_of_each_class_in_the_order_that_is_asked_for(self) -> None:
        found = list(classified(_Classes(), pictures(self.squares()), ("right", "left"), Asking()))  # type: ignore[arg-type]
        assert [(a.index, a.source, int((a.probabilities[0] > 0.5).sum())) for a in found] == [
            (1, "classes", 200),
            (2, "classes", 100),
            (2, "classes", 120),
        ]
        assert all(0.9 < a.score <= 1 for a in found)

    def test_a_mirrored_picture_that_is_answered_otherwise_is_no_agreement(self) -> None:
        found = list(classified(_Classes(), pictures(self.squares()), ("left",), Asking(flips=1)))  # type: ignore[arg-type]
        # Left is right in a mirror: the second answer says that nothing of the class is there.
        assert all(not (each.probabilities[1] > 0.5).any() for each in found)

    def test_a_class_that_it_does_not_know(self) -> None:
        with pytest.raises(OptionError, match="spleen"):
            list(classified(_Classes(), pictures(self.squares()), ("left", "spleen"), Asking()))  # type: ignore[arg-type]


class TestProposed:
    def test_each_part_gets_the_mask_that_fits_it_best(self) -> None:
        mask = np.zeros((SIDE, SIDE), dtype=bool)
        mask[8:18, 8:18] = mask[40:52, 40:52] = True
        student = np.zeros((1, SIDE, SIDE), dtype=np.uint8)
        student[0, 9:18, 8:17] = student[0, 40:50, 41:52] = 1
        student[0, 2:6, 50:56] = 1  # nothing is there
        found = list(proposed(bright(**EVERYTHING), pictures(mask), student, Asking(least=5)))
        assert len(found) == 3
        by_row = sorted(found, key=lambda each: each.top)
        assert by_row[0].probabilities.size == 0
        for each, square in zip(by_row[1:], ((8, 18), (40, 52)), strict=True):
            wanted = np.zeros_like(mask)
            wanted[square[0] : square[1], square[0] : square[1]] = True
            shared = ((whole(each) > 0.5) & wanted).sum()
            assert shared / ((whole(each) > 0.5) | wanted).sum() > 0.5
            assert 0 < each.stability <= 1

    def test_a_teacher_of_boxes_cannot(self) -> None:
        student = np.ones((1, SIDE, SIDE), dtype=np.uint8)
        with pytest.raises(UnsupportedPromptError):
            list(proposed(bright(), pictures(ellipse(0)), student, Asking()))
        with pytest.raises(ModelError):
            list(proposed(Wrong(bright(), "blob"), pictures(ellipse(0)), student, Asking()))
