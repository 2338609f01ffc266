"""`litemedsam-click`, the adapter that comes with Anytomy: its card, and what it answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

import anytomy
from anytomy.models.adapters.folder import read_adapter, read_weights
from anytomy.zoo.registry import card, model_ids
from anytomy.zoo.standin import card_for

if TYPE_CHECKING:
    from numpy.typing import NDArray

ID = "litemedsam-click"


def blob() -> tuple[anytomy.Image, NDArray[np.bool_]]:
    """A bright disc on a darker, noisy ground."""
    rows, columns = np.mgrid[:160, :200]
    truth = np.hypot(rows - 70, columns - 120) < 26
    values = np.random.default_rng(0).normal(60, 5, truth.shape) + 110 * truth
    return anytomy.Image.from_array(values.clip(0, 255).astype(np.uint8)), truth


def dice(found: NDArray[np.bool_], truth: NDArray[np.bool_]) -> float:
    return 2 * float((found & truth).sum()) / float(found.sum() + truth.sum())


def test_it_is_a_model_that_stands_in_for_litemedsam() -> None:
    assert ID in model_ids()
    found = card(ID)
    assert (found.base_id, found.prompts) == ("litemedsam", ("box", "points", "mask"))
    assert card_for("litemedsam", ("points", "mask"), "this").id == ID
    assert card_for("litemedsam", ("box",), "this").id == "litemedsam"


def test_its_folder_holds_half_precision_of_what_was_trained_and_a_licence() -> None:
    found = card(ID)
    assert found.adapter is not None
    mine = read_adapter(found.adapter.folder)
    assert (mine.method, mine.routes, mine.touches_encoder) == ("prompt-decoder", ("box",), False)
    assert mine.licence == "CC-BY-SA-4.0"
    assert {"dsb2018", "isic2017", "hc18", "msd_hippocampus"} <= set(mine.data)
    state = read_weights(found.adapter.folder, mine)
    assert {tensor.element_size() for tensor in state.values()} == {2}
    licence = (found.adapter.folder / "LICENSE").read_text(encoding="utf-8")
    assert "ShareAlike 4.0" in licence
    assert all(name in licence for name in mine.data if not name.startswith("click_scenes_"))


@pytest.mark.usefixtures("real_cache")
def test_boxes_are_answered_bit_for_bit_as_before() -> None:
    image, truth = blob()
    box = [anytomy.Prompt(box=(90, 40, 150, 100))]
    tuned, base = (anytomy.load(each, threads=1).segment(image, box) for each in (ID, "litemedsam"))
    assert (tuned.masks[0] == base.masks[0]).all()
    assert tuned.scores == base.scores
    assert dice(np.asarray(tuned.masks[0]), truth) > 0.8


@pytest.mark.usefixtures("real_cache")
def test_one_click_finds_a_bright_blob_and_a_mask_may_come_back() -> None:
    image, truth = blob()
    model = anytomy.load(ID, threads=1)
    found = np.asarray(model.segment(image, [anytomy.Prompt(points=((120, 70),))]).masks[0])
    assert dice(found, truth) > 0.8
    again = anytomy.Prompt(points=((120, 70), (10, 10)), labels=(1, 0), mask=found)
    assert dice(np.asarray(model.segment(image, [again]).masks[0]), truth) > 0.8
