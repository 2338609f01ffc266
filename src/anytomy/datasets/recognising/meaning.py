"""What the values of masks mean: `meaning_of`.

A few masks are opened and told apart as binary, soft or blurred (a threshold), classes (each value or colour
one), and objects (each value one of its own). What was taken and why is said in words, and everything can be
overruled by the user.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from anytomy.datasets.layout import Target
from anytomy.datasets.recognising.evidence import Pool, background_of, holds_objects
from anytomy.datasets.recognising.greys import Greys, greys_of
from anytomy.datasets.recognising.looking import Look

FOREGROUND = "foreground"
# More than that is no list of classes that anybody would go through.
_MOST_CLASSES = 300


@dataclass(frozen=True)
class Meaning:
    """What the masks of one kind mean.

    Attributes:
        targets: What they mark; `mask` is not set.
        said: Sentences for the user.
        odd: What is strange.
    """

    targets: tuple[Target, ...]
    said: tuple[str, ...] = ()
    odd: tuple[str, ...] = ()


def meaning_of(
    looks: Sequence[Look],
    *,
    structure: str = "",
    names: Mapping[Any, str] | None = None,
    one_file_each: bool = False,
) -> Meaning:
    """What masks mean.

    Args:
        looks: Some of them, opened.
        structure: What they mark as far as their names say.
        names: What values (or colours) mean as far as some file or the user says.
        one_file_each: Several files belong to an image, one object each.
    """
    names = dict(names or {})
    background = background_of(looks)
    pool = Pool([look for look in looks if look.counts], background)
    named = structure or (next(iter(names.values())) if len(names) == 1 else FOREGROUND)
    channel = 0 if any(look.frames > 1 for look in looks) else None
    if any(not look.counts for look in looks):
        found = _continuous(looks, named)
    elif one_file_each:
        found = _files(pool, named)
    elif not pool.counts:
        found = Meaning((Target(named, above=0),), ("the masks that were opened are all empty",))
        found = _from_names(names, found) if len(names) > 1 else found
    elif any(look.colour for look in looks):
        found = _colours(pool, named, names)
    else:
        found = _values(pool, named, names)
    odd = list(found.odd)
    if background not in (0, (0, 0, 0)) and not one_file_each:
        odd.append(f"masks are drawn on {_shown(background)} instead of 0: that counts as background")
    if channel is not None:
        odd.append("some masks hold several volumes: the first one is taken (channel = 0)")
        found = replace(found, targets=tuple(replace(t, channel=channel) for t in found.targets))
    if pool.covered > 0.5 and len(found.targets) == 1 and not one_file_each:
        odd.append(
            f"{pool.covered:.0%} of the pixels are labelled: if the background is meant, correct the card"
        )
    return replace(found, odd=tuple(odd))


def _values(pool: Pool, named: str, names: Mapping[Any, str]) -> Meaning:
    if any(look.lossy for look in pool.looks):
        greys = greys_of(pool)
        odd: tuple[str, ...] = ()
        if len(greys.peaks) > 1:
            levels = ", ".join(str(p) for p in greys.peaks)
            odd = (
                f"masks are JPEGs with several grey levels ({levels}), which cannot be told apart reliably",
            )
        return Meaning((Target(named, above=127),), ("masks are JPEGs: values above 127 count",), odd)
    if not all(look.whole for look in pool.looks):
        return _continuous(pool.looks, named)
    if len(names) > 1:
        return _named_classes(pool, names)
    # 1-bit pictures and those with 0 and 255 are often mixed.
    mixed = max(len(pool.values_of(look)) for look in pool.looks) <= 1 and set(pool.values) <= {1, 255}
    if mixed or len(pool.values) == 1:
        return _binary(pool, named)
    if holds_objects(pool):
        most = max(len(pool.values_of(look)) for look in pool.looks)
        why = f"each value is in one piece and masks have up to {most} of them, others from image to image"
        return Meaning(
            (Target(named, objects="instances"),),
            (f"each value is taken as an object of its own: {why} (`--objects one` says otherwise)",),
        )
    greys = greys_of(pool)
    if greys.kind == "soft":
        return Meaning((Target(named, above=127),), (f"{greys.why}: values above 127 count",), greys.odd)
    if greys.kind == "one":
        threshold = 127 if greys.peaks[0] > 127 else greys.peaks[0] // 2
        return Meaning(
            (Target(named, above=threshold),), (f"{greys.why}: values above {threshold} count",), greys.odd
        )
    if greys.kind == "levels":
        return _grey_classes(greys, names)
    if len(pool.values) > _MOST_CLASSES:
        return _continuous(pool.looks, named)
    targets = tuple(Target(names.get(v, f"label {v}"), values=(int(v),)) for v in pool.values)
    return Meaning(targets, (f"the values {_listed(pool.values)} are taken as classes",), greys.odd)


def _binary(pool: Pool, named: str) -> Meaning:
    shown = " and ".join(["0", *(str(v) for v in pool.values)])
    if pool.background != 0:
        return Meaning(
            (Target(named, values=tuple(int(v) for v in pool.values)),), ("masks have two values",)
        )
    blurred = pool.values[-1] == 255 and all(look.is_picture for look in pool.looks)
    threshold = 127 if blurred and len(pool.values) == 1 else 0
    return Meaning(
        (Target(named, above=threshold),), (f"masks are binary ({shown}): values above {threshold} count",)
    )


def _files(pool: Pool, named: str) -> Meaning:
    greys = greys_of(pool) if not any(look.colour for look in pool.looks) else None
    blurred = any(look.lossy for look in pool.looks) or (
        greys is not None and greys.kind in ("one", "soft") and greys.peaks[-1] > 127
    )
    target = Target(named, above=127 if blurred else 0, objects="instances")
    return Meaning((target,), ("each file is one object",))


def _continuous(looks: Sequence[Look], named: str) -> Meaning:
    highest = max(look.highest for look in looks)
    threshold = 0.5 if highest <= 1.0 else 127 if 128 <= highest <= 255 else highest / 2
    what = "probabilities" if highest <= 1.0 else "many grey values"
    return Meaning(
        (Target(named, above=threshold),),
        (f"masks hold {what}: values above {threshold:g} count",),
        () if highest <= 1.0 else ("masks look like pictures rather than labels: are these the masks?",),
    )


def _named_classes(pool: Pool, names: Mapping[Any, str]) -> Meaning:
    wanted = {v: n for v, n in names.items() if isinstance(v, int) and v != pool.background}
    targets = tuple(Target(name, values=(v,)) for v, name in wanted.items())
    others = [v for v in pool.values if v not in wanted]
    odd = (f"masks hold values without a name: {_listed(others)}",) if others else ()
    return Meaning(targets, (f"values: {', '.join(f'{v} {n}' for v, n in wanted.items())}",), odd)


def _from_names(names: Mapping[Any, str], found: Meaning) -> Meaning:
    targets = tuple(Target(n, values=(v,)) for v, n in names.items() if isinstance(v, int) and v != 0)
    return replace(found, targets=targets) if targets else found


def _grey_classes(greys: Greys, names: Mapping[Any, str]) -> Meaning:
    targets = []
    for peak in greys.peaks:
        values = greys.near[peak]
        name = next((names[v] for v in values if v in names), f"label {peak}")
        targets.append(Target(name, values=tuple(values)))
    shown = ", ".join(str(p) for p in greys.peaks)
    return Meaning(tuple(targets), (f"the grey values {shown} are taken as classes: {greys.why}",), greys.odd)


def _colours(pool: Pool, named: str, names: Mapping[Any, str]) -> Meaning:
    if len(names) <= 1 and holds_objects(pool):
        why = "each colour is in one piece and colours are others from image to image"
        return Meaning(
            (Target(named, objects="instances"),), (f"each colour is taken as an object of its own: {why}",)
        )
    # Colours along edges are mixtures of those beside them.
    solid = [
        c
        for c, n in pool.counts.items()
        if c in names or (n / pool.total > 0.001 and pool.interior(c) > 0.3) or n / pool.total > 0.05
    ]
    chosen = tuple(solid[:64]) or tuple(pool.counts)[:1]
    targets = tuple(Target(names.get(c, f"colour {_shown(c)}"), colour=c) for c in sorted(chosen))
    left = sum(n for c, n in pool.counts.items() if c not in chosen) / pool.total
    odd = (f"{left:.1%} of the coloured pixels have other colours and are left out",) if left else ()
    shown = "; ".join(_shown(c) for c in sorted(chosen))
    return Meaning(targets, (f"masks are coloured, each colour is taken as a class: {shown}",), odd)


def _shown(value: Any) -> str:
    return ",".join(str(v) for v in value) if isinstance(value, tuple) else str(value)


def _listed(values: Sequence[Any]) -> str:
    shown = ", ".join(_shown(v) for v in values[:20])
    return f"{shown} and {len(values) - 20} more" if len(values) > 20 else shown
