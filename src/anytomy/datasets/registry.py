"""Which data sets there are: those of the catalogue and those that the user added, and where they lie.

A set of the user's is a folder `ANYTOMY_HOME/datasets/ID` with `dataset.toml`: a card with a `root`, or, for
a set of the catalogue, only `id`, `like` and `root`. Its `splits.json` lies beside it.
"""

from __future__ import annotations

import difflib
import os
import tomllib
import warnings
from dataclasses import replace
from pathlib import Path

from anytomy.core.errors import AnytomyWarning, DatasetError
from anytomy.datasets.card import ID, DatasetCard, read_card
from anytomy.io.toml_table import Table
from anytomy.zoo.home import home_dir

VARIABLE = "ANYTOMY_DATA"
_BUILTIN = Path(__file__).parent / "cards"


def card(dataset_id: str) -> DatasetCard:
    """The card of one data set; what the user added comes before the catalogue.

    Raises:
        DatasetError: There is no such data set (the message names similar ones), or its card is broken.
    """
    if ID.fullmatch(dataset_id):
        added = added_dir(dataset_id) / "dataset.toml"
        if added.is_file():
            return _added(added)
        path = _BUILTIN / f"{dataset_id}.toml"
        if path.is_file():
            return _named(read_card(path, builtin=True), dataset_id)
    known = dataset_ids()
    named = {alias.lower(): c.id for c in builtin_cards() for alias in c.aliases} | {i: i for i in known}
    meant = named.get(dataset_id.strip().lower())
    if meant is not None and meant != dataset_id:
        return card(meant)
    close = difflib.get_close_matches(dataset_id.lower(), known, n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(close)}? " if close else ""
    raise DatasetError(
        f"expected a data set, but there is none called {dataset_id!r}",
        hint=f"{hint}`anytomy datasets list` shows all; add your own by `anytomy datasets add NAME FOLDER`",
    )


def cards() -> list[DatasetCard]:
    """All cards: the catalogue's in order of id, then the user's.

    A broken card of the user's is left out and said, so that it does not hide the others.

    Raises:
        DatasetError: A card of the catalogue is broken; the message names its file.
    """
    found = []
    for dataset_id in dataset_ids():
        try:
            found.append(card(dataset_id))
        except DatasetError as error:
            if not (added_dir(dataset_id) / "dataset.toml").is_file():
                raise
            warnings.warn(f"{dataset_id} is left out: {error}", AnytomyWarning, stacklevel=2)
    return found


def builtin_cards() -> list[DatasetCard]:
    """The catalogue's cards, in order of id."""
    return [read_card(path, builtin=True) for path in sorted(_BUILTIN.glob("*.toml"))]


def dataset_ids() -> list[str]:
    """The ids of all data sets: the catalogue's in order, then the user's own; reads no card."""
    builtin = sorted(path.stem for path in _BUILTIN.glob("*.toml"))
    folder = home_dir() / "datasets"
    added = sorted(path.parent.name for path in folder.glob("*/dataset.toml")) if folder.is_dir() else []
    return builtin + [name for name in added if name not in builtin and ID.fullmatch(name)]


def added_dir(dataset_id: str) -> Path:
    """The folder of what the user added under an id; it may not exist."""
    return home_dir() / "datasets" / dataset_id


def download_dir(found: DatasetCard) -> Path:
    """Where `anytomy datasets get` puts a data set."""
    return home_dir() / "data" / found.id


def search_path() -> list[Path]:
    """The folders of `ANYTOMY_DATA`: data sets may lie in them under their ids."""
    given = os.environ.get(VARIABLE, "")
    return [Path(part).expanduser().absolute() for part in given.split(os.pathsep) if part.strip()]


def locate(found: DatasetCard) -> Path | None:
    """The folder of a data set on this machine, or None.

    In order: where the user said that it lies, a folder of its id (or an alias) in one of `ANYTOMY_DATA`,
    where `get` puts it.
    """
    if found.root is not None:
        return found.source.parent / found.root.expanduser()
    names = (found.id, *found.aliases)
    for folder in search_path():
        for name in names:
            if "/" not in name and (folder / name).is_dir():
                return folder / name
    folder = download_dir(found)
    return folder if folder.is_dir() else None


def _added(path: Path) -> DatasetCard:
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise DatasetError(
            f"expected a data set card at {path}, but it cannot be read: {error}",
            hint="correct the file, or add the data set anew",
        ) from error
    if "like" not in values:
        return _named(read_card(path, builtin=False), path.parent.name)
    table = Table(values, path, error=DatasetError)
    like, root, own = table.text("like"), table.text("root"), table.text("id", pattern=ID)
    table.finish()
    template = _BUILTIN / f"{like}.toml"
    if not ID.fullmatch(like) or not template.is_file():
        table.fail("like", "a data set of the catalogue", like)
    found = read_card(template, builtin=True)
    return _named(replace(found, id=own, root=Path(root), source=path, builtin=False), path.parent.name)


def _named(found: DatasetCard, dataset_id: str) -> DatasetCard:
    if found.id != dataset_id:
        raise DatasetError(
            f"expected the id {dataset_id!r} in {found.source}, but got {found.id!r}",
            hint="a card is named after its id",
        )
    return found
