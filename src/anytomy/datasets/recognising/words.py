"""Words in the names of files and folders: what says image, mask, part of a split, one of several."""

from __future__ import annotations

import re
from collections.abc import Iterable


def word_set(text: str) -> frozenset[str]:
    """The words of a text."""
    return frozenset(text.split())


# Ends of words count too: `gmseg`, `lesionmask`, `jpegimages`.
_MASK_ENDS = ("mask", "masks", "seg", "segs", "label", "labels", "segmentation", "segmentations", "gt")
_MASK_STARTS = ("mask", "label", "segment", "annot", "groundtruth")
_MASK_WORDS = word_set(
    """
    mask masks maskes label labels labelled labelmap labelmaps labelcol lbl lbls seg segs segm
    segmented segmentation segmentations segmap gt gts truth groundtruth ground annotation
    annotations annotated anno annos annot annots ann contour contours delineation delineations
    manual manuals roi rois expert experts observer observers rater raters annotator instance
    instances trimap trimaps parsing gold goldstandard reference parcellation aseg aparc dseg
    """
)
_NO_MASK = word_set("segment masked labelme")
_IMAGE_WORDS = word_set(
    """
    image images img imgs imagen imagens im ims scan scans raw rawdata original originals originale
    orig input inputs photo photos photograph photographs picture pictures pic pics volume volumes
    vol vols dicom dcm dicoms rgb frame frames slice slices ct cts cta mr mri mrs mra pet us
    ultrasound xray xrays cxr xr fundus oct t1 t2 t1w t2w t1c t1ce t1gd t1n t2f pd pdw flair dwi adc
    bssfp lge cine bold fmri jpegimages tissue data patch patches tile tiles
    """
)
_IMAGE_ENDS = ("image", "images", "img", "imgs", "scan", "scans")
_IMAGE_STARTS = ("image", "img")
# Words that tell neither two folders nor two structures apart.
NOISE = word_set(
    """
    data dataset set png jpg jpeg tif tiff bmp gif nii nifti gz mha nrrd dcm part part1 part2 1st
    first tr the of and dir folder files file new all anon final binary bin file only with class
    object color colour col png8 8bit full size
    """
)
SPLITS = {
    "train": "train", "training": "train", "trainset": "train", "tr": "train", "trn": "train",
    "val": "validation", "valid": "validation", "validation": "validation", "dev": "validation",
    "va": "validation",
    "test": "test", "testing": "test", "testset": "test", "ts": "test", "tst": "test",
}  # fmt: skip
_SECOND = re.compile(r"(?:2nd|second|[2-9])")
_OBSERVERS = word_set(
    """
    manual manuals observer observers rater raters expert experts annotator reader readers ho gt
    gold
    """
)
_FOR_THE_EYE = word_set(
    "vis visual visualisation visualization visualized overlay overlays preview previews blend color rgb"
)
_FIELD = word_set("fov fieldofview field roi rois")
_PARTS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")


def tokens(text: str) -> list[str]:
    """The words and numbers of a name, lower case: `leftMask_01` has left, mask and 01."""
    found: list[str] = []
    for part in _PARTS.findall(text):
        word = part.lower()
        # `T1`, `2nd`: letters and digits of one word.
        if found and _joins(found[-1], word):
            found[-1] += word
        else:
            found.append(word)
    return found


def _joins(before: str, word: str) -> bool:
    return (before == "t" and word in ("1", "2")) or (
        before.isdigit() and word in ("st", "nd", "rd", "th", "bit", "ch")
    )


def says_mask(text: str) -> bool:
    """Whether a name says that this is a mask: `labelsTr`, `x_seg-manual`, `GroundTruth`."""
    return any(is_mask_word(word) for word in _mask_tokens(text))


def is_mask_word(word: str) -> bool:
    """Whether a word says mask."""
    if word in _NO_MASK:
        return False
    return word in _MASK_WORDS or word.startswith(_MASK_STARTS) or word.endswith(_MASK_ENDS[:4])


def _mask_tokens(text: str) -> list[str]:
    words = tokens(text)
    # `ground` alone is no mask, but for the folder of that name.
    return [w for w in words if w != "ground" or len(words) == 1 or "truth" in words]


def says_image(text: str) -> bool:
    """Whether a name says that this is an image and not that it is a mask."""
    words = tokens(text)
    return not says_mask(text) and any(
        w in _IMAGE_WORDS or w.startswith(_IMAGE_STARTS) or w.endswith(_IMAGE_ENDS) for w in words
    )


def topic(text: str) -> frozenset[str]:
    """What a name says beside image, mask and noise: `Tumour_masks` and `tumour_images` agree in it."""
    left = []
    for word in tokens(text):
        role = word in _MASK_WORDS or word in _IMAGE_WORDS or word in NOISE or is_mask_word(word)
        if not role and not word.startswith(_IMAGE_STARTS) and not word.endswith(_IMAGE_ENDS):
            left.append(SPLITS.get(word, word))
    return frozenset(left)


def split_of(text: str) -> str:
    """The split that a folder's name says (`train`, `validation`, `test`), or ""."""
    said = {SPLITS[word] for word in tokens(text) if word in SPLITS}
    return said.pop() if len(said) == 1 else ""


def structure_words(text: str) -> str:
    """What a mask's name says that it marks, or "": `left_lung_mask` marks the left lung."""
    kept = []
    for word in tokens(text):
        if word.isdigit() or len(word) < 2 or word in NOISE or word in SPLITS or is_mask_word(word):
            continue
        if word in _IMAGE_WORDS or word.startswith(_IMAGE_STARTS) or _SECOND.match(word):
            continue
        kept.append(word)
    return " ".join(kept)


def is_second_observer(text: str) -> bool:
    """Whether a mask's name says that somebody else than the first drew it: `2nd_manual`, `observer2`."""
    words = tokens(text)
    return bool(_OBSERVERS & set(words)) and any(_SECOND.fullmatch(w) for w in words)


def is_field_of_view(text: str, others: Iterable[str]) -> bool:
    """Whether a folder of masks, beside others, is the field of view: `mask` beside `1st_manual`."""
    if set(tokens(text)) & _FIELD and any(True for _ in others):
        return True
    plain = tokens(text) in (["mask"], ["masks"])
    return plain and any(set(tokens(other)) & (_OBSERVERS | {"truth", "groundtruth"}) for other in others)


def is_for_the_eye(text: str) -> bool:
    """Whether a folder holds pictures of masks rather than masks: `masks_vis`, `overlay`."""
    return bool(set(tokens(text)) & _FOR_THE_EYE)


def is_index_word(word: str) -> bool:
    """Whether a part of a file's name only counts the images of somebody: `frame01`, `slice`, `012`."""
    return bool(
        re.fullmatch(
            r"(?:frame|slice|slc|img|image|im|view|phase|time|tp|t|z|s|f|i|n|no|nr|idx|scan|visit|series)?\d+"
            r"|(?:ed|es|cc|mlo|left|right|od|os|l|r|lcc|rcc|lmlo|rmlo|2ch|3ch|4ch|ap|pa|lat|sag|cor|ax|axial|coronal"
            r"|sagittal|pre|post|baseline|followup)\d*",
            word.lower(),
        )
    )


def is_counter_word(word: str) -> bool:
    """Whether a part of a name says aloud that it counts: `slice012`, `frame3`; a bare number does not."""
    return bool(re.fullmatch(r"(?:frame|slice|slc|img|image|im|view|phase|time|z)\d+", word.lower()))
