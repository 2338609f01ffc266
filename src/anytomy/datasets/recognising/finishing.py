"""From a draft to layouts that can be read: targets by a look into some masks, patients, time points."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from anytomy.core.errors import ImageReadError
from anytomy.core.structures import canonical, find
from anytomy.datasets.case import Case, MaskRef
from anytomy.datasets.layout import Layout, Target
from anytomy.datasets.pattern import STRUCTURE, Pattern
from anytomy.datasets.readers import reader
from anytomy.datasets.recognising.coverage import counted
from anytomy.datasets.recognising.files import spread
from anytomy.datasets.recognising.inventory import Inventory
from anytomy.datasets.recognising.looking import Look, has_frames, look
from anytomy.datasets.recognising.meaning import FOREGROUND, Meaning, meaning_of
from anytomy.datasets.recognising.people import with_patients
from anytomy.datasets.recognising.sketch import Draft, Sketch
from anytomy.datasets.recognising.trial import card_of
from anytomy.datasets.recognising.wishes import Wishes

_SAMPLED = 12


@dataclass(frozen=True)
class Finished:
    """What came of a draft.

    Attributes:
        layouts: With targets and patients.
        dimension: `2D` or `3D`.
        understood: Sentences.
        odd: What is strange.
    """

    layouts: tuple[Layout, ...]
    dimension: str
    understood: tuple[str, ...]
    odd: tuple[str, ...]


def finish(
    inventory: Inventory, draft: Draft, wishes: Wishes, names: Mapping[Any, str], named_by: str
) -> Finished:
    """Complete the layouts of a draft.

    Args:
        inventory: The files.
        draft: What a family found.
        wishes: What the user says.
        names: What values mean as a file says.
        named_by: That file.
    """
    groups: defaultdict[tuple[Any, ...], list[Sketch]] = defaultdict(list)
    for number, sketch in enumerate(draft.sketches):
        layout = sketch.layout
        key = (layout.name, tuple(layout.masks)) if layout.split else (number,)
        groups[key].append(sketch)
    layouts: list[Layout] = []
    said: list[str] = []
    odd: list[str] = []
    dimensions: set[str] = set()
    for sketches in groups.values():
        part = _Part(inventory, sketches, wishes, names, named_by)
        layouts += part.layouts()
        said += part.said
        odd += part.odd
        dimensions.add(part.dimension)
    nameless = next((t for layout in layouts for t in layout.targets if _is_nameless(t)), None)
    if nameless is not None:
        said.append(f"labels without a name get one by `--label {_key(nameless)}=STRUCTURE`")
    dimension = "3D" if "3D" in dimensions else "2D"
    return Finished(tuple(layouts), dimension, tuple(dict.fromkeys(said)), tuple(dict.fromkeys(odd)))


class _Part:
    """Layouts whose labels mean the same: those of one kind, for training and for testing."""

    def __init__(
        self,
        inventory: Inventory,
        sketches: Sequence[Sketch],
        wishes: Wishes,
        names: Mapping[Any, str],
        named_by: str,
    ) -> None:
        self.tree = inventory.tree
        self.sketches = sketches
        self.wishes = wishes
        self.names = names
        self.named_by = named_by
        self.said: list[str] = []
        self.odd: list[str] = []
        self.dimension = "2D"
        card = card_of([sketch.layout for sketch in sketches])
        self.cases: list[list[Case]] = [
            list(reader(layout.reader).find(self.tree, card, layout).cases) for layout in card.layouts
        ]

    def layouts(self) -> list[Layout]:
        """The layouts, completed; sentences are in `said` and `odd` then."""
        self._pairs()
        targets = self._targets()
        found = [self._names(s.layout, cases) for s, cases in zip(self.sketches, self.cases, strict=True)]
        pooled = [names for part in found for names in part]
        out = []
        sentence = ""
        for sketch, cases in zip(self.sketches, self.cases, strict=True):
            layout = replace(sketch.layout, targets=targets or sketch.layout.targets)
            if layout.reader == "pattern" and pooled:
                layout, sentence = with_patients(layout, pooled)
            if layout.time is None and any(has_frames(case.image.path) for case in _some(cases, 4)):
                layout = replace(layout, time=0)
                self.said.append(
                    "images hold several volumes: number 0 is taken; `time` in the card takes another one"
                )
            out.append(layout)
        if any(s.layout.reader == "pattern" for s in self.sketches):
            self.said.append(sentence or "each image counts as a patient of its own: names say nothing else")
        return out

    def _pairs(self) -> None:
        for sketch, cases in zip(self.sketches, self.cases, strict=True):
            if not cases or sketch.layout.reader != "pattern":
                continue
            counts: dict[str, int] = {}
            example: dict[str, str] = {}
            for case in cases:
                for name in {ref.target.mask for ref in case.masks}:
                    counts[name] = counts.get(name, 0) + 1
                for ref in case.masks:
                    example.setdefault(ref.target.mask, self._short(ref.paths[0]))
            split = f" ({sketch.layout.split})" if sketch.layout.split else ""
            masks = "; ".join(
                f"{example[name]}{f' in {counts[name]} cases' if counts[name] < len(cases) else ''}"
                for name in sorted(counts)
            )
            self.said.append(
                f"{counted(len(cases), 'image')}{split}, such as {self._short(cases[0].image.path)},"
                f" with {masks}"
            )

    def _short(self, path: Path) -> str:
        text = (
            path.relative_to(self.tree.root).as_posix() if path.is_relative_to(self.tree.root) else path.name
        )
        return "/".join(text.split("/")[-3:])

    def _names(self, layout: Layout, cases: Sequence[Case]) -> list[dict[str, str]]:
        """What stands for the names in the image pattern, for each case."""
        if layout.reader != "pattern":
            return []
        pattern = Pattern(layout.image)
        out = []
        for case in cases:
            relative = case.image.path.relative_to(self.tree.root).as_posix()
            names = pattern.match(f"{relative}/" if pattern.is_folder else relative)
            if names is not None:
                out.append({n: v for n, v in names.items() if n in pattern.names and v})
        return out

    # -- what labels mean ---------------------------------------------------------------------------

    def _targets(self) -> tuple[Target, ...]:
        refs: defaultdict[str, list[MaskRef]] = defaultdict(list)
        for cases in self.cases:
            for case in cases:
                for ref in case.masks:
                    refs[ref.target.mask].append(ref)
        given = self.sketches[0].layout.targets
        if given:
            looks = self._looks([ref for some in refs.values() for ref in some])
            self._compare(given, looks)
            return self._wished(tuple(replace(t, structure=self._called(t)) for t in given))
        if self.sketches[0].layout.reader == "manifest":
            refs = defaultdict(list, {"mask": [r for r in refs["mask"] if r.target.structure == FOREGROUND]})
        found: list[Target] = []
        for mask, some in refs.items():
            if some:
                found += self._of_mask(mask, some, several=len(refs) > 1)
        return tuple(found)

    def _of_mask(self, mask: str, refs: Sequence[MaskRef], *, several: bool) -> list[Target]:
        sketch = self.sketches[0]
        looks = self._looks(refs)
        if not looks:
            self.odd.append(f"none of the masks that were opened ({mask}) can be read")
            return [Target(FOREGROUND, above=0, mask=mask)]
        told = STRUCTURE in Pattern(sketch.layout.masks.get(mask, "")).names
        values = self.wishes.values
        names = values or (dict(self.names) if _fits(self.names, looks) else {})
        if names and not values:
            self.said.append(f"names of labels are those in {self.named_by}")
        meaning = meaning_of(
            looks,
            structure=self._hint(mask, sketch, several=several),
            names=names,
            one_file_each=mask in sketch.one_file_each,
        )
        where = f"{mask}: " if several else ""
        self.said += [where + line for line in meaning.said]
        self.odd += [where + line for line in meaning.odd]
        if told:
            return self._of_structures(mask, refs, meaning)
        unknown = [v for v in values if not several and v not in {x for one in looks for x in one.counts}]
        if unknown and len(meaning.targets) > 1:
            self.odd.append(f"no mask that was opened holds {', '.join(map(str, unknown))}, which you named")
        targets = meaning.targets
        if mask in sketch.one_file_each and "*" not in sketch.layout.masks[mask]:
            # An image may have one file only, whose values are no objects.
            targets = tuple(replace(t, objects="one") for t in targets)
        targets = self._wished(targets)
        return [replace(t, structure=_clean(t.structure, targets), mask=mask) for t in targets]

    def _hint(self, mask: str, sketch: Sketch, *, several: bool) -> str:
        """What a mask marks by its name: as the user calls it, a known structure, or what tells it apart."""
        wished = self.wishes.mask(mask) or self.wishes.mask(sketch.structures.get(mask, mask))
        words = sketch.structures.get(mask, "")
        if wished or len(self.wishes.values) == 1:
            return wished
        known = find(words) if words else None
        if known is not None:
            return known.name
        return (words or mask.replace("_", " ")) if several else ""

    def _of_structures(self, mask: str, refs: Sequence[MaskRef], meaning: Meaning) -> list[Target]:
        """File names say what masks mark; rules are needed only where a value above 0 is not enough."""
        names = list(dict.fromkeys(ref.target.structure for ref in refs))
        shown = ", ".join(names[:12]) + (f" and {len(names) - 12} more" if len(names) > 12 else "")
        self.said.append(f"file names say what masks mark: {shown}")
        if len(meaning.targets) != 1 or meaning.targets[0].above is None:
            self.odd.append("masks that are named for what they mark hold several values: all above 0 count")
            return []
        threshold = meaning.targets[0].above
        if not threshold:
            return []
        return [Target(canonical(name), above=threshold, mask=mask) for name in names]

    def _called(self, target: Target) -> str:
        named = next((self.wishes.values[v] for v in target.values if v in self.wishes.values), "")
        return canonical(named or self.wishes.mask(target.structure) or target.structure)

    def _wished(self, targets: tuple[Target, ...]) -> tuple[Target, ...]:
        """Targets with the objects that the user asks for."""
        wish = self.wishes.objects
        if not wish or not targets:
            return targets
        if wish == "parts":
            return tuple(
                replace(
                    t, objects="parts", above=0 if t.objects == "instances" and t.above is None else t.above
                )
                for t in targets
            )
        if wish == "instances":
            first = targets[0]
            name = first.structure if len(targets) == 1 else FOREGROUND
            return (Target(name, objects="instances", mask=first.mask, channel=first.channel),)
        return tuple(
            replace(
                t,
                objects="one",
                above=0 if not t.values and t.colour is None and t.above is None else t.above,
            )
            for t in targets
        )

    def _looks(self, refs: Sequence[MaskRef]) -> list[Look]:
        places = {str(path): (path, ref.key) for ref in refs for path in ref.paths}
        looks = []
        bad = 0
        for name in spread(places, _SAMPLED):
            try:
                looks.append(look(*places[name]))
            except ImageReadError:
                bad += 1
        if bad:
            self.odd.append(f"{bad} of {counted(bad + len(looks), 'opened mask')} cannot be read")
        if any(len(one.shape) == 3 for one in looks) or any(ref.form == "slices" for ref in refs):
            self.dimension = "3D"
        return looks

    def _compare(self, targets: Sequence[Target], looks: Sequence[Look]) -> None:
        known = {v for t in targets for v in t.values}
        held = {v for one in looks for v in one.values if isinstance(v, int)}
        if known and held - known:
            shown = ", ".join(str(v) for v in sorted(held - known)[:10])
            self.odd.append(f"masks hold values that the data set's description does not name: {shown}")


def _is_nameless(target: Target) -> bool:
    return target.structure == FOREGROUND or target.structure.startswith(("label ", "colour "))


def _key(target: Target) -> str:
    """What the user types for a label."""
    if target.colour is not None:
        return ",".join(map(str, target.colour))
    return str(target.values[0]) if target.values else "1"


def _fits(names: Mapping[Any, str], looks: Sequence[Look]) -> bool:
    """Whether names belong to what masks hold."""
    held = {v for one in looks for v in one.values}
    return bool(held) and len(names) > 1 and 2 * len(held & set(names)) >= len(held)


def _clean(name: str, targets: Sequence[Target]) -> str:
    """The canonical name, unless that would make one of two labels."""
    others = [t.structure for t in targets if t.structure != name]
    return name if canonical(name) in {canonical(other) for other in others} else canonical(name)


def _some(cases: Sequence[Case], count: int) -> list[Case]:
    return list(cases[:: -(-len(cases) // count)]) if cases else []
