"""References: an id, the folder of an adapter, both joined; and adapters for another model."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
import torch

from anytomy.core.errors import ModelError
from anytomy.models.adapters.folder import AdapterCard, write_adapter
from anytomy.models.thresholds import Thresholds
from anytomy.zoo import registry
from anytomy.zoo.adapted import adapted_card
from anytomy.zoo.added import add_model
from anytomy.zoo.card import Training
from anytomy.zoo.registry import card, model_ids

from .conftest import PAYLOAD


def write(folder: Path, base: str = "litemedsam", **changes: Any) -> Path:
    found = card(base)
    values: dict[str, Any] = {
        "base": base,
        "base_sha256": found.weights.sha256,
        "architecture": found.architecture,
        "method": "decoder",
        "prompts": ("box", "points"),
        "intensity": {"default": "none", "MR": "percentile:1,99"},
        "preprocess": asdict(found.preprocess),
        "data": {"dsb2018": {"train": ["a"]}},
        "licence": "CC0-1.0",
    }
    write_adapter(folder, AdapterCard(**(values | changes)), {"mask_decoder.x": torch.zeros(1)})
    return folder


@pytest.mark.parametrize("form", ["{folder}", "litemedsam+{folder}"])
def test_a_folder_is_a_model(tmp_path: Path, form: str) -> None:
    reference = form.format(folder=write(tmp_path / "nuclei"))
    base, found = card("litemedsam"), card(reference)
    assert found.id == reference
    assert found.base_id == "litemedsam"
    assert found.prompts == ("box", "points")
    assert found.intensity_for("MR") == "percentile:1,99"
    assert found.preprocess == base.preprocess
    assert found.weights == base.weights
    assert found.licence == "CC0-1.0"
    assert "nuclei" in found.title
    assert found.training.datasets == ("dsb2018",)
    assert found.weights_sha256("a") not in ("a", base.weights_sha256("a"))
    assert found.to_dict()["adapter"]["method"] == "decoder"


def test_a_list_that_its_base_does_not_have_is_not_complete(tmp_path: Path) -> None:
    unknown, known = card("litemedsam"), replace(card("litemedsam"), training=Training(("busi",)))
    folder = write(tmp_path)
    assert "training.datasets" in adapted_card(folder, "mine", unknown).unverified
    found = adapted_card(folder, "mine", known)
    assert found.training.datasets == ("busi", "dsb2018")
    assert found.unverified == known.unverified


def test_thresholds_are_of_what_was_tuned_and_not_of_the_base(tmp_path: Path) -> None:
    base = replace(card("litemedsam"), automatic=Thresholds(0.6, 0.9, "pictures of cells"))
    assert card(str(write(tmp_path / "a"))).automatic is None
    assert adapted_card(tmp_path / "a", "mine", base).automatic is None
    known = Thresholds(0.5, 0.8, "others")
    assert adapted_card(write(tmp_path / "b", automatic=known), "mine", base).automatic == known


def test_an_id_comes_before_a_folder_of_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "litemedsam")
    monkeypatch.chdir(tmp_path)
    assert card("litemedsam").adapter is None
    assert card("./litemedsam").adapter is not None


def test_classes_take_the_place_of_prompts(tmp_path: Path) -> None:
    found = card(str(write(tmp_path, mode="semantic", prompts=(), classes=("liver",))))
    assert (found.classes, found.prompts) == (("liver",), ())
    assert "finds liver" in found.summary
    assert card("litemedsam").classes == ()


def test_the_base_may_have_another_id_here(tmp_path: Path) -> None:
    file = tmp_path / "mine.pth"
    file.write_bytes(PAYLOAD)
    mine = add_model(file, like="litemedsam", model_id="mine")
    folder = write(tmp_path / "adapter", base="mine", base_sha256=mine.weights.sha256)
    again = add_model(file, like="litemedsam", model_id="again")
    assert again.weights.sha256 == mine.weights.sha256
    assert card(f"again+{folder}").base_id == "again"


@pytest.mark.parametrize(
    ("base", "changes", "match"),
    [
        ("mobile_sam", {}, "has the architecture litemedsam, mobile_sam has mobile_sam"),
        ("litemedsam", {"base_sha256": "ab" * 32}, "with the sha256 abababababab"),
        ("litemedsam", {"preprocess": {"resize": "bicubic"}}, r"prepared otherwise \(.*resize"),
    ],
)
def test_an_adapter_for_another_model_is_refused(
    tmp_path: Path, base: str, changes: dict[str, Any], match: str
) -> None:
    folder = write(tmp_path / "a", **changes)
    with pytest.raises(ModelError, match=f"is for another model: it .*{match}"):
        card(f"{base}+{folder}")


@pytest.mark.parametrize(
    "reference", ["litemedsam+nowhere", "nosuch+nowhere", "litemedsam+", "+x", "", "a/b"]
)
def test_what_is_not_there_is_refused(reference: str) -> None:
    with pytest.raises(ModelError, match="expected"):
        card(reference)


def test_a_folder_without_a_card_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"there is no adapter\.json"):
        card(str(tmp_path))


def test_adapters_do_not_pile_up(tmp_path: Path) -> None:
    folder = write(tmp_path / "one")
    with pytest.raises(ModelError, match=rf"name the model itself: litemedsam\+{folder}"):
        card(f"{folder}+{folder}")


def test_an_adapter_that_comes_with_anytomy_has_an_id(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "litemedsam-click", title="LiteMedSAM click", stands_in_for=("litemedsam",))
    monkeypatch.setattr(registry, "_ADAPTERS", tmp_path)
    found = card("litemedsam-click")
    assert (found.id, found.title, found.builtin) == ("litemedsam-click", "LiteMedSAM click", True)
    assert found.stands_in_for == ("litemedsam",)
    assert model_ids().index("litemedsam-click") == model_ids().index("litemedsam") + 1
    assert replace(found, id="x").base_id == "litemedsam"


def test_a_folder_may_have_a_plus_in_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write(tmp_path / "a run" / "heart+liver")
    for reference in (str(folder), f"litemedsam+{folder}"):
        assert card(reference).base_id == "litemedsam"
    monkeypatch.chdir(folder.parent)
    assert card("heart+liver").base_id == "litemedsam"
