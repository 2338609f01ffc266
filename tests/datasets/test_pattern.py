"""Path patterns: what matches, what stands for the names, and what is refused."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anytomy.core.errors import DatasetError
from anytomy.datasets.pattern import Pattern, filled
from anytomy.datasets.tree import Tree
from tests.datasets.making import find_cases, layout, make_card

# Names hold letters and digits, fixed parts all that an expression could take for something else.
FIXED = r"+.()[]^$|?-_ #&~@!%',;="
names = st.sampled_from(["case", "patient", "frame_2", "n"])
held = st.text("abcXYZ019ü", min_size=1, max_size=4)
fixed = st.text(FIXED, min_size=1, max_size=3)


@st.composite
def patterns_and_paths(draw: st.DrawFn) -> tuple[str, str, dict[str, str]]:
    """A pattern, a path that was built from it, and the values that it was built with."""
    pattern, path, used = draw(fixed), "", {}
    path = pattern
    for _ in range(draw(st.integers(0, 5))):
        name = draw(names)
        form = draw(st.sampled_from(["{%s}", "{%s:[a-zü0-9]{1,4}}", "{%s:(?:[^/]+)}"])) % name
        used.setdefault(name, draw(held))
        between = draw(fixed) + draw(st.sampled_from(["", "/"]))
        pattern, path = pattern + form + between + "'", path + used[name] + between + "'"
    return pattern, path, used


@given(patterns_and_paths(), st.sampled_from(["", "a/", "deep/er/"]))
def test_a_path_that_was_built_from_a_pattern_gives_its_names_back(
    built: tuple[str, str, dict[str, str]], root: str
) -> None:
    pattern, path, used = built
    assert Pattern(pattern).match(root + path) == {"root": root, **used}
    assert Pattern(pattern).names == tuple(used)


@given(patterns_and_paths())
def test_a_template_of_the_names_is_the_path_again(built: tuple[str, str, dict[str, str]]) -> None:
    pattern, path, used = built
    template = re.sub(r"\{(\w+):(?:[^{}]|\{[^}]*\})+\}", r"{\1}", pattern)
    assert filled(template, used) == path


@given(st.text(FIXED + "aZ0", min_size=1, max_size=9), st.text(FIXED + "aZ0", min_size=1, max_size=9))
def test_a_pattern_without_names_matches_itself_alone(one: str, other: str) -> None:
    assert Pattern(one).match(one) == {"root": ""}
    assert (Pattern(one).match(other) is not None) == (one.lower() == other.lower())


@pytest.mark.parametrize(
    ("pattern", "path", "found"),
    [
        # where it may lie
        ("img/{case}.nii.gz", "img/1.nii.gz", {"root": "", "case": "1"}),
        ("img/{case}.nii.gz", "a/b/img/1.nii.gz", {"root": "a/b/", "case": "1"}),
        ("img/{case}.nii.gz", "img/img/1.nii.gz", {"root": "img/", "case": "1"}),
        ("img/{case}.nii.gz", "myimg/1.nii.gz", None),
        ("img/{case}.nii.gz", "img/1/2.nii.gz", None),
        ("{case}.png", "a/1.png", {"root": "a/", "case": "1"}),
        ("**/img/{case}.png", "a/b/img/1.png", {"case": "1"}),
        ("**/img/{case}.png", "img/1.png", {"case": "1"}),
        ("img/**/{case}.png", "img/1.png", {"root": "", "case": "1"}),
        ("img/**/{case}.png", "x/img/a/b/1.png", {"root": "x/", "case": "1"}),
        ("img/*/{case}.png", "img/a/1.png", {"root": "", "case": "1"}),
        ("img/*/{case}.png", "img/a/b/1.png", None),
        ("img/*/{case}.png", "img/1.png", None),
        # upper and lower case
        ("Img/IMG_{case}.PNG", "img/img_Ab.png", {"root": "", "case": "Ab"}),
        ("{patient}/{patient}_gt.png", "P1/p1_gt.png", {"root": "", "patient": "P1"}),
        # expressions
        (r"{case:\d{3}}.png", "012.png", {"root": "", "case": "012"}),
        (r"{case:\d{3}}.png", "0123.png", None),
        (r"{case:\d{2,3}}.png", "0123.png", None),
        (r"{case:\d{2,}}.png", "0123.png", {"root": "", "case": "0123"}),
        (r"{split:train|test}/{n:\d+}.png", "test/7.png", {"root": "", "split": "test", "n": "7"}),
        (r"{split:train|test}/{n:\d+}.png", "val/7.png", None),
        (r"{a:.+}_{b:\d+}.png", "x_1_2.png", {"root": "", "a": "x_1", "b": "2"}),
        (r"{how:(?:-manual)?}.png", "-manual.png", {"root": "", "how": "-manual"}),
        (r"x{how:(?:-manual)?}.png", "x.png", {"root": "", "how": ""}),
        ("{case:(?!sub-)[^/]+}.png", "sub-1.png", None),
        # a name that stands twice
        ("{p}/{p}_{f}.png", "a/a_1.png", {"root": "", "p": "a", "f": "1"}),
        ("{p}/{p}_{f}.png", "a/b_1.png", None),
        ("{p}/{p}_{f}.png", "a/ab_1.png", None),
        # signs of expressions in fixed parts
        ("{case:[a-z]+ \\(\\d+\\)}_mask*.png", "benign (1)_mask_1.png", {"root": "", "case": "benign (1)"}),
        ("a+b (1).{case}", "a+b (1).x", {"root": "", "case": "x"}),
        ("a+b (1).{case}", "aab (1).x", None),
        ("a.b", "axb", None),
        # stars
        ("{case}.nii*", "1.nii.gz", {"root": "", "case": "1"}),
        ("{case}.nii*", "1.nii", {"root": "", "case": "1"}),
        # folders
        ("{p}/DICOM/", "1/DICOM/", {"root": "", "p": "1"}),
        ("{p}/DICOM/", "1/DICOM", None),
        ("{p}/DICOM/", "1/DICOM/a.dcm", None),
        # keys are no part of the path
        ("{case}.npz::imgs", "1.npz", {"root": "", "case": "1"}),
    ],
)
def test_what_matches(pattern: str, path: str, found: dict[str, str] | None) -> None:
    assert Pattern(pattern).match(path) == found


def test_parts_of_a_pattern() -> None:
    pattern = Pattern("{case}.npz::gts")
    assert (pattern.path, pattern.key) == ("{case}.npz", "gts")
    assert Pattern("{case}.npz").key == ""
    assert Pattern("{p}/ct/").is_folder
    assert not Pattern("{p}/ct").is_folder
    assert Pattern("a/**/b").rooted
    assert not Pattern("**/a/b").rooted


@pytest.mark.parametrize(
    ("pattern", "several"),
    [
        ("{case}_mask*.png", True),
        ("**/{case}.png", True),
        ("{case}.png", False),
        ("{case:.*}.png", False),  # this star is the expression's
        (r"{case:\d{3}.*}.png", False),
        (r"{case:\d{3}.*}_*.png", True),
    ],
)
def test_whether_several_files_may_fit(pattern: str, several: bool) -> None:
    assert Pattern(pattern).open_ended is several


@pytest.mark.parametrize(
    "pattern",
    [
        "{Case}.png",
        "{case.png",
        "case}.png",
        "{}.png",
        "{1st}.png",
        "{case:}.png",
        "{case:[}.png",
        "{case:(}.png",
        "{case:*}.png",
        "{case:a{b}}.png",
        "{case:a{99999999999}}.png",
        "{root}/{case}.png",
        "/images/{case}.png",
        "images\\{case}.png",
    ],
)
def test_a_broken_pattern_is_named(pattern: str) -> None:
    with pytest.raises(DatasetError) as caught:
        Pattern(pattern).match("1.png")
    assert pattern in str(caught.value).replace("\\\\", "\\")
    assert "\n" not in str(caught.value)
    with pytest.raises(DatasetError):
        Pattern(pattern).check()


def test_masks_take_the_expressions_of_their_image() -> None:
    image = Pattern(r"{subject:.+}_{visit:\d+}_t1.nii*")
    assert Pattern("{subject}_{visit}_seg.nii*").match("a_b_1_seg.nii")["subject"] == "a"
    beside = Pattern("{subject}_{visit}_seg.nii*").beside(image)
    assert beside.match("a_b_1_seg.nii") == {"root": "", "subject": "a_b", "visit": "1"}
    own = Pattern(r"{subject:a}_{rest}").beside(image)
    assert own.text == r"{subject:a}_{rest}"


def test_the_first_expression_of_an_image_counts() -> None:
    image = Pattern(r"{p:\d+}/{p:.+}.png")
    assert Pattern("{p}.nii").beside(image).text == r"{p:\d+}.nii"


# -- what file names say -----------------------------------------------------------------------------


def test_the_image_says_where_a_name_ends() -> None:
    pattern = Pattern("masks/{case}_{structure}.png")
    paths = ["masks/07_CT_kidney.png", "masks/07_CT_abdomen_left_kidney.png", "masks/8_liver.png"]
    assert pattern.structures_of({"root": "", "case": "07_CT"}, paths) == {
        paths[0]: "kidney",
        paths[1]: "abdomen_left_kidney",
    }
    assert pattern.structures_of({"root": "", "case": "07_CT_abdomen"}, paths) == {paths[1]: "left_kidney"}
    assert pattern.structures_of({"root": "x/", "case": "07_CT"}, paths) == {}


def test_names_with_signs_of_expressions_are_taken_as_they_are() -> None:
    pattern = Pattern("{case}_{structure}.png")
    paths = ["a+(1)_liver.png", "aa(1)_liver.png"]
    assert pattern.structures_of({"root": "", "case": "a+(1)"}, paths) == {paths[0]: "liver"}


def test_what_stands_behind_the_structure_counts_too() -> None:
    pattern = Pattern("{p}/{structure}/{p}_{view}.nii*")
    paths = ["1/liver/1_a.nii.gz", "1/liver/1_b.nii.gz", "1/liver/2_a.nii.gz"]
    assert pattern.structures_of({"root": "", "p": "1", "view": "a"}, paths) == {paths[0]: "liver"}


def test_case_makes_no_difference_for_structures_either() -> None:
    pattern = Pattern("Masks/{case}_{structure}.png")
    assert pattern.structures_of({"root": "A/", "case": "X"}, ["a/masks/x_Liver.PNG"]) == {
        "a/masks/x_Liver.PNG": "Liver"
    }


def test_an_image_whose_own_path_says_the_structure() -> None:
    pattern = Pattern("{structure}/mask_{case}.png")
    names = {"root": "", "structure": "liver", "case": "1"}
    assert pattern.structures_of(names, ["liver/mask_1.png", "kidney/mask_1.png"]) == {
        "liver/mask_1.png": "liver"
    }


def test_the_start_of_paths_is_as_long_as_the_names_are_known() -> None:
    pattern = Pattern("Masks/{case}_{structure}.png")
    assert pattern.start({"root": "A/", "case": "X"}) == "a/masks/x_"
    assert pattern.start({"root": "A/"}) == "a/masks/"
    assert Pattern("Masks/{case}.png").start({"root": "A/", "case": "X"}) == "a/masks/x.png"
    assert Pattern("**/{case}.png").start({"case": "X"}) == ""


# -- templates ---------------------------------------------------------------------------------------


def test_templates() -> None:
    assert filled("{patient}_{frame}", {"patient": "p1", "frame": "02"}) == "p1_02"
    assert filled("CT_{n}", {"n": "{n}"}) == "CT_{n}"
    assert filled("fixed", {}) == "fixed"


@pytest.mark.parametrize("template", ["{frame}", "{Patient}", "{patient:x}", "{}"])
def test_a_template_with_a_name_that_nobody_knows(template: str) -> None:
    with pytest.raises(DatasetError, match="it has patient") as caught:
        filled(template, {"root": "", "patient": "1"})
    assert template in str(caught.value)


# -- speed -------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_hundred_thousand_files_are_joined_in_seconds(tmp_path: object) -> None:
    count = 50_000
    files = [f"images/patient{n:06}_{n % 7}.png" for n in range(count)]
    files += [f"masks/patient{n:06}_{n % 7}_mask.png" for n in range(count)]
    tree = Tree(tmp_path, tuple(files))  # type: ignore[arg-type]
    card = make_card(
        layout(r"images/{patient:.+}_{frame:\d}.png", "masks/{patient}_{frame}_mask.png", patient="{patient}")
    )
    start = time.process_time()
    found = find_cases(tree, card)
    taken = time.process_time() - start
    assert len(found.cases) == count
    assert taken < 5  # 2 s on a core of 2024; a product of files and files would take hours
