"""What a benchmark is asked to do: `BenchConfig`, and whether a run folder is of the same one."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from anytomy.core.errors import OptionError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

METRICS = ("dice", "iou", "nsd", "hd95", "volume_error", "volume_error_ml", "fp_slices")
SCHEMA = "anytomy.bench/1"


@dataclass(frozen=True)
class BenchConfig:
    """All that decides the results of a run; the number of workers does not.

    Attributes:
        models: Ids of models.
        data: Ids of data sets.
        prompts: Names of simulators, and `everything` for automatic masks.
        volume: Strategy for volumes; None judges each object in the slice where it is largest.
        zoom: As in `segment`.
        intensity: As in `segment`.
        metrics: Names of metrics.
        seed: Of all randomness.
        limit: Most cases of a data set, drawn by seed; None for all.
        most: Most objects of a structure in one image.
        least: Smallest object in pixels.
        structures: Only these; all where empty.
        split: Only cases of this part of the stored split (`train`, `val`, `test`); all where empty.
        axis: The file's axis that slices run along.
    """

    models: tuple[str, ...]
    data: tuple[str, ...]
    prompts: tuple[str, ...] = ("box",)
    volume: str | None = None
    zoom: str = "off"
    intensity: str = "auto"
    metrics: tuple[str, ...] = METRICS
    seed: int = 0
    limit: int | None = None
    most: int = 12
    least: int = 20
    structures: tuple[str, ...] = ()
    split: str = ""
    axis: str = "z"

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it."""
        plain: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        return plain


def same_run(folder: Path, wanted: Mapping[str, Any]) -> bool:
    """Whether a run folder holds a run of this configuration, to be continued; False if it holds none.

    Args:
        folder: The run folder.
        wanted: `config` and `facts` (weights, data) of the run to be made.

    Raises:
        OptionError: If it holds another run; the message shows the difference.
    """
    path = folder / "run.json"
    if not path.exists():
        if (folder / "parts").exists() or (folder / "results.parquet").exists():
            raise OptionError(f"{folder} holds results, but no run.json", hint="choose another folder")
        return False
    held = read_run(folder)
    different = [
        f"{name} {_short(was)} there, {_short(now)} here"
        for name, was, now in _differences(
            {"config": held.get("config"), "facts": held.get("facts")},
            {"config": wanted["config"], "facts": wanted["facts"]},
        )
    ]
    if different:
        raise OptionError(
            f"{folder} holds a run of another configuration: {'; '.join(different)}",
            hint="choose another folder with -o, or give the same options to continue it",
        )
    return True


def read_run(folder: Path) -> dict[str, Any]:
    """What `run.json` of a run folder says.

    Raises:
        OptionError: If there is none, or it is not one of ours.
    """
    path = folder / "run.json"
    try:
        held = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise OptionError(f"{folder} is no run folder: it has no run.json") from None
    except (OSError, ValueError) as error:
        raise OptionError(f"{path} cannot be read: {error}") from error
    if not isinstance(held, dict) or held.get("schema") != SCHEMA:
        raise OptionError(f"expected a run of schema {SCHEMA} in {path}")
    return held


def _differences(was: Any, now: Any, name: str = "") -> list[tuple[str, Any, Any]]:
    if isinstance(was, dict) and isinstance(now, dict):
        keys = list(dict.fromkeys([*was, *now]))
        return [d for k in keys for d in _differences(was.get(k), now.get(k), f"{name}.{k}" if name else k)]
    return [] if was == now else [(name.removeprefix("config.").removeprefix("facts."), was, now)]


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 80 else f"{text[:60]}… ({len(text)} characters)"
