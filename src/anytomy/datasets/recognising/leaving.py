"""Masks that are left out where there are better ones: of second observers, fields of view, for the eye."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from anytomy.datasets.recognising.sketch import Bundle
from anytomy.datasets.recognising.words import is_field_of_view, is_for_the_eye, is_second_observer


def without_others(bundles: Sequence[Bundle]) -> tuple[list[Bundle], list[str]]:
    """Bundles without folders of fields of view and of second observers, where there is something else."""
    said = []
    kept = sorted({bundle.mask_dir for bundle in bundles})
    for mask_dir in list(kept):
        label = "/".join(mask_dir)
        mine = [bundle for bundle in bundles if bundle.mask_dir == mask_dir]
        images = set().union(*(bundle.images for bundle in mine))
        others = {
            "/".join(b.mask_dir)
            for b in bundles
            if b.mask_dir in kept and b.mask_dir != mask_dir and images & b.images
        }
        if not others or not label:
            continue
        if is_second_observer(label):
            what = "of a second observer"
        elif is_field_of_view(label, others):
            what = "of the field of view"
        elif is_for_the_eye(label) and not all(is_for_the_eye(other) for other in others):
            what = "that are pictures for the eye"
        else:
            continue
        said.append(f"{label}: {sum(len(b.pairs) for b in mine)} masks {what} are left out")
        kept.remove(mask_dir)
    return [bundle for bundle in bundles if bundle.mask_dir in kept], said


def without_second_observers(bundles: Sequence[Bundle]) -> tuple[list[Bundle], tuple[str, ...]]:
    """Bundles without files of second observers (`_2ndHO`), where there are those of a first one."""
    said, out = [], []
    for bundle in bundles:
        rests = {pair.rest for pair in bundle.pairs}
        second = {rest for rest in rests if is_second_observer(rest)}
        if second and second != rests:
            said.append(f"{', '.join(sorted(second))}: masks of a second observer are left out")
            bundle = replace(bundle, pairs=tuple(p for p in bundle.pairs if p.rest not in second))
        out.append(bundle)
    return out, tuple(said)
