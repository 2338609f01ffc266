"""Checkpoints that the user brings: a card beside the built-in ones, and the file's hash."""

from __future__ import annotations

import os
import re
import shutil
from dataclasses import replace
from pathlib import Path

from anytomy.core.errors import ChecksumError, InputError, ModelError, OutputError
from anytomy.io.toml_write import toml_text
from anytomy.zoo import checksum
from anytomy.zoo.card import ARCHITECTURES, ID, ModelCard, Training, Weights, read_card
from anytomy.zoo.disk import full_disk, need_space
from anytomy.zoo.home import user_models_dir, writable
from anytomy.zoo.registry import card, cards, model_ids

__all__ = ["add_model", "card_as_toml", "check_added"]

_ENDINGS = (".pth", ".pt", ".safetensors", ".bin", ".ckpt")


def add_model(
    file: Path,
    *,
    architecture: str | None = None,
    model_id: str | None = None,
    like: str | None = None,
    copy: bool = False,
    overwrite: bool = False,
) -> ModelCard:
    """Make a checkpoint usable by an id.

    Args:
        file: The checkpoint. It is hashed, not opened.
        architecture: One of `ARCHITECTURES`; that of `like` if left out.
        model_id: What it will be called; the file's name if left out.
        like: The model whose preparation of images, prompts and intensity policies apply; the one
            that the architecture is known from if left out.
        copy: Whether to keep a copy under `ANYTOMY_HOME`, so that the file may go. Otherwise the
            card names the file where it lies.
        overwrite: Whether a model of the user's with this id may be replaced.

    Returns:
        The new card. What was taken over from another model stands under `unverified`.

    Raises:
        InputError: The file is missing, empty or no checkpoint by its name or first bytes.
        ModelError: The architecture or `like` is unknown, or the id is taken or not an id.
        OutputError: The card or the copy cannot be written.
    """
    path = _checkpoint(file)
    template = _template(architecture, like)
    chosen = _free_id(model_id or _slug(path.stem), overwrite=overwrite)
    folder = writable(user_models_dir(), variable="ANYTOMY_HOME")
    digest = checksum.sha256_of(path)
    if copy:
        path = _keep(path, folder / chosen)
    target = folder / f"{chosen}.toml"
    added = replace(
        template,
        id=chosen,
        title=chosen,
        summary=f"added by the user from {file.name}, fed like {template.id}",
        architecture=architecture or template.architecture,
        licence="unknown",
        paper="",
        homepage="",
        weights=Weights(file=path.name, sha256=digest, bytes=path.stat().st_size, path=str(path)),
        automatic=None,
        training=Training(note="not known"),
        unverified=("architecture", "licence", "prompts", "mask_output", "preprocess", "intensity"),
        source=target,
        builtin=False,
    )
    _write(target, card_as_toml(added))
    checksum.write_record(
        folder / f"{chosen}.check.json", path, sha256=digest, source=str(file), published=True
    )
    return read_card(target, builtin=False)


def check_added(found: ModelCard, *, full: bool = False) -> Path:
    """Path of a checkpoint that the user added, after a look at its hash.

    Args:
        found: Its card.
        full: Whether to hash it even if it looks unchanged.

    Raises:
        ModelError: The file is gone.
        ChecksumError: It has changed since it was added. The file is the user's: it stays.
    """
    path = Path(found.weights.path)
    if not path.is_file():
        raise ModelError(
            f"expected the weights of {found.id} at {path}, but there is no such file",
            hint=f"put it back, or add it anew by `anytomy models add FILE --id {found.id}"
            f" --arch {found.architecture} --replace`",
        )
    # The record lies with the card: nothing is written into folders of the user's.
    beside = user_models_dir() / f"{found.id}.check.json"
    record = checksum.read_record(beside)
    good = record is not None and record.sha256 == found.weights.sha256
    if not full and good and record is not None and checksum.is_unchanged(path, record):
        return path
    actual = checksum.sha256_of(path)
    if actual != found.weights.sha256:
        beside.unlink(missing_ok=True)
        raise ChecksumError(
            f"expected {path} as it was when {found.id} was added (sha256"
            f" {found.weights.sha256[:12]}…), but it has changed ({actual[:12]}…)",
            hint=f"if that is meant, add it anew by `anytomy models add FILE --id {found.id}"
            f" --arch {found.architecture} --replace`",
        )
    checksum.write_record(beside, path, sha256=actual, source=str(path), published=True)
    return path


def card_as_toml(found: ModelCard) -> str:
    """A card as the text of its file."""
    values = {name: value for name, value in found.to_dict().items() if value is not None}
    for name in ("source", "builtin", "adapter"):
        values.pop(name, None)
    if values["weights"]["wheel"] is None:
        del values["weights"]["wheel"]
    return toml_text(values)


def _checkpoint(file: Path) -> Path:
    path = file.expanduser().absolute()
    if not path.is_file():
        raise InputError(f"expected a checkpoint file, but there is no file {file}", hint="check the path")
    if path.suffix.lower() not in _ENDINGS:
        raise InputError(
            f"expected a checkpoint ({', '.join(_ENDINGS)}), but got {path.name}",
            hint="rename it if it is one",
        )
    try:
        with path.open("rb") as stream:
            start = stream.read(512)
    except OSError as error:
        raise InputError(f"expected to read {file}, but: {error.strerror}") from error
    if not start:
        raise InputError(f"expected a checkpoint, but {file} is empty", hint="fetch it anew")
    if start.lstrip()[:5].lower() in (b"<html", b"<!doc"):
        raise InputError(
            f"expected a checkpoint, but {file} is a web page",
            hint="the download went wrong: open its address in a browser and save the file itself",
        )
    return path


def _template(architecture: str | None, like: str | None) -> ModelCard:
    if architecture is not None and architecture not in ARCHITECTURES:
        raise ModelError(
            f"expected an architecture, but there is none called {architecture!r}",
            hint=f"known architectures: {', '.join(ARCHITECTURES)}",
        )
    if like is not None:
        return card(like)
    if architecture is None:
        raise ModelError(
            "expected an architecture for the checkpoint, but got none",
            hint=f"give --arch ({', '.join(ARCHITECTURES)}) or --like MODEL",
        )
    same = [found for found in cards() if found.builtin and found.architecture == architecture]
    # sam_vit_b is the architecture of two models; the one of its own name is the plain one.
    same.sort(key=lambda found: found.id != architecture)
    return same[0]


def _free_id(model_id: str, *, overwrite: bool) -> str:
    if not ID.fullmatch(model_id):
        raise ModelError(
            f"expected an id of small letters, digits, '_', '-' and '.', but got {model_id!r}",
            hint="give one by --id",
        )
    mine = (user_models_dir() / f"{model_id}.toml").is_file()
    if model_id in model_ids() and not (mine and overwrite):
        raise ModelError(
            f"expected a new id, but there is a model {model_id!r} already",
            hint="give another by --id" + (" or replace it by --replace" if mine else ""),
        )
    return model_id


def _slug(stem: str) -> str:
    return re.sub(r"[^a-z0-9_.-]+", "-", stem.lower()).strip("-._")[:64]


def _keep(path: Path, folder: Path) -> Path:
    # Under ANYTOMY_HOME, not in the cache: `anytomy cache clear` must not destroy what cannot be
    # fetched again.
    target = writable(folder, variable="ANYTOMY_HOME") / path.name
    temporary = folder / f".{path.name}.{os.getpid()}.tmp"
    need_space(folder, path.stat().st_size)
    try:
        shutil.copyfile(path, temporary)
        temporary.replace(target)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        if (full := full_disk(error, folder)) is not None:
            raise full from error
        raise OutputError(f"expected to write {target}, but: {error.strerror}") from error
    return target


def _write(path: Path, text: str) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise OutputError(f"expected to write {path}, but: {error.strerror}") from error
