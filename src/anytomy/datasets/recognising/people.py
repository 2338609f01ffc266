"""Which images belong to one patient, by the names of folders and files: `with_patients`.

Patterns are changed so that they name the patient: `images/{case}.png` becomes
`images/{patient}{image:...}.png` where names such as `20_23` and `20_31` share their beginning.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from anytomy.datasets.layout import Layout
from anytomy.datasets.recognising.words import SPLITS, is_counter_word, is_index_word, tokens, word_set

_SEPARATORS = " _.-"
# Folders of these names hold images of many people.
_GROUPS = word_set(
    """
    fold folds batch part set group class grade level site centre center hospital vendor scanner country
    type subset dataset data category cat
    """
)
_MOST_CUT = 5


def with_patients(layout: Layout, found: Sequence[Mapping[str, str]]) -> tuple[Layout, str]:
    """The layout with a template for the patient, and a sentence about it ("" where nothing tells it).

    Args:
        layout: With the names `case` and perhaps folders in its image pattern.
        found: What stands for these names, for each image.
    """
    folder = _patient_folder(found)
    if folder:
        count = len({names[folder].lower() for names in found})
        example = found[0][folder]
        return replace(layout, patient=f"{{{folder}}}"), (
            f"patients are told apart by their folders (such as {example}): {count} patients,"
            f" {len(found)} images"
        )
    stems = [names["case"] for names in found if "case" in names]
    cut = _cut(stems)
    if not cut or "{case}" not in layout.image:
        return replace(layout, patient=layout.case), ""
    parts = _parts(stems, cut)
    patients = {_without(names["case"], cut).lower() for names in found if "case" in names}
    example = found[0]["case"]
    changed = replace(
        layout,
        image=layout.image.replace("{case}", parts),
        masks={name: text.replace("{case}", parts) for name, text in layout.masks.items()},
        case=layout.case.replace("{case}", re.sub(r":[^{}]*(?=\})", "", parts)),
        patient="{patient}",
    )
    return changed, (
        f"patients are told apart by the beginning of file names ({_without(example, cut)} of {example}):"
        f" {len(patients)} patients, {len(found)} images"
    )


def _parts(stems: Sequence[str], cut: int) -> str:
    """A pattern of names that end in `cut` parts that count: `{patient}_{image:frame\\d+}`."""
    ends = [stem[len(_without(stem, cut)) :] for stem in stems]
    first = re.match(r"[ _.\-]+", ends[0])[0]  # type: ignore[index]
    shapes = {re.sub(r"\d+", r"\\d+", re.escape(end)) for end in ends}
    if len(shapes) == 1 and all(re.match(r"[ _.\-]+", end)[0] == first for end in ends):  # type: ignore[index]
        shape = shapes.pop()[len(re.escape(first)) :].replace("\\-", "-").replace("\\ ", " ")
        return f"{{patient}}{first}{{image:{shape}}}"
    return "{patient}{image:" + r"[ _.\-]+[^ _.\-/]+" * cut + "}"


def _patient_folder(found: Sequence[Mapping[str, str]]) -> str:
    """The folder level whose names look like patients and that holds several images somewhere."""
    names = [name for name in (found[0] if found else {}) if name not in ("case", "image", "ending", "root")]
    for name in reversed(names):
        values = Counter(one.get(name, "").lower() for one in found)
        if len(values) < 2 or max(values.values()) < 2:
            continue
        words = {word for value in values for word in tokens(value)}
        if words & _GROUPS or words & set(SPLITS):
            continue
        numbered = sum(any(c.isdigit() for c in value) for value in values)
        if numbered >= 0.8 * len(values) or (len(values) >= 10 and len(values) > 0.1 * len(found)):
            return name
    return ""


def _cut(stems: Sequence[str]) -> int:
    """How many parts at the end of names only count somebody's images; 0 where names share nothing."""
    if len(stems) < 2:
        return 0
    split = [re.split(f"[{re.escape(_SEPARATORS)}]+", stem.strip(_SEPARATORS)) for stem in stems]
    most = min(len(parts) for parts in split) - 1
    best = 0
    for cut in range(1, min(most, _MOST_CUT) + 1):
        dropped = [parts[-cut] for parts in split]
        kept = [_without(stem, cut) for stem in stems]
        if not all(is_index_word(word) for word in dropped):
            break
        loud = all(is_counter_word(word) for word in dropped)
        if not loud and not all(any(c.isdigit() for c in rest) for rest in kept):
            break
        groups = Counter(rest.lower() for rest in kept)
        if len(groups) < 2 or (len(stems) > 8 and max(groups.values()) > 0.6 * len(stems)):
            break
        if max(groups.values()) > 1:
            best = cut
    return best


def _without(stem: str, cut: int) -> str:
    match = re.fullmatch(f"(.+?)(?:[{re.escape(_SEPARATORS)}]+[^{re.escape(_SEPARATORS)}]+){{{cut}}}", stem)
    return match[1] if match else stem
