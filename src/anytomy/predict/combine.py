"""Making objects of others: rings and holes that no box can say."""

from __future__ import annotations

import difflib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from anytomy.core.combination import Combination, Part, name_key, quoted
from anytomy.core.errors import PromptError
from anytomy.core.prediction import ObjectMask

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from anytomy.core.combination import Chain
    from anytomy.core.prediction import ClassLabel
    from anytomy.core.prompt import Prompt

    Source = Prompt | ClassLabel | Combination

    Term = Part | Chain


@dataclass(frozen=True)
class Recipe:
    """A combination whose parts have been found.

    Attributes:
        combination: With its id.
        places: For each part its place among the prompts and, after them, the combinations.
    """

    combination: Combination
    places: Mapping[Part, int]


def recipes(prompts: Sequence[Prompt | ClassLabel], combine: Iterable[Combination | str]) -> list[Recipe]:
    """Find the parts of combinations among prompts and earlier combinations.

    Args:
        prompts: Numbered.
        combine: Combinations, or texts such as `myocardium = epicardium - endocardium`.

    Raises:
        PromptError: If one cannot be understood, its name or id is taken, or a part is unknown, means two
            objects, or is made only later or of itself.
    """
    wanted = [combine] if isinstance(combine, (str, Combination)) else combine
    made = [c if isinstance(c, Combination) else Combination.parse(c) for c in wanted]
    sources: list[Source] = list(prompts)
    _check_new(prompts, made)
    taken = {prompt.id for prompt in prompts} | {each.id for each in made}
    free = (i for i in range(1, 65536) if i not in taken)
    found = []
    for number, each in enumerate(made):
        places = {part: _place(part, each, sources, made[number:]) for part in each.term.parts()}
        id_ = each.id if each.id is not None else next(free, None)
        if id_ is None:
            raise PromptError(f"{each.text}: all 65535 object ids are taken")
        sources.append(replace(each, id=id_))
        found.append(Recipe(replace(each, id=id_), places))
    return found


def _check_new(prompts: Sequence[Prompt | ClassLabel], made: Sequence[Combination]) -> None:
    """Refuse names and ids that are taken."""
    names = {name_key(_name(prompt)): f"object {prompt.id}" for prompt in prompts}
    ids = {prompt.id: prompt.label for prompt in prompts}
    for each in made:
        key, label = name_key(each.name), f"the combination {each.text}"
        if key in names:
            raise PromptError(
                f"{each.text}: {quoted(each.name)} is already the name of {names[key]}",
                hint="choose another name",
            )
        if each.id is not None and each.id in ids:
            raise PromptError(f"{each.text}: id {each.id} is already that of {ids[each.id]}")
        names[key] = label
        if each.id is not None:
            ids[each.id] = label


def _place(part: Part, whole: Combination, sources: Sequence[Source], later: Sequence[Combination]) -> int:
    """Where a part is among the sources."""
    if part.is_id:
        fits = [i for i, source in enumerate(sources) if str(source.id) == part.text.lstrip("0")]
    else:
        fits = [i for i, source in enumerate(sources) if _name(source) == part.text]
        fits = fits or [
            i for i, source in enumerate(sources) if name_key(_name(source)) == name_key(part.text)
        ]
    if len(fits) == 1:
        return fits[0]
    if fits:
        numbers = " and ".join(str(sources[i].id) for i in fits)
        raise PromptError(
            f"{whole.text}: {part} is the name of objects {numbers}", hint="write the id instead of the name"
        )
    for each in later:
        if not part.is_id and name_key(each.name) == name_key(part.text):
            raise _circular(whole, each, later)
    raise _unknown(part, whole, sources)


def _circular(whole: Combination, needed: Combination, later: Sequence[Combination]) -> PromptError:
    """Why a combination cannot be made of one that is not there yet."""
    if needed is whole:
        return PromptError(f"{whole.text}: circular, {quoted(whole.name)} is made of itself")
    by_name = {name_key(each.name): each for each in later}
    below: set[str] = set()
    fresh = [needed]
    while fresh:
        names = {name_key(part.text) for part in fresh.pop().term.parts() if not part.is_id} - below
        below |= names
        fresh += [by_name[name] for name in names if name in by_name]
    if name_key(whole.name) in below:
        return PromptError(
            f"{whole.text}: circular, {quoted(needed.name)} is made of {quoted(whole.name)} in turn"
        )
    return PromptError(
        f"{whole.text}: {quoted(needed.name)} is made only later", hint=f"put {needed.text} before it"
    )


def _unknown(part: Part, whole: Combination, sources: Sequence[Source]) -> PromptError:
    names = [_name(source) for source in sources]
    if part.is_id:
        ids = ", ".join(str(source.id) for source in sources[:20])
        return PromptError(f"{whole.text}: there is no object with the id {part}", hint=f"ids are {ids}")
    by_key = {name_key(name): name for name in names}
    close = difflib.get_close_matches(name_key(part.text), by_key, n=1, cutoff=0.7)
    # `left-kidney` is read as left without kidney.
    close = close or [key for key in by_key if name_key(part.text) in key and quoted(key) != key]
    if close:
        hint = f"did you mean {quoted(by_key[close[0]])}?"
    else:
        hint = f"objects are {', '.join(quoted(name) for name in names[:10])}"
    return PromptError(f"{whole.text}: there is no object {part}", hint=hint)


def _name(source: Source) -> str:
    return source.name or f"object {source.id}"


def combine_objects(
    found: Sequence[Recipe],
    masks: Sequence[ObjectMask],
    ids: Sequence[int],
    scores: Sequence[float],
    label_map: NDArray[Any],
) -> tuple[list[ObjectMask], list[float], NDArray[Any]]:
    """Make the combined objects, slice by slice.

    In the label map a combined object takes the voxels that its parts have there, and in `a - b` b those
    that it shares with a: else a ring and its hole would be hidden by the disc that they were cut from. What
    an object that is no part has won stays its own.

    Args:
        found: From `recipes`.
        masks: Of the prompts, in their order.
        ids: Their ids.
        scores: Their scores; a combined object has the lowest one of its parts, or 0 if it is empty.
        label_map: `(z, y, x)`; changed in place where its type can hold all ids.

    Returns:
        Masks of the combined objects, their scores, and the label map.
    """
    everything, all_ids, all_scores = list(masks), list(ids), list(scores)
    highest = max((each.combination.id or 0 for each in found), default=0)
    if highest > np.iinfo(label_map.dtype).max:
        label_map = label_map.astype(np.uint16)
    view = masks[0].view
    planes = view.apply(label_map)  # a view in both senses: writes reach the label map
    below: dict[int, set[int]] = {id_: set() for id_ in ids}  # ids of all that an object is made of
    for each in found:
        id_, term = int(each.combination.id or 0), each.combination.term
        parts = sorted(set(each.places.values()))
        id_of = {part: all_ids[i] for part, i in each.places.items()}
        below[id_] = set(id_of.values()).union(*(below[all_ids[i]] for i in parts))
        made = ObjectMask(view)
        for slice_ in sorted({s for i in parts for s in everything[i].slices}):
            drawn = {part: everything[i].get(slice_) for part, i in each.places.items()}
            for under, over in _removals(term):
                losers = {id_of[part] for part in under} - {id_of[part] for part in over}
                for part in over:
                    _give(planes[slice_], drawn[part], losers, id_of[part])
            mask = _evaluated(term, drawn)
            made.set(slice_, mask)
            _give(planes[slice_], mask, below[id_], id_)
        everything.append(made)
        all_ids.append(id_)
        all_scores.append(min(all_scores[i] for i in parts) if made.slices else 0.0)
    return everything[len(masks) :], all_scores[len(masks) :], label_map


def _give(owner: NDArray[Any], mask: NDArray[np.bool_], losers: set[int], id_: int) -> None:
    """Let the object `id_` have those voxels of its mask that `losers` have in the label map."""
    values = owner[mask]
    values[np.isin(values, list(losers))] = id_
    owner[mask] = values


def _evaluated(term: Term, drawn: Mapping[Part, NDArray[np.bool_]]) -> NDArray[np.bool_]:
    """The mask of a term in one slice."""
    if isinstance(term, Part):
        return drawn[term]
    mask = _evaluated(term.first, drawn)
    for sign, other in term.rest:
        right = _evaluated(other, drawn)
        mask = mask & ~right if sign == "-" else mask | right if sign == "+" else mask & right
    return mask


def _removals(term: Term) -> list[tuple[list[Part], list[Part]]]:
    """For each minus what stands before it and what is taken away."""
    if isinstance(term, Part):
        return []
    found, before = _removals(term.first), list(term.first.parts())
    for sign, other in term.rest:
        found += _removals(other)
        if sign == "-":
            found.append((list(before), list(other.parts())))
        before += other.parts()
    return found
