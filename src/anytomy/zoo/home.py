"""Where Anytomy keeps its state: two folders, both movable by an environment variable.

`ANYTOMY_HOME`     what the user added: model cards, data sets, settings; and data sets that were fetched,
                   in `data/`. Deleted only by `anytomy datasets remove --data`, and of the latter only.
`ANYTOMY_CACHE`    what can be had again: `weights/`, `graphs/`, `embeddings/`, `samples/`.
`ANYTOMY_MIRROR`   a folder or an http(s) address to fetch from before anything else; laid out like
                   the cache (`weights/lite_medsam.pth`, `data/msd/Task02_Heart.tar`) or flat
                   (`lite_medsam.pth`).
`ANYTOMY_OFFLINE`  any value but `0`, `false`, `no`, `off` or nothing: never touch the network.

The variables are read at each call, so that a test or a notebook can change them.
"""

from __future__ import annotations

import os
from pathlib import Path

from anytomy.core.errors import OptionError, OutputError

__all__ = [
    "CACHE_KINDS",
    "cache_dir",
    "home_dir",
    "mirror",
    "offline",
    "user_models_dir",
    "writable",
]

CACHE_KINDS = ("weights", "graphs", "embeddings", "samples")
_OFF = frozenset({"", "0", "false", "no", "off"})


def home_dir() -> Path:
    """The folder of what the user added (`ANYTOMY_HOME`); it may not exist yet."""
    given = os.environ.get("ANYTOMY_HOME", "").strip()
    if given:
        return Path(given).expanduser().absolute()
    from platformdirs import user_data_path

    return user_data_path("anytomy", appauthor=False)


def cache_dir(kind: str | None = None) -> Path:
    """The cache (`ANYTOMY_CACHE`), or its folder of one kind; it may not exist yet.

    Args:
        kind: One of `CACHE_KINDS`, or None for the cache itself.

    Raises:
        OptionError: There is no such kind.
    """
    given = os.environ.get("ANYTOMY_CACHE", "").strip()
    if given:
        base = Path(given).expanduser().absolute()
    else:
        from platformdirs import user_cache_path

        base = user_cache_path("anytomy", appauthor=False)
    if kind is None:
        return base
    if kind not in CACHE_KINDS:
        raise OptionError(f"expected a cache kind, one of {', '.join(CACHE_KINDS)}, but got {kind!r}")
    return base / kind


def user_models_dir() -> Path:
    """The folder of the cards that `anytomy models add` writes; it may not exist yet."""
    return home_dir() / "models"


def mirror() -> str | None:
    """The folder or http(s) address to fetch from first (`ANYTOMY_MIRROR`), if one is set."""
    return os.environ.get("ANYTOMY_MIRROR", "").strip() or None


def offline() -> bool:
    """Whether the network must not be used (`ANYTOMY_OFFLINE`)."""
    return os.environ.get("ANYTOMY_OFFLINE", "").strip().lower() not in _OFF


def writable(folder: Path, *, variable: str) -> Path:
    """Make a folder if need be.

    Args:
        folder: The folder.
        variable: The environment variable that moves it, for the message.

    Raises:
        OutputError: It cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"expected a folder that can be written, but {folder} cannot be made: {error.strerror}",
            hint=f"set {variable} to a folder of yours",
        ) from error
    return folder
