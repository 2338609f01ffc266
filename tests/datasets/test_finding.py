"""From names of files to cases: what belongs together, what is left over, and in which order."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from anytomy.core.errors import DatasetError
from anytomy.datasets.finding import find_cases
from anytomy.datasets.tree import Tree
from tests.datasets.making import LIVER, find, layout, make_card, pairs, touch

KIDNEY: dict[str, Any] = {"structure": "kidney", "above": 0}


# -- images and masks --------------------------------------------------------------------------------


def test_masks_of_other_folders_that_share_the_root(tmp_path: Path) -> None:
    touch(tmp_path, "train/img/1.png", "train/gt/1.png", "test/img/1.png", "test/gt/1.png", "gt/1.png")
    found = find(tmp_path, layout("img/{case}.png", "gt/{case}.png"))
    assert pairs(found, tmp_path) == {
        "train/img/1.png": ["train/gt/1.png"],
        "test/img/1.png": ["test/gt/1.png"],
    }
    assert found.lone_masks == ("gt/1.png",)


def test_masks_anywhere_else(tmp_path: Path) -> None:
    touch(tmp_path, "scans/a/1.mhd", "scans/b/2.mhd", "masks/x/1.mhd", "masks/2.mhd")
    found = find(tmp_path, layout("scans/**/{case}.mhd", "**/masks/**/{case}.mhd"))
    assert pairs(found, tmp_path) == {
        "scans/a/1.mhd": ["masks/x/1.mhd"],
        "scans/b/2.mhd": ["masks/2.mhd"],
    }


def test_masks_beside_their_images_are_no_images(tmp_path: Path) -> None:
    touch(tmp_path, "1.png", "1_mask.png", "2.png", "3_mask.png")
    found = find(tmp_path, layout("{case}.png", "{case}_mask.png"))
    assert pairs(found, tmp_path) == {"1.png": ["1_mask.png"]}
    assert found.lone_images == ("2.png",)
    assert found.lone_masks == ("3_mask.png",)


def test_names_need_not_agree_in_case(tmp_path: Path) -> None:
    touch(tmp_path, "Images/P1.PNG", "masks/p1.png")
    found = find(tmp_path, layout("images/{case}.png", "masks/{case}.png"))
    assert pairs(found, tmp_path) == {"Images/P1.PNG": ["masks/p1.png"]}
    assert found.cases[0].id == "P1"


def test_names_that_differ_in_case_alone_stay_apart(tmp_path: Path) -> None:
    files = [f"{folder}/{name}.png" for folder in ("images", "masks") for name in ("aB", "Ab")]
    touch(tmp_path, *files, "images/ab.png")
    if len(list((tmp_path / "images").iterdir())) < 3:
        pytest.skip("this file system takes upper and lower case for the same")
    found = find(tmp_path, layout("images/{case}.png", "masks/{case}.png"))
    assert pairs(found, tmp_path) == {
        "images/aB.png": ["masks/aB.png"],
        "images/Ab.png": ["masks/Ab.png"],
    }
    assert found.lone_images == ("images/ab.png",)


def test_masks_take_over_where_names_of_images_end(tmp_path: Path) -> None:
    touch(tmp_path, "a_b_1_t1.nii.gz", "a_b_2_t1.nii.gz", "a_b_1_seg.nii.gz", "a_b_2_seg.nii.gz")
    made = layout(r"{who:.+}_{visit:\d}_t1.nii*", "{who}_{visit}_seg.nii*", patient="{who}")
    found = find(tmp_path, made)
    assert [(case.id, case.patient) for case in found.cases] == [("a_b_1", "a_b"), ("a_b_2", "a_b")]


def test_several_images_share_a_mask(tmp_path: Path) -> None:
    touch(tmp_path, "p1/p1_t1.nii", "p1/p1_t2.nii", "p1/p1_seg.nii")
    found = find(tmp_path, layout("{p}/{p}_{sequence:t1|t2}.nii", "{p}/{p}_seg.nii"))
    assert pairs(found, tmp_path) == {"p1/p1_t1.nii": ["p1/p1_seg.nii"], "p1/p1_t2.nii": ["p1/p1_seg.nii"]}
    assert [case.id for case in found.cases] == ["p1_t1", "p1_t2"]


def test_one_of_several_masks_is_enough(tmp_path: Path) -> None:
    touch(tmp_path, "img/1.png", "disc/1.png", "img/2.png", "disc/2.png", "cup/2.png", "cup/3.png")
    masks = {"disc": "disc/{case}.png", "cup": "cup/{case}.png"}
    targets = [LIVER | {"mask": "disc"}, KIDNEY | {"mask": "cup"}]
    found = find(tmp_path, layout("img/{case}.png", masks), targets=targets)
    assert [case.structures for case in found.cases] == [("liver",), ("liver", "kidney")]
    assert found.lone_masks == ("cup/3.png",)


def test_labels_in_the_file_of_the_image(tmp_path: Path) -> None:
    touch(tmp_path, "1.npz", "2.npz")
    found = find(tmp_path, layout("{case}.npz::imgs", "{case}.npz::gts"))
    assert [(c.image.path.name, c.image.key, c.masks[0].key) for c in found.cases] == [
        ("1.npz", "imgs", "gts"),
        ("2.npz", "imgs", "gts"),
    ]
    assert not found.lone_images
    assert not found.lone_masks


def test_labels_in_the_file_of_the_image_and_beside_it(tmp_path: Path) -> None:
    touch(tmp_path, "1.npz", "2.npz", "extra/1.png")
    masks = {"inside": "{case}.npz::gts", "extra": "extra/{case}.png"}
    targets = [LIVER | {"mask": "inside"}, KIDNEY | {"mask": "extra"}]
    found = find(tmp_path, layout("{case}.npz::imgs", masks), targets=targets)
    assert pairs(found, tmp_path) == {"1.npz": ["1.npz", "extra/1.png"], "2.npz": ["2.npz"]}
    assert not found.lone_masks


# -- several files for one mask ----------------------------------------------------------------------


def test_several_files_are_one_object_each_in_the_order_of_their_names(tmp_path: Path) -> None:
    touch(tmp_path, *(f"b (1)_mask{n}.png" for n in ("_10", "_2", "")), "b (1).png", "b (2).png")
    touch(tmp_path, "b (2)_mask.png")
    found = find(tmp_path, layout(r"{case:b \(\d\)}.png", "{case}_mask*.png"))
    assert pairs(found, tmp_path) == {
        "b (1).png": ["b (1)_mask.png", "b (1)_mask_10.png", "b (1)_mask_2.png"],
        "b (2).png": ["b (2)_mask.png"],
    }
    assert [case.masks[0].form for case in found.cases] == ["files", "map"]


def test_several_label_maps_for_one_image_are_left_out_and_said(tmp_path: Path) -> None:
    touch(tmp_path, "img/1.nii", "gt/1_a.nii", "gt/1_b.nii", "img/2.nii", "gt/2_a.nii")
    found = find(
        tmp_path,
        layout(r"img/{case:\d}.nii", "gt/{case}_*.nii"),
        targets=[{"structure": "liver", "values": [1]}],
    )
    assert list(pairs(found, tmp_path)) == ["img/2.nii"]
    assert found.oddities == ("img/1.nii is left out: expected one label map, got 1_a.nii, 1_b.nii",)
    assert not found.lone_images
    assert not found.lone_masks


# -- DICOM -------------------------------------------------------------------------------------------


def test_a_folder_with_a_series_and_a_picture_for_each_slice(tmp_path: Path) -> None:
    touch(tmp_path, *(f"{p}/DICOM/i{n:02}.dcm" for p in (1, 10, 2) for n in range(3)))
    touch(tmp_path, *(f"{p}/Ground/{n}.png" for p in (1, 10) for n in (0, 1, 10)))
    found = find(tmp_path, layout(r"{n:\d+}/DICOM/", "{n}/Ground/*.png"))
    assert pairs(found, tmp_path) == {
        f"{p}/DICOM": [f"{p}/Ground/{n}.png" for n in (0, 1, 10)] for p in (1, 10)
    }
    assert {ref.form for case in found.cases for ref in case.masks} == {"slices"}
    assert found.lone_images == ("2/DICOM/",)


def test_a_folder_with_a_series_and_one_volume(tmp_path: Path) -> None:
    touch(tmp_path, "a/p1/study/series/1.dcm", "a/p1/study/other.txt", "labels/p1.nii.gz")
    found = find(tmp_path, layout(r"**/{p:p\d}/*/*/", "**/{p}.nii*"))
    assert pairs(found, tmp_path) == {"a/p1/study/series": ["labels/p1.nii.gz"]}
    assert found.cases[0].masks[0].form == "map"
    assert not found.lone_images


def test_the_data_sets_own_folder_is_a_series_only_if_that_is_asked_for(tmp_path: Path) -> None:
    touch(tmp_path, "1.dcm", "2.dcm", "p1/1.dcm", "gt/liver.nii", "gt/p1.nii")
    found = find(tmp_path, layout("{case:[^/]*}/", "gt/{case}.nii"))
    assert pairs(found, tmp_path) == {"p1": ["gt/p1.nii"]}
    assert "./" not in found.lone_images
    found = find(tmp_path, layout("./", "gt/liver.nii"))
    assert [case.image.path for case in found.cases] == [tmp_path]
    assert found.cases[0].id == tmp_path.name


# -- structures by file name -------------------------------------------------------------------------


def by_file(image: str, mask: str, **changes: Any) -> dict[str, Any]:
    return layout(image, mask, **changes)


def structures(found: Any) -> dict[str, dict[str, str]]:
    """For each image what each mask file marks."""
    return {
        case.image.path.name: {ref.paths[0].name: ref.target.structure for ref in case.masks}
        for case in found.cases
    }


def test_file_names_say_what_masks_are(tmp_path: Path) -> None:
    touch(tmp_path, "s1/ct.nii", "s1/seg/kidney_left.nii", "s1/seg/FooBar.nii", "s2/ct.nii")
    found = find(tmp_path, layout("{p}/ct.nii", "{p}/seg/{structure}.nii"), targets=[])
    assert structures(found) == {"ct.nii": {"kidney_left.nii": "left kidney", "FooBar.nii": "foo bar"}}
    assert found.lone_images == ("s2/ct.nii",)
    assert {ref.target.above for case in found.cases for ref in case.masks} == {0}


def test_a_structure_of_the_card_keeps_its_rule(tmp_path: Path) -> None:
    touch(tmp_path, "img/1.png", "gt/1_Liver.png", "gt/1_spleen.png")
    rule = {"structure": "liver", "values": [3]}
    found = find(tmp_path, layout("img/{case}.png", "gt/{case}_{structure}.png"), targets=[rule])
    assert {r.target.structure: (r.target.values, r.target.above) for r in found.cases[0].masks} == {
        "liver": ((3,), None),
        "spleen": ((), 0),
    }


def test_jpegs_that_only_their_names_tell_are_cut_in_the_middle(tmp_path: Path) -> None:
    touch(tmp_path, "img/1.jpg", "gt/1_liver.JPG")
    found = find(tmp_path, layout("img/{case}.jpg", "gt/{case}_{structure}.jpg"), targets=[])
    assert found.cases[0].masks[0].target.above == 127


def test_a_mask_goes_to_the_image_that_shares_most_of_its_name(tmp_path: Path) -> None:
    touch(tmp_path, "img/7.png", "img/7_CT.png", "gt/7_CT_left_kidney.png", "gt/7_liver.png")
    found = find(tmp_path, layout("img/{case}.png", "gt/{case}_{structure}.png"), targets=[])
    assert structures(found) == {
        "7.png": {"7_liver.png": "liver"},
        "7_CT.png": {"7_CT_left_kidney.png": "left kidney"},
    }


def test_images_that_share_all_of_a_name_share_its_masks(tmp_path: Path) -> None:
    touch(tmp_path, "p/ct.nii", "p/pet.nii", "p/seg/liver.nii")
    found = find(tmp_path, layout("{p}/{kind:ct|pet}.nii", "{p}/seg/{structure}.nii"), targets=[])
    assert structures(found) == {"ct.nii": {"liver.nii": "liver"}, "pet.nii": {"liver.nii": "liver"}}


def test_a_mask_beside_its_image_has_no_masks_of_its_own(tmp_path: Path) -> None:
    touch(tmp_path, "7.png", "7_kidney.png", "7_kidney_tumour.png", "8.png", "8_kidney_tumour.png")
    found = find(tmp_path, layout("{case}.png", "{case}_{structure}.png"), targets=[])
    assert structures(found) == {
        "7.png": {"7_kidney.png": "kidney", "7_kidney_tumour.png": "kidney tumour"},
        "8.png": {"8_kidney_tumour.png": "kidney tumour"},
    }
    assert not found.lone_images


def test_a_folder_for_each_structure_with_images_of_its_own(tmp_path: Path) -> None:
    touch(tmp_path, "liver/i1.png", "liver/m1.png", "kidney/i1.png", "kidney/m1.png")
    found = find(tmp_path, layout("{structure}/i{n}.png", "{structure}/m{n}.png"), targets=[])
    assert [(c.id, c.structures) for c in found.cases] == [
        ("kidney_1", ("kidney",)),
        ("liver_1", ("liver",)),
    ]


# -- several layouts ---------------------------------------------------------------------------------


def test_an_image_of_two_layouts_is_the_first_ones(tmp_path: Path) -> None:
    touch(tmp_path, "training/p1/im.nii", "training/p1/gt.nii")
    found = find(
        tmp_path,
        layout("training/{p}/im.nii", "training/{p}/gt.nii", name="official", split="train"),
        layout("{p}/im.nii", "{p}/gt.nii", name="any"),
    )
    assert [(case.id, case.split) for case in found.cases] == [("p1", "train")]


def test_what_one_layout_pairs_is_alone_in_no_other(tmp_path: Path) -> None:
    touch(tmp_path, "images/1.png", "masks/1.png", "images/2.png", "masks/2_m.png", "images/3.png")
    touch(tmp_path, "masks/4.png", "masks/5_m.png")
    found = find(
        tmp_path,
        layout("images/{case}.png", "masks/{case}.png", name="one"),
        layout("images/{case}.png", "masks/{case}_m.png", name="other"),
    )
    assert set(pairs(found, tmp_path)) == {"images/1.png", "images/2.png"}
    assert found.lone_images == ("images/3.png",)
    assert set(found.lone_masks) == {"masks/4.png", "masks/5_m.png"}


def test_a_layout_that_finds_nothing_says_nothing_beside_one_that_does(tmp_path: Path) -> None:
    touch(tmp_path, "images/1.png", "masks/1.png", "images/readme.png")
    found = find(
        tmp_path,
        layout(r"images/{case:\d}.png", "masks/{case}.png"),
        layout("masks/{case}.png", "truth/{case}.png"),
        layout("{any}.png", "truth/{any}.png"),
    )
    assert len(found.cases) == 1
    assert not found.lone_images
    assert not found.lone_masks


def test_without_any_case_all_that_is_alone_is_said(tmp_path: Path) -> None:
    touch(tmp_path, "images/1.png", "masks/2.png")
    found = find(tmp_path, layout("images/{case}.png", "masks/{case}.png"))
    assert not found.cases
    assert found.lone_images == ("images/1.png",)
    assert found.lone_masks == ("masks/2.png",)


def test_layouts_may_have_targets_and_modalities_of_their_own(tmp_path: Path) -> None:
    touch(tmp_path, "ct/1.png", "ct_gt/1.png", "mr/1.png", "mr_gt/1.png")
    found = find(
        tmp_path,
        layout("ct/{case}.png", "ct_gt/{case}.png", modality="CT"),
        layout("mr/{case}.png", "mr_gt/{case}.png", modality="MR", targets=[KIDNEY]),
        modality=["CT", "MR"],
    )
    assert [(case.modality, case.structures) for case in found.cases] == [
        ("CT", ("liver",)),
        ("MR", ("kidney",)),
    ]


def test_of_several_modalities_none_is_guessed(tmp_path: Path) -> None:
    touch(tmp_path, "images/1.png", "masks/1.png")
    assert find(tmp_path, modality=["CT", "MR"]).cases[0].modality == ""
    assert find(tmp_path, modality=["MR"]).cases[0].modality == "MR"
    assert find(tmp_path, modality=[]).cases[0].modality == ""


# -- names of cases and patients ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("image", "more", "expected"),
    [
        ("img/{case}.png", {}, ("a_1", "a_1")),
        ("img/{patient:[a-z]}_{frame}.png", {}, ("a_1", "a")),
        ("img/{who:[a-z]}_{frame}.png", {}, ("a_1", "a_1")),
        ("img/{who:[a-z]}_{frame}.png", {"patient": "{who}"}, ("a_1", "a")),
        (
            "img/{who:[a-z]}_{frame}.png",
            {"patient": "P-{who}", "case": "{frame} of {who}"},
            ("1 of a", "P-a"),
        ),
        ("img/*.png", {}, ("a_1", "a_1")),
    ],
)
def test_templates_of_cases_and_patients(
    image: str, more: dict[str, str], expected: tuple[str, str], tmp_path: Path
) -> None:
    touch(tmp_path, "img/a_1.png", "gt/a_1.png")
    name = image.removeprefix("img/")
    found = find(tmp_path, layout(image, f"gt/{name}", **more))
    assert (found.cases[0].id, found.cases[0].patient) == expected


def test_the_split_may_stand_in_the_path(tmp_path: Path) -> None:
    touch(tmp_path, "train/img/1.png", "train/gt/1.png")
    made = layout("{split}/img/{case}.png", "{split}/gt/{case}.png")
    assert find(tmp_path, made).cases[0].split == "train"
    assert find(tmp_path, made | {"split": "test"}).cases[0].split == "test"


def test_cases_of_one_name_get_their_folders_in_front(tmp_path: Path) -> None:
    for part in ("a/x", "b/x", "c"):
        touch(tmp_path, f"{part}/img/1.png", f"{part}/gt/1.png")
    touch(tmp_path, "c/img/2.png", "c/gt/2.png")
    found = find(tmp_path, layout("img/{case}.png", "gt/{case}.png"))
    assert [case.id for case in found.cases] == ["a/x/img/1", "b/x/img/1", "c/img/1", "2"]


def test_files_of_one_name_are_numbered(tmp_path: Path) -> None:
    touch(tmp_path, "1.nii", "1.nii.gz", "gt/1.png", "2.nii", "gt/2.png")
    found = find(tmp_path, layout(r"{case:\d}.nii*", "gt/{case}.png"))
    assert [case.id for case in found.cases] == ["1", "1#2", "2"]


# -- order -------------------------------------------------------------------------------------------


def test_what_is_found_does_not_depend_on_the_order_in_which_files_were_written(tmp_path: Path) -> None:
    files = [f"{part}/{n}.png" for part in ("images", "masks") for n in (1, 2, 3, 9, 10, 11, 100)]
    files += ["images/20.png", "images/4.png", "masks/30.png", "masks/5.png"]
    seen = []
    for seed in range(3):
        random.Random(seed).shuffle(files)
        touch(tmp_path / str(seed), *files)
        found = find(tmp_path / str(seed))
        seen.append((list(pairs(found, tmp_path / str(seed))), found.lone_images, found.lone_masks))
    assert seen[0] == seen[1] == seen[2]
    assert seen[0] == (
        [f"images/{n}.png" for n in (1, 2, 3, 9, 10, 11, 100)],
        ("images/4.png", "images/20.png"),
        ("masks/5.png", "masks/30.png"),
    )


def test_cases_are_in_the_order_of_layouts(tmp_path: Path) -> None:
    touch(tmp_path, "b/1.png", "gt/1.png", "a/2.png", "gt/2.png")
    found = find(tmp_path, layout("b/{case}.png", "gt/{case}.png"), layout("a/{case}.png", "gt/{case}.png"))
    assert [case.id for case in found.cases] == ["1", "2"]


# -- broken layouts ----------------------------------------------------------------------------------


def test_an_unknown_reader_is_named(tmp_path: Path) -> None:
    card = make_card(layout("{case}.png", "{case}_m.png", reader="telepathy"))
    with pytest.raises(DatasetError, match=r"pattern.*got 'telepathy'"):
        find_cases(Tree.of(tmp_path), card)
