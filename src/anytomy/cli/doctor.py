"""`anytomy doctor`: what works on this machine, and what to do about the rest."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from dataclasses import asdict, dataclass
from importlib import import_module, metadata
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console

_MARKS = {"ok": "[green]ok  [/]", "note": "[yellow]note[/]", "fail": "[red]fail[/]"}


@dataclass(frozen=True)
class Finding:
    """One line of the report.

    Attributes:
        what: What was looked at.
        state: `ok`, `note` (works, could be better) or `fail`.
        found: What is there.
        advice: What to do about it; empty if nothing.
    """

    what: str
    state: str
    found: str
    advice: str = ""


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")] = False,
) -> None:
    """Say what works on this machine (runtimes, devices, weights, memory) and what to do about the rest.

    Example: anytomy doctor
    """
    from anytomy.cli.output import emit

    findings = [*_machine(), *_runtimes(), *_devices(), *_readers(), *_store()]
    failed = any(f.state == "fail" for f in findings)

    def render(console: Console) -> None:
        from rich.markup import escape

        for f in findings:
            advice = f" -> {escape(f.advice)}" if f.advice else ""
            console.print(f"{_MARKS[f.state]} {f.what}: {escape(f.found)}{advice}", soft_wrap=True)

    data = {"findings": [asdict(f) for f in findings]}
    emit("doctor", data, as_json=as_json, render=render, ok=not failed)
    if failed:
        raise typer.Exit(1)


def _machine() -> list[Finding]:
    from anytomy.engine.threads import available_cores

    python = f"Python {platform.python_version()} on {platform.system()} {platform.machine()}"
    found = [Finding("python", "ok" if sys.version_info >= (3, 11) else "fail", python)]
    cores = available_cores()
    found.append(Finding("processor", "ok", f"{cores} of {os.cpu_count()} cores may be used"))
    memory = _free_memory_gb()
    if memory is not None:
        low = memory < 2
        advice = "close other programs; about 2 GB is needed" if low else ""
        found.append(Finding("memory", "note" if low else "ok", f"{memory:.1f} GB free", advice))
    return found


def _free_memory_gb() -> float | None:
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) / 2**20
        return None
    except (OSError, ValueError, IndexError):
        return None


def _runtimes() -> list[Finding]:
    found = []
    for name, without in (
        ("openvino", "encoders run on ONNX Runtime, about 1.5 times slower"),
        ("onnxruntime", "decoders run on OpenVINO, a little slower"),
        ("torch", "graphs cannot be built, and models not run on a GPU"),
        ("onnx", "graphs cannot be built"),
    ):
        try:
            import_module(name)
            found.append(Finding(name, "ok", metadata.version(name)))
        except Exception as error:  # a broken install can raise anything
            reason = f"cannot be imported ({type(error).__name__})"
            state = "fail" if name == "torch" else "note"
            found.append(Finding(name, state, reason, f"pip install {name}; without it {without}"))
    if all(f.state != "ok" for f in found[:2]):
        found.append(Finding("engine", "note", "neither runtime works", "models run in torch, slowly"))
    return found


def _devices() -> list[Finding]:
    try:
        import torch
    except Exception:
        return []
    names = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    if torch.backends.mps.is_available():
        names.append("Apple MPS")
    if names:
        return [Finding("devices", "ok", ", ".join(names))]
    return [Finding("devices", "ok", "CPU only; models run as exported graphs")]


def _readers() -> list[Finding]:
    found = []
    for package, what in (
        ("SimpleITK", "NRRD, MHA"),
        ("nibabel", "NIfTI"),
        ("pydicom", "DICOM"),
        ("PIL", "PNG, JPEG, BMP, GIF"),
        ("tifffile", "TIFF"),
    ):
        try:
            import_module(package)
        except Exception as error:
            name = "pillow" if package == "PIL" else package
            found.append(Finding(what, "fail", f"{name}: {type(error).__name__}", f"pip install {name}"))
    broken = found or [Finding("files", "ok", "PNG, JPEG, BMP, GIF, TIFF, NIfTI, NRRD, MHA, DICOM")]
    try:
        import_module("libjpeg")
        import_module("openjpeg")
    except Exception:
        advice = "pip install pylibjpeg[all] if you have JPEG-compressed DICOM that Pillow cannot read"
        broken.append(Finding("compressed DICOM", "note", "pylibjpeg is not installed", advice))
    return broken


def _store() -> list[Finding]:
    from anytomy.zoo.home import cache_dir, mirror, offline
    from anytomy.zoo.registry import cards
    from anytomy.zoo.store import weights_path

    found = []
    cache = cache_dir()
    place = cache
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free / 2**30
    state, advice = "ok", ""
    if not os.access(place, os.W_OK):
        state, advice = "fail", "point ANYTOMY_CACHE to a folder of yours"
    elif free < 1:
        state, advice = "note", "free some space, or point ANYTOMY_CACHE elsewhere"
    found.append(Finding("cache", state, f"{cache}, {free:.0f} GB free", advice))
    here = [card.id for card in cards() if weights_path(card).is_file()]
    if here:
        found.append(Finding("weights", "ok", ", ".join(here)))
    else:
        found.append(Finding("weights", "note", "none yet", "anytomy models fetch litemedsam"))
    if offline():
        state = "ok" if here else "fail"
        found.append(Finding("network", state, "ANYTOMY_OFFLINE is set: nothing is fetched"))
    if mirror():
        found.append(Finding("mirror", "ok", "ANYTOMY_MIRROR is set and asked first"))
    return found
