"""Prompts of a kind that is left to the base are answered by it, in training too."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from anytomy.engine.frame import Frame
from anytomy.models.adapters.adapted import attach
from anytomy.models.adapters.registry import parse
from anytomy.tuning.batches import Batch
from anytomy.tuning.prompts import Tokens, prompt_mix
from anytomy.tuning.tasks import PromptTask
from tests.engine.tiny import EVERYTHING, LITEMEDSAM, card, random_sam
from tests.tuning.conftest import quick

BOX = Tokens(np.array([[8, 8], [40, 40]], np.float32), np.array([2, 3], np.float32))


def task_and_batch(routes: tuple[str, ...], rounds: int, **more: object) -> tuple[PromptTask, Batch]:
    config = quick(mode="promptable", method="prompt-decoder", routes=routes, rounds=rounds, **more)
    model = attach(random_sam(), parse("prompt-decoder"))
    task = PromptTask(model, config, "single", encodes=False, plain=random_sam() if routes else None)
    torch.manual_seed(0)
    with torch.no_grad():
        embedding = model.encode(torch.rand(1, 3, model.input_size, model.input_size))
    side = 4 * model.grid
    target = torch.zeros(1, 1, side, side)
    target[..., 3:9, 4:11] = 1
    frame = Frame.of((64, 64), model.input_size, LITEMEDSAM)
    return task, Batch(embedding, target, ["a"], "box-clicks", [BOX], [frame], [(0, "a")])


def test_the_base_answers_the_box_whatever_was_learned() -> None:
    task, batch = task_and_batch(("box",), 2)
    before = task.decode(batch.image, [BOX], None).mask_logits.clone()
    with torch.no_grad():
        for parameter in task.model.mask_decoder.parameters():
            parameter.add_(0.1)
    assert torch.equal(task.decode(batch.image, [BOX], None).mask_logits, before)
    clicked = BOX.with_click(20, 20, 1)
    assert not torch.equal(task.decode(batch.image, [clicked], None).mask_logits, before)


def test_its_round_has_no_loss_and_the_click_after_it_has() -> None:
    task, batch = task_and_batch(("box",), 2)
    loss = task(batch)
    loss.backward()
    assert any(p.grad is not None and p.grad.any() for p in task.model.mask_decoder.parameters())
    assert task.plain is not None
    assert not any(p.requires_grad for p in task.plain.parameters())


def test_a_mask_of_the_base_that_leaves_nothing_to_correct_teaches_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """No click comes then, and without the mask of the round before a box alone is the base's again."""
    task, batch = task_and_batch(("box",), 3, feed_mask=False)
    monkeypatch.setattr(task, "shown", lambda *_: 20 * batch.target - 10)
    loss = task(batch)
    loss.backward()
    assert loss == 0
    assert not any(p.grad is not None and p.grad.any() for p in task.parameters())


def test_without_routes_all_rounds_are_learned() -> None:
    task, batch = task_and_batch((), 1)
    assert task.plain is None
    assert task(batch).requires_grad


def test_what_is_left_to_the_base_is_no_part_of_the_mix() -> None:
    config = quick(mode="promptable", prompts={"box": 1.0, "clicks": 1.0}, routes=("box",))
    assert prompt_mix(config, card(prompts=EVERYTHING)) == {"clicks": 1.0}
