"""Which names belong together and what they have in common: `36_training` and `36_manual1` share 36.

A rule says what stands before and after the common part of an image's name and before that of a mask's; what
comes after it in a mask's name (the rest) may be the same for all (`_mask`), a number (`_mask_2`) or a word
(`_liver`).
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from anytomy.datasets.recognising.files import spread
from anytomy.datasets.recognising.words import says_image, says_mask

_SAMPLED = 24
_CANDIDATES = 12
_RULES = 40
_TOKEN = r"\d+|[^\W\d_]+"


@dataclass(frozen=True)
class Rule:
    """How an image's and a mask's name contain what they have in common; lower case.

    Attributes:
        before: What stands before it in an image's name.
        after: What stands after it in an image's name.
        mask_before: What stands before it in a mask's name.
    """

    before: str = ""
    after: str = ""
    mask_before: str = ""

    def core(self, image: str) -> str:
        """The common part of an image's name, or "" if the rule does not fit."""
        if len(image) <= len(self.before) + len(self.after):
            return ""
        if not (image.startswith(self.before) and image.endswith(self.after)):
            return ""
        core = image[len(self.before) : len(image) - len(self.after)]
        fits = _may_cut(self.before, core, self.before) and _may_cut(core, self.after, self.after)
        return core if fits else ""


@dataclass(frozen=True)
class Fit:
    """Names that a rule joins.

    Attributes:
        rule: The rule.
        joined: For each mask (by its key) the image's key and the rest of the mask's name.
    """

    rule: Rule
    joined: Mapping[str, tuple[str, str]]

    @property
    def images(self) -> set[str]:
        """Keys of the images that have a mask."""
        return {image for image, _ in self.joined.values()}

    @property
    def weight(self) -> tuple[int, int, int, int]:
        """Better fits are greater: more masks, more images, plainer rests and names."""
        rule = self.rule
        rests = Counter(rest for _, rest in self.joined.values())
        return (
            len(self.joined),
            len(self.images),
            -len(rests),
            -len(rule.before + rule.after + rule.mask_before),
        )


# Names with the place where they count: names of different folders do not meet.
Names = Sequence[tuple[str, str, str]]


def best_fit(images: Names, masks: Names) -> Fit | None:
    """The rule that joins most masks with images.

    Args:
        images: For each image its key, its place and its name.
        masks: The same of the masks.

    Returns:
        The best fit, or None if no names have anything in common that holds for more than chance.
    """
    if not images or not masks:
        return None
    fits = [apply(rule, images, masks) for rule in _candidates(images, masks)]
    fits = [fit for fit in fits if fit.joined]
    return max(fits, key=lambda fit: fit.weight) if fits else None


def apply(rule: Rule, images: Names, masks: Names) -> Fit:
    """Join names by a rule; a mask goes to the image that has most of its name."""
    cores: dict[tuple[str, str], str] = {}
    for key, place, name in images:
        core = rule.core(name.lower())
        if core:
            cores.setdefault((place, core), key)
    joined = {}
    for key, place, name in masks:
        low = name.lower()
        tail = low[len(rule.mask_before) :]
        if not low.startswith(rule.mask_before) or not _may_cut(rule.mask_before, tail, rule.mask_before):
            continue
        for end in range(len(tail), 0, -1):
            image = cores.get((place, tail[:end]))
            if image is not None and image != key and _may_cut(tail[:end], tail[end:], tail[end:]):
                joined[key] = (image, name[len(rule.mask_before) + end :])  # the rest as it is written
                break
    return Fit(rule, joined)


def _candidates(images: Names, masks: Names) -> Iterator[Rule]:
    """Rules that some pair of names suggests, the likeliest first."""
    by_token: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for _, place, name in masks:
        for token in set(re.findall(_TOKEN, name.lower())):
            by_token[place, token.lstrip("0") or token].append(name.lower())
    votes: Counter[Rule] = Counter({Rule(): 1})
    for place, name in _sample(images):
        low = name.lower()
        shared: Counter[str] = Counter()
        for token in set(re.findall(_TOKEN, low)):
            others = by_token.get((place, token.lstrip("0") or token), [])
            if len(others) <= 400:
                # What few masks have in their names says more.
                for other in others:
                    shared[other] += 1 + 1000 // len(others)
        for other, _ in shared.most_common(_CANDIDATES):
            votes.update(set(_rules_of(low, other)))
    yield from (rule for rule, _ in votes.most_common(_RULES))


def _sample(names: Names) -> list[tuple[str, str]]:
    by_key = {f"{place}\0{name}": (place, name) for _, place, name in names}
    return [by_key[key] for key in spread(by_key, _SAMPLED)]


def _rules_of(image: str, mask: str) -> Iterator[Rule]:
    if mask.startswith(image):
        yield Rule()
    places = {m[0]: m.start() for m in reversed(list(re.finditer(_TOKEN, mask)))}
    for token in re.finditer(_TOKEN, image):
        if token[0] in places:
            yield Rule(image[: token.start()], image[token.end() :], mask[: places[token[0]]])
    matcher = SequenceMatcher(None, image, mask, autojunk=False)
    blocks = sorted(matcher.get_matching_blocks(), key=lambda block: -block.size)[:3]
    for block in blocks:
        core = image[block.a : block.a + block.size]
        left = len(core) - len(_from_border(core, image[: block.a], mask[: block.b]))
        core = core[left:].rstrip(" _-.()[]")
        at_image, at_mask = block.a + left, block.b + left
        if not core:
            continue
        before, after = image[:at_image], image[at_image + len(core) :]
        mask_before = mask[:at_mask]
        # A number is common as a whole; only noughts before it may be left out (`5` and `005`).
        number = re.match(r"\d+", core)
        if number and before[-1:].isdigit():
            cut = number.end()
            if cut == len(core) or before[-1] != "0" or mask_before[-1:].isdigit():
                continue
        yield Rule(before, after, mask_before)


def _from_border(core: str, *before: str) -> str:
    """What is common without the end of a word that is common by chance: `_1` of `ct_1` and `gt_1`."""
    if core[:1].isalpha() and any(text[-1:].isalpha() for text in before):
        word = re.match(r"[^\W\d_]+", core)
        known = all(not text or says_mask(text) or says_image(text) for text in before)
        core = core if word is None or known else core[word.end() :]
    return core.lstrip(" _-.()[]")


def _may_cut(before: str, after: str, affix: str) -> bool:
    """Whether a name may be cut there: not inside a number, nor inside a word unless the affix is known."""
    if not before or not after:
        return True
    a, b = before[-1], after[0]
    if a.isdigit() and b.isdigit():
        # `005` and `5` are the same number.
        return set(before[len(before.rstrip("0123456789")) :]) == {"0"}
    if a.isalpha() and b.isalpha():
        return says_mask(affix) or says_image(affix)
    return True


def plain_rests(rests: Iterable[str]) -> dict[str, set[str]]:
    """Rests without the number at their end, and the numbers: `_mask`, `_mask_1` are one with "" and `_1`."""
    found: dict[str, set[str]] = {}
    for rest in rests:
        match = re.fullmatch(r"(.*?)((?:[ _.\-(\[]|(?<=[a-z]))*\d+[)\]]*)?", rest, re.IGNORECASE)
        head, number = (match[1], match[2] or "") if match else (rest, "")
        found.setdefault(head, set()).add(number)
    return found
