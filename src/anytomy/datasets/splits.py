"""Training, validation and test by patient, seeded and stored: `make_splits`, `load_splits`.

Each patient's place follows from the seed and the patients' keys alone, in whatever order they come. Splits
are stored as `splits.json` beside the data set's card; patients that come later are added, and nobody moves.
A `splits_final.json` (nnU-Net) or `splits.json` in the data set's own folder goes first.
"""

from __future__ import annotations

import hashlib
import json
import warnings
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from anytomy.core.errors import AnytomyWarning, DatasetError, OptionError
from anytomy.datasets.case import Case
from anytomy.datasets.dataset import Dataset
from anytomy.datasets.registry import added_dir
from anytomy.io.atomic import write_text
from anytomy.io.detect import ending

__all__ = ["FRACTIONS", "Splits", "load_splits", "make_splits", "splits_path"]

SCHEMA = 1
FRACTIONS: Mapping[str, float] = {"train": 0.7, "val": 0.1, "test": 0.2}
_IN_FOLDER = ("splits_final.json", "splits.json")


@dataclass(frozen=True)
class Splits:
    """Which cases are for what.

    Attributes:
        cases: Ids of the cases of each split.
        patients: The patients of each split.
        source: The file.
        seed: What they were drawn with; None where somebody else did it.
        fractions: What was asked for; empty where somebody else did it.
    """

    cases: Mapping[str, tuple[str, ...]]
    patients: Mapping[str, tuple[str, ...]]
    source: Path
    seed: int | None = None
    fractions: Mapping[str, float] = field(default_factory=dict)

    def select(self, dataset: Dataset, split: str) -> tuple[Case, ...]:
        """The cases of one split, in the data set's order.

        Raises:
            OptionError: There is no such split.
        """
        if split not in self.cases:
            raise OptionError(f"expected one of the splits {', '.join(self.cases)}, got {split!r}")
        wanted = set(self.cases[split])
        return tuple(case for case in dataset.cases if case.id in wanted)


def splits_path(dataset: Dataset) -> Path:
    """Where the splits of a data set are stored."""
    return added_dir(dataset.card.id) / "splits.json"


def make_splits(dataset: Dataset, *, seed: int = 0, fractions: Mapping[str, float] | None = None) -> Splits:
    """Draw splits by patient and store them.

    Splits that are stored already with the same seed and fractions are kept: only patients that they do not
    have are added. With another seed or other fractions all is drawn anew.

    Args:
        dataset: Its patients are divided.
        seed: Another one gives other splits.
        fractions: Of the patients, by the name of the split; `FRACTIONS` if left out.

    Raises:
        OptionError: Fractions are not positive or do not add up to 1.
        OutputError: The file cannot be written.
    """
    shares = dict(fractions or FRACTIONS)
    if not shares or min(shares.values()) < 0 or abs(sum(shares.values()) - 1) > 1e-6:
        raise OptionError(f"expected fractions that add up to 1, got {shares}")
    patients = sorted(set(dataset.patients), key=lambda p: _rank(seed, p))
    counts = _counts(len(patients), shares)
    path = splits_path(dataset)
    kept = _kept(path, seed, shares)
    place: dict[str, str] = {p: kept[p] for p in patients if p in kept}
    room = {split: counts[split] - sum(s == split for s in place.values()) for split in shares}
    for patient in patients:
        if patient not in place:
            # The first split with room; where those who stay fill more than their share, the emptiest.
            split = next((s for s in shares if room[s] > 0), max(shares, key=lambda s: room[s]))
            place[patient] = split
            room[split] -= 1
    splits = _splits(dataset, place, shares, path, seed=seed, fractions=shares)
    document = {
        "schema": SCHEMA,
        "dataset": dataset.card.id,
        "seed": seed,
        "fractions": shares,
        "fingerprint": fingerprint(dataset.cases),
        "patients": {name: list(members) for name, members in splits.patients.items()},
        "cases": {name: list(members) for name, members in splits.cases.items()},
    }
    write_text(path, json.dumps(document, indent=1, ensure_ascii=False) + "\n")
    return splits


def load_splits(dataset: Dataset, *, fold: int = 0) -> Splits:
    """The splits of a data set: those in its folder, else those that were stored.

    Args:
        dataset: The data set as it is now.
        fold: Which fold of a `splits_final.json`.

    Raises:
        DatasetError: There are none, or they are those of other cases; the message names the difference.
        OptionError: There is no such fold.
    """
    for name in _IN_FOLDER:
        path = dataset.root / name
        if path.is_file():
            return _foreign(dataset, path, fold)
    path = splits_path(dataset)
    if not path.is_file():
        raise DatasetError(
            f"expected splits of {dataset.card.id}, but none are stored",
            hint=f"make them by `anytomy datasets split {dataset.card.id}`",
        )
    document = _read(path)
    stored = document.get("cases") if isinstance(document, Mapping) else None
    if not isinstance(stored, Mapping) or document.get("schema") != SCHEMA:
        raise DatasetError(f"expected splits in {path}, but it holds something else", hint="make them anew")
    _check_same(dataset, document, path)
    place = {p: split for split, members in document["patients"].items() for p in members}
    return _splits(
        dataset, place, list(stored), path, seed=document.get("seed"), fractions=document.get("fractions", {})
    )


def fingerprint(cases: Iterable[Case]) -> str:
    """A hash of which cases and patients there are."""
    lines = sorted(f"{case.id}\t{case.patient}" for case in cases)
    return hashlib.sha256("\n".join(lines).encode("utf-8", "surrogateescape")).hexdigest()


def _rank(seed: int, patient: str) -> str:
    return hashlib.sha256(f"{seed}\0{patient}".encode("utf-8", "surrogateescape")).hexdigest()


def _counts(total: int, shares: Mapping[str, float]) -> dict[str, int]:
    """How many patients each split gets; each at least one where there are enough."""
    exact = {name: total * share for name, share in shares.items()}
    counts = {name: int(value) for name, value in exact.items()}
    order = sorted(exact, key=lambda n: (counts[n] - exact[n], list(shares).index(n)))
    for name in order[: total - sum(counts.values())]:
        counts[name] += 1
    wanted = [name for name, share in shares.items() if share > 0]
    if total >= len(wanted):
        for name in wanted:
            if counts[name] == 0:
                counts[max(counts, key=lambda n: counts[n])] -= 1
                counts[name] = 1
    return counts


def _kept(path: Path, seed: int, shares: Mapping[str, float]) -> dict[str, str]:
    """Where patients are in a stored file that was drawn in the same way."""
    if not path.is_file():
        return {}
    try:
        document = _read(path)
    except DatasetError:
        return {}
    if not isinstance(document, Mapping) or document.get("schema") != SCHEMA:
        return {}
    if document.get("seed") != seed or document.get("fractions") != dict(shares):
        return {}
    return {p: split for split, members in document.get("patients", {}).items() for p in members}


def _splits(
    dataset: Dataset,
    place: Mapping[str, str],
    names: Iterable[str],
    path: Path,
    *,
    seed: int | None,
    fractions: Mapping[str, float],
) -> Splits:
    cases: dict[str, list[str]] = {name: [] for name in names}
    for case in dataset.cases:
        cases[place[case.patient]].append(case.id)
    patients = {name: tuple(sorted(p for p, s in place.items() if s == name)) for name in cases}
    return Splits({n: tuple(c) for n, c in cases.items()}, patients, path, seed, dict(fractions))


def _check_same(dataset: Dataset, document: Mapping[str, Any], path: Path) -> None:
    if document.get("fingerprint") == fingerprint(dataset.cases):
        return
    stored = {case for members in document["cases"].values() for case in members}
    here = {case.id for case in dataset.cases}
    parts = [
        f"{len(ids)} {what} ({', '.join(sorted(ids)[:3])}{' ...' if len(ids) > 3 else ''})"
        for ids, what in ((here - stored, "new"), (stored - here, "gone"))
        if ids
    ]
    raise DatasetError(
        f"expected splits of the cases of {dataset.card.id} as they are, but {path} was made for others:"
        f" {', '.join(parts) or 'cases belong to other patients'}",
        hint=f"`anytomy datasets split {dataset.card.id}` keeps what fits and adds the rest",
    )


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DatasetError(
            f"expected splits in {path}, but it cannot be read: {error}", hint="correct or remove it"
        ) from error


# -- splits that somebody else made -----------------------------------------------------------------


def _foreign(dataset: Dataset, path: Path, fold: int) -> Splits:
    """nnU-Net's list of folds, or a mapping of names to lists of cases, patients or files."""
    document = _read(path)
    if isinstance(document, Mapping) and isinstance(document.get("cases"), Mapping):
        document = document["cases"]
    if isinstance(document, list):
        if not 0 <= fold < len(document):
            raise OptionError(f"expected a fold from 0 to {len(document) - 1} of {path}, got {fold}")
        document = document[fold]
    if not isinstance(document, Mapping) or not all(isinstance(m, list) for m in document.values()):
        raise DatasetError(
            f"expected a list of folds, or lists of cases by name, in {path}, but it holds something else",
            hint="correct or remove it",
        )
    named = _by_name(dataset.cases)
    cases: dict[str, tuple[str, ...]] = {}
    unknown: list[str] = []
    for split, members in document.items():
        found: dict[str, None] = {}
        for member in members:
            ids = named.get(str(member)) or named.get(_stem(str(member)))
            unknown += [] if ids else [str(member)]
            found |= dict.fromkeys(ids or ())
        cases[str(split)] = tuple(found)
    if unknown:
        raise DatasetError(
            f"expected the cases of {dataset.card.id} in {path}, but {len(unknown)} of its names are none:"
            f" {', '.join(unknown[:3])}{' ...' if len(unknown) > 3 else ''}",
            hint="correct or remove it",
        )
    return Splits(cases, _patients_of(dataset, cases, path), path)


def _by_name(cases: Sequence[Case]) -> dict[str, list[str]]:
    """Ids of cases by all that they may be called: their own names before file names before patients."""
    found: dict[str, list[str]] = {case.id: [case.id] for case in cases}
    for names in (lambda c: _stem(c.image.path.name).removesuffix("_0000"), lambda c: c.patient):
        grouped: defaultdict[str, list[str]] = defaultdict(list)
        for case in cases:
            grouped[names(case)].append(case.id)
        for name, ids in grouped.items():
            found.setdefault(name, ids)
    return found


def _stem(name: str) -> str:
    path = Path(name)
    return path.name[: len(path.name) - len(ending(path))]


def _patients_of(
    dataset: Dataset, cases: Mapping[str, tuple[str, ...]], path: Path
) -> dict[str, tuple[str, ...]]:
    patient = {case.id: case.patient for case in dataset.cases}
    found = {split: tuple(sorted({patient[i] for i in ids})) for split, ids in cases.items()}
    seen: defaultdict[str, set[str]] = defaultdict(set)
    for split, patients in found.items():
        for one in patients:
            seen[one].add(split)
    both = sorted(one for one, splits in seen.items() if len(splits) > 1)
    if both:
        warnings.warn(
            f"{path} has {len(both)} patients in several splits ({', '.join(both[:3])}):"
            " results will be too good",
            AnytomyWarning,
            stacklevel=4,
        )
    return found
