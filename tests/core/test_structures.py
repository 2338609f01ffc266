from __future__ import annotations

import csv
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anytomy.core.errors import InputError
from anytomy.core.structures import (
    DEFAULT_TOLERANCE_MM,
    KINDS,
    Structure,
    Vocabulary,
    canonical,
    find,
    is_part_of,
    resolve,
    structures,
    tolerance_mm,
)

ALL = structures()
NAMES = [(text, one) for one in ALL for text in (one.name, *one.synonyms)]
PAIRED = [one for one in ALL if one.paired and one.side is None]


def labels(text: str) -> list[str]:
    return text.split()


# Labels as the data sets spell them.
HAN_SEG = labels(
    """
    A_Carotid_L A_Carotid_R Arytenoid Bone_Mandible Brainstem BuccalMucosa Cavity_Oral Cochlea_L Cochlea_R
    Cricopharyngeus Esophagus_S Eye_AL Eye_AR Eye_PL Eye_PR Glnd_Lacrimal_L Glnd_Lacrimal_R Glnd_Submand_L
    Glnd_Submand_R Glnd_Thyroid Glottis Larynx_SG Lips OpticChiasm OpticNrv_L OpticNrv_R Parotid_L Parotid_R
    Pituitary SpinalCord
    """
)
TOTAL_SEGMENTATOR = labels(
    """
    spleen kidney_right kidney_left gallbladder liver stomach pancreas adrenal_gland_right
    adrenal_gland_left lung_upper_lobe_left lung_lower_lobe_left lung_upper_lobe_right
    lung_middle_lobe_right lung_lower_lobe_right esophagus trachea thyroid_gland small_bowel duodenum colon
    urinary_bladder prostate kidney_cyst_left kidney_cyst_right sacrum vertebrae_S1 vertebrae_L5
    vertebrae_L4 vertebrae_L3 vertebrae_L2 vertebrae_L1 vertebrae_T12 vertebrae_T11 vertebrae_T10
    vertebrae_T9 vertebrae_T8 vertebrae_T7 vertebrae_T6 vertebrae_T5 vertebrae_T4 vertebrae_T3 vertebrae_T2
    vertebrae_T1 vertebrae_C7 vertebrae_C6 vertebrae_C5 vertebrae_C4 vertebrae_C3 vertebrae_C2 vertebrae_C1
    heart aorta pulmonary_vein brachiocephalic_trunk subclavian_artery_right subclavian_artery_left
    common_carotid_artery_right common_carotid_artery_left brachiocephalic_vein_left
    brachiocephalic_vein_right atrial_appendage_left superior_vena_cava inferior_vena_cava
    portal_vein_and_splenic_vein iliac_artery_left iliac_artery_right iliac_vena_left iliac_vena_right
    humerus_left humerus_right scapula_left scapula_right clavicula_left clavicula_right femur_left
    femur_right hip_left hip_right spinal_cord gluteus_maximus_left gluteus_maximus_right
    gluteus_medius_left gluteus_medius_right gluteus_minimus_left gluteus_minimus_right autochthon_left
    autochthon_right iliopsoas_left iliopsoas_right brain skull rib_left_1 rib_left_2 rib_left_3 rib_left_4
    rib_left_5 rib_left_6 rib_left_7 rib_left_8 rib_left_9 rib_left_10 rib_left_11 rib_left_12 rib_right_1
    rib_right_2 rib_right_3 rib_right_4 rib_right_5 rib_right_6 rib_right_7 rib_right_8 rib_right_9
    rib_right_10 rib_right_11 rib_right_12 sternum costal_cartilages
    """
)
# A comma between the labels of one set.
OTHER_SETS = {
    "JSRT": "lungs, left lung, right lung, heart, left clavicle, right clavicle",
    "VESSEL12": "lung vessels, vessel",
    "PROMISE12": "prostate",
    "NCI-ISBI": "peripheral zone, central gland, PZ, CG",
    "BTCV": "spleen, right kidney, left kidney, gallbladder, esophagus, liver, stomach, aorta, inferior vena "
    "cava, portal vein and splenic vein, pancreas, right adrenal gland, left adrenal gland",
    "TransUNet": "Aorta, Gallbladder, Kidney(L), Kidney(R), Liver, Pancreas, Spleen, Stomach",
    "CT-Lymph Nodes": "lymph nodes, mediastinal lymph nodes, abdominal lymph node",
    "GlaS": "gland, glands, glandular structure",
    "LiTS": "liver, tumor, liver tumour, liver cancer",
    "ACDC": "RV, MYO, LV, myocardium",
    "M&Ms": "LV, MYO, RV",
    "FUMPE": "pulmonary embolism, emboli, PE",
    "MSD": "edema, non-enhancing tumor, enhancing tumour, left atrium, liver, cancer, Anterior, Posterior, "
    "PZ, TZ, pancreas, Vessel, Tumour, spleen, colon cancer primaries, hepatic vessel, lung cancer, "
    "pancreatic tumour, hippocampus anterior, hippocampus_posterior",
    "DRIVE": "vessel, retinal vessels",
    "REFUGE": "optic disc, optic cup, optic disk",
    "CHAOS": "Liver, Right kidney, Left kidney, Spleen",
    "SIIM-ACR": "pneumothorax",
    "AbdomenUS": "liver, kidney, pancreas, vessels, adrenals, gallbladder, bones, spleen",
    "BUSI": "benign, malignant, tumour, breast tumor",
    "CAMUS": "LV_endo, left ventricle endocardium, myocardium, left atrium, LA",
    "MosMed": "COVID-19 infection, infection, ground-glass opacity, consolidation",
    "PolypGen": "polyp, polyps",
    "AbdomenCT-1K": "liver, kidney, spleen, pancreas",
    "AMOS": "spleen, right kidney, left kidney, gall bladder, esophagus, liver, stomach, arota, postcava, "
    "pancreas, right adrenal gland, left adrenal gland, duodenum, bladder, prostate/uterus",
    "KiTS": "kidney, tumor, cyst, kidney tumor, kidney cyst, renal mass",
    "BraTS": "NCR, ED, ET, NET, WT, TC, NCR/NET, necrotic tumor core, peritumoral edematous/invaded tissue, "
    "peritumoral edema, GD-enhancing tumor, non-enhancing tumor core, whole tumor, tumor core, necrosis",
    "FH-PS-AOP": "pubic symphysis, fetal head, PS, FH",
    "StructSeg": "Brain stem, Eye L, Lens R, Optic nerve L, Optic chiasm, Temporal lobe L, Pituitary, "
    "Parotid R, Inner ear L, Middle ear R, TM joint L, Spinal cord, Mandible R",
    "WORD": "intestine, adrenal, rectum, bladder, Head_of_femur_L, Head_of_femur_R, colon",
    "others": "spinal cord gray matter, vertebrae, WBC nucleus, leukocyte cytoplasm, membrane, cell, nuclei, "
    "foot ulcer, brachial plexus, HEAD, skin lesion, melanoma, lower-grade glioma",
}


@pytest.mark.parametrize("name", HAN_SEG)
def test_labels_of_han_seg_are_known(name: str) -> None:
    side = re.search(r"_[AP]?([LR])$", name)
    assert resolve(name).side == (None if side is None else {"L": "left", "R": "right"}[side[1]])


@pytest.mark.parametrize("name", TOTAL_SEGMENTATOR)
def test_classes_of_total_segmentator_are_known_with_their_side(name: str) -> None:
    side = re.search(r"left|right", name)
    assert resolve(name).side == (None if side is None else side[0])


def test_label_lists_are_complete_and_name_different_structures() -> None:
    assert (len(HAN_SEG), len(TOTAL_SEGMENTATOR)) == (30, 117)
    for names in (HAN_SEG, TOTAL_SEGMENTATOR):
        assert len({canonical(name) for name in names}) == len(names)


@pytest.mark.parametrize("dataset", OTHER_SETS)
def test_labels_of_other_sets_are_known(dataset: str) -> None:
    assert [name for name in OTHER_SETS[dataset].split(", ") if find(name) is None] == []


@pytest.mark.shared
def test_labels_of_the_development_data_are_known() -> None:
    index = Path(__file__).parents[3] / "shared" / "data" / "index.csv"
    if not index.is_file():
        pytest.skip("no development data")
    with index.open(encoding="utf-8", newline="") as file:
        labels = {name for row in csv.DictReader(file) for name in json.loads(row["labels"])}
    assert labels
    assert {name for name in labels if find(name) is None} == set()


@pytest.mark.parametrize(
    ("names", "meaning"),
    [
        (("R_adrenal", "right adrenal gland", "adrenal_gland_right", "RAG"), "right adrenal gland"),
        (("rkid", "RKidney", "kidney.R", "Kidney (right)", "rt kidney", "KIDNEY-RT"), "right kidney"),
        (("Lung Left", "left_lung", "L. lung", "LungL", "lungs, left"), "left lung"),
        (("esophagus", "oesophagus", "Esophagus"), "oesophagus"),
        (("edema", "oedema"), "oedema"),
        (("hemorrhage", "haemorrhage"), "haemorrhage"),
        (("LV", "left heart ventricle", "heart_ventricle_left", "left+heart+ventricle"), "left ventricle"),
        (("RV", "RightVentricle", "right ventricular cavity"), "right ventricle"),
        (("RA", "heart_atrium_right"), "right atrium"),
        (("nuclei", "cell nucleus", "Nuclei"), "nucleus"),
        (("lungs", "Lung"), "lung"),
        (("renal cyst", "kidney_cyst", "cysts of the kidneys"), "kidney cyst"),
        (("rib1", "ribs 1", "Rib_1"), "rib 1"),
        (("portal vein & splenic vein", "PSV"), "portal and splenic veins"),
        (("prostate/uterus", "uterus or prostate"), "prostate or uterus"),
    ],
)
def test_spellings_meet(names: tuple[str, ...], meaning: str) -> None:
    assert {name: canonical(name) for name in names} == dict.fromkeys(names, meaning)


@given(
    st.sampled_from(NAMES),
    st.sampled_from(" _-.+"),
    st.integers(0, 2),
    st.integers(0),
)
def test_case_separators_and_word_order_make_no_difference(
    named: tuple[str, Structure], separator: str, more: int, bits: int
) -> None:
    text, structure = named
    words = re.findall(r"[^\W_]+", text.lower().replace("/", " or "))
    turn = bits % len(words)
    joined = (separator * (1 + more)).join(words[turn:] + words[:turn])
    cased = "".join(c.upper() if bits >> i & 1 else c for i, c in enumerate(joined))
    assert find(cased) is structure


@given(st.sampled_from(ALL))
def test_canonical_names_are_known_in_camel_case(structure: Structure) -> None:
    words = structure.name.replace("-", " ").split()
    assert find("".join(word[0].upper() + word[1:] for word in words)) is structure


@given(st.sampled_from(PAIRED), st.booleans(), st.booleans(), st.integers(0, 2))
def test_a_side_is_understood_at_either_end(whole: Structure, left: bool, first: bool, spelling: int) -> None:
    side = (("left", "L", "lt") if left else ("right", "R", "rt"))[spelling]
    name = f"{side}_{whole.name}" if first else f"{whole.name}_{side}"
    assert resolve(name).name == f"{'left' if left else 'right'} {whole.name}"
    assert resolve(name).parent == whole.name


@given(st.sampled_from(("left", "L", "lt")), st.text(max_size=20) | st.sampled_from([t for t, _ in NAMES]))
def test_left_never_becomes_right(side: str, text: str) -> None:
    for name in (f"{side} {text}", f"{text}_{side}"):
        found = find(name)
        assert found is None or found.side != "right"
        if found is None and "right" not in canonical(name):
            with pytest.raises(InputError) as caught:
                resolve(name)
            assert "right" not in (caught.value.hint or "")


def test_no_synonym_contradicts_its_side() -> None:
    opposite = {"left": r"\bright\b", "right": r"\bleft\b"}
    assert [text for text, one in NAMES if one.side and re.search(opposite[one.side], text)] == []


@pytest.mark.parametrize(
    "name", ["L V", "left V", "L_V", "left liver", "left right kidney", "L/R kidney", "", "of the"]
)
def test_what_is_not_in_the_vocabulary_stays_unknown(name: str) -> None:
    assert find(name) is None
    with pytest.raises(InputError, match="expected the name of a structure"):
        resolve(name)


def test_an_organ_with_its_tumour_is_not_the_tumour() -> None:
    assert canonical("kidney tumour") == "kidney tumour"
    assert find("kidney and tumour") is None
    assert find("kidney/tumour") is None


def test_similar_names_are_offered_on_the_same_side() -> None:
    with pytest.raises(InputError) as caught:
        resolve("adrenl gland_L")
    assert caught.value.message == "expected the name of a structure, but got 'adrenl gland_L'"
    assert caught.value.hint is not None
    assert caught.value.hint.startswith("did you mean left adrenal gland or ")
    assert "right" not in caught.value.hint
    with pytest.raises(InputError, match="use a plain English name"):
        resolve("xyzzy")


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("FooBar_L", "left foo bar"),
        ("foo_bar_left", "left foo bar"),
        ("R-FOO-tumor", "right foo tumour"),
        ("Glnd_Foo", "gland foo"),
        ("left_right_foo", "left right foo"),
        ("", ""),
    ],
)
def test_unknown_names_are_made_plain(name: str, plain: str) -> None:
    assert canonical(name) == plain


@given(st.text(st.characters(codec="ascii"), max_size=30))
def test_a_plain_name_stays_as_it_is(name: str) -> None:
    assert canonical(canonical(name)) == canonical(name)


@pytest.mark.parametrize(
    ("part", "whole"),
    [
        ("left kidney", "kidneys"),
        ("LV", "heart"),
        ("lung_upper_lobe_left", "lung"),
        ("lung_upper_lobe_left", "left lung"),
        ("lung_middle_lobe_right", "right lung"),
        ("kidney_cyst_left", "left kidney"),
        ("rib_left_3", "left ribs"),
        ("vertebrae_C3", "spine"),
        ("optic cup", "eye"),
        ("enhancing tumour", "whole tumour"),
    ],
)
def test_parts_are_parts(part: str, whole: str) -> None:
    assert is_part_of(part, whole)
    assert not is_part_of(whole, part)


@pytest.mark.parametrize(
    ("part", "whole"),
    [
        ("left kidney", "left kidney"),
        ("left kidney", "right kidney"),
        ("lung_upper_lobe_left", "right lung"),
        ("lung_upper_lobe_left", "lung_lower_lobe_left"),
        ("kidney cyst", "left kidney"),
        ("LV", "left atrium"),
        ("liver", "heart"),
    ],
)
def test_other_structures_are_no_parts(part: str, whole: str) -> None:
    assert not is_part_of(part, whole)


def test_parts_of_the_unknown_are_refused() -> None:
    with pytest.raises(InputError, match="xyzzy"):
        is_part_of("liver", "xyzzy")


def test_tolerances_fall_back_to_the_default() -> None:
    # The tolerances of FLARE 2022, by the names of its evaluation.
    flare = {
        "liver": 5, "RK": 3, "spleen": 3, "pancreas": 5, "aorta": 2, "IVC": 2, "RAG": 2, "LAG": 2,
        "gallbladder": 2, "esophagus": 3, "stomach": 5, "duodenum": 7, "LK": 3,
    }  # fmt: skip
    assert {name: tolerance_mm(name) for name in flare} == flare
    assert {find(name) for name in flare} < {one for one in ALL if one.tolerance_mm is not None}
    assert tolerance_mm("brain") == tolerance_mm("xyzzy") == DEFAULT_TOLERANCE_MM == 2


def test_the_file_is_consistent() -> None:
    by_name = {one.name: one for one in ALL}
    assert len(by_name) == len(ALL)
    for one in ALL:
        assert one.kind in KINDS
        assert one.parent is None or one.parent in by_name
        assert all(text.isascii() for text in (one.name, *one.synonyms))
        assert one.name == canonical(one.name)
        assert one.tolerance_mm is None or one.tolerance_mm > 0
    assert {one.kind for one in ALL} == set(KINDS)


def test_names_are_in_british_english() -> None:
    american = re.compile(
        r"tumor|\besoph|\bedema|\bhemorr|\bgray|\bdisk|\bfiber|\bcenter|\bfoet|leuk|\bcec|\bceli"
    )
    assert [one.name for one in ALL if american.search(one.name)] == []


def test_codes_are_well_formed_and_stand_once() -> None:
    codes = [one.snomed for one in ALL if one.snomed is not None]
    assert len(codes) == len(set(codes))
    assert [code for code in codes if not re.fullmatch(r"[1-9][0-9]{5,17}", code) or _verhoeff(code)] == []


def _verhoeff(number: str) -> int:
    """What a SNOMED CT id has as its check: 0 if its last digit is right."""
    shuffle = (1, 5, 7, 6, 2, 8, 3, 0, 9, 4)
    check = 0
    for place, digit in enumerate(reversed(number)):
        value = int(digit)
        for _ in range(place % 8):
            value = shuffle[value]
        # The product in the dihedral group of the pentagon: 0..4 are turns, 5..9 reflections.
        turn = (check % 5 - value if check > 4 else check + value) % 5
        check = turn + 5 * ((check > 4) != (value > 4))
    return check


def test_codes_mean_in_dicom_what_they_mean_here() -> None:
    concepts: dict[str, dict[str, tuple[str, list[int]]]] = pytest.importorskip(
        "pydicom.sr._concepts_dict"
    ).concepts["SCT"]
    meanings: dict[str, set[str]] = {}
    for coded in concepts.values():
        for code, (meaning, *_) in coded.items():
            meanings.setdefault(code, set()).add(re.sub(r"^Structure of | \(body structure\)$", "", meaning))
    in_dicom = [one for one in ALL if one.snomed in meanings]
    assert len(in_dicom) > 200
    wrong = [
        one.name for one in in_dicom if not any(find(text) is one for text in meanings[one.snomed or ""])
    ]
    assert wrong == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[organ]\na = {synonyms = ["x"]}\nb = {synonyms = ["X"]}', "'X' to mean one structure.*'a, b'"),
        ("[organ]\na = {paired = true}\n'left a' = {}", "each structure once"),
        ("[organ]\na = {}\n[tissue]\na = {}", "each structure once"),
        ('[organ]\na = {parent = "b"}', "a known parent above 'a'.*'b'"),
        ('[organ]\na = {parent = "b"}\nb = {parent = "a"}', "a known parent above 'a'"),
        ('[organ]\na = {synonym = ["x"]}', "only the fields.*'synonym'"),
        ("[organ]\na = {paired = 1}", "paired of 'a' of the right type.*1"),
        ("[organ]\na = {synonyms = [1]}", "synonyms of 'a' of the right type"),
        ("[orgen]\na = {}", "a table named organ, .*'orgen'"),
        ('[organ]\n"a {n}" = {range = ["1", "2"], snomed = ["1"]}', "one code for each"),
    ],
)
def test_a_broken_file_is_refused(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Vocabulary(tomllib.loads(text))


def test_a_range_gives_one_structure_for_each_value() -> None:
    tables: dict[str, Any] = {
        "bone": {
            "rib {n}": {
                "range": ["1", "2"],
                "paired": True,
                "synonyms": ["costa {n}"],
                "snomed": ["11", "12"],
            }
        }
    }
    vocabulary = Vocabulary(tables)
    assert list(vocabulary.structures) == [
        "rib 1", "left rib 1", "right rib 1", "rib 2", "left rib 2", "right rib 2",
    ]  # fmt: skip
    assert vocabulary.structures["left rib 2"] == Structure(
        "left rib 2", ("left costa 2",), "left", True, "rib 2", None, "bone", None
    )
    assert vocabulary.structures["rib 2"].snomed == "12"


def test_importing_reads_no_file() -> None:
    code = "import sys, anytomy.core.structures; print('tomllib' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout.strip()) == (0, "False"), done.stderr
