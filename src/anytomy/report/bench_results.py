"""A run folder as reports need it: `BenchResults`, with each table computed once."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from anytomy.core.errors import AnytomyError, OptionError
from anytomy.evaluation.bench import summary
from anytomy.evaluation.bench.config import read_run
from anytomy.evaluation.bench.summary import Cell, Setting
from anytomy.evaluation.bench.table import collected, read_rows
from anytomy.evaluation.exposure import UNKNOWN, Exposure, exposure

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    Row = Mapping[str, Any]


@dataclass(frozen=True)
class Extent:
    """How much rows speak of.

    Attributes:
        images: Cases.
        patients: Who; patients of different data sets are different ones.
        objects: Objects, each once however often it was prompted.
    """

    images: int
    patients: int
    objects: int

    @classmethod
    def of(cls, rows: Iterable[Row]) -> Extent:
        """The extent of measured rows; objects taken together by a simulator are not counted again."""
        rows = list(rows)
        single = [row for row in rows if row["level"] == "object"]
        names = ("dataset", "case", "structure", "object")
        return cls(
            images=len({(row["dataset"], row["case"]) for row in rows}),
            patients=len({(row["dataset"], row["patient"]) for row in rows}),
            objects=len({tuple(row[n] for n in names) for row in single or rows}),
        )


@dataclass(frozen=True, eq=False)
class BenchResults:
    """What a run folder holds.

    Attributes:
        folder: Where it lies.
        record: `run.json`.
        rows: The table of results.
        failures: Cases that could not be measured: `dataset`, `case`, `model`, `message`.
        finished: Whether the run came to its end; else the rows are those so far.
    """

    folder: Path
    record: Mapping[str, Any]
    rows: list[dict[str, Any]]
    failures: tuple[Mapping[str, str], ...]
    finished: bool

    @classmethod
    def read(cls, folder: Path) -> BenchResults:
        """Read a run folder, finished or not.

        Raises:
            OptionError: If it is none, or a file in it cannot be read.
        """
        record = read_run(folder)
        table = folder / "results.parquet"
        finished = table.is_file()
        if finished:
            rows = read_rows(table)
        else:
            parts = sorted((folder / "parts").glob("*/*.parquet"))
            rows = collected(parts, tuple(record["config"]["metrics"]))
        return cls(folder, record, rows, _failures(folder / "failures.json"), finished)

    @property
    def config(self) -> Mapping[str, Any]:
        """What was asked."""
        found: Mapping[str, Any] = self.record["config"]
        return found

    @property
    def seed(self) -> int:
        """Of the run, and of the intervals."""
        return int(self.config["seed"])

    @property
    def metrics(self) -> tuple[str, ...]:
        """Names of the metrics that were measured."""
        return tuple(self.config["metrics"])

    @property
    def has_dice(self) -> bool:
        """Whether Dice was measured, by which structures are called weak."""
        return "dice" in self.metrics

    @cached_property
    def measured(self) -> list[Row]:
        """Rows of objects and structures with results."""
        return summary.measured(self.rows)

    @cached_property
    def datasets(self) -> tuple[str, ...]:
        """Ids of the data sets with results, in the order of the run."""
        held = {row["dataset"] for row in self.measured}
        return tuple(name for name in self.config["data"] if name in held)

    @cached_property
    def settings(self) -> tuple[Setting, ...]:
        """All settings with results, the first prompt of the run first."""
        return tuple(sorted({Setting.of(row) for row in self.measured}, key=self.rank))

    @cached_property
    def varied(self) -> tuple[str, ...]:
        """In what the settings differ: of `model`, `prompt`, `volume`, `zoom`."""
        held = {name: {getattr(s, name) for s in self.settings} for name in ("model", "prompt", "zoom")}
        held["volume"] = {s.volume for s in self.settings if s.scope != "picture"}
        return tuple(name for name in ("model", "prompt", "volume", "zoom") if len(held[name]) > 1)

    def label(self, setting: Setting) -> str:
        """A setting in a few words: what it does not share with all others; "" where there is but one."""
        return ", ".join(self.words(setting))

    def words(self, setting: Setting) -> list[str]:
        """The words of `label`."""
        shown = [getattr(setting, name) for name in self.varied if name not in ("volume", "zoom")]
        if "volume" in self.varied and setting.scope != "picture":
            shown.append(setting.volume or "one slice")
        return [*shown, *([f"zoom {setting.zoom}"] if "zoom" in self.varied else [])]

    def short_labels(self, settings: Iterable[Setting]) -> dict[Setting, str]:
        """Some settings in a few words: what they do not share with each other."""
        words = {setting: self.words(setting) for setting in settings}
        shared = set.intersection(*(set(each) for each in words.values())) if words else set()
        return {setting: ", ".join(w for w in each if w not in shared) for setting, each in words.items()}

    @property
    def common(self) -> str:
        """What all settings share, in words: `Model litemedsam, prompt box`."""
        if not self.settings:
            return ""
        shared = {name for name in ("model", "prompt", "volume", "zoom") if name not in self.varied}
        values = {name: max(getattr(s, name) for s in self.settings) for name in shared}
        names = {"model": "model", "prompt": "prompt", "volume": "volumes by", "zoom": "zoom"}
        words = [f"{names[n]} {values[n]}" for n in names if values.get(n, "") not in ("", "off")]
        text = ", ".join(words)
        return text[:1].upper() + text[1:]

    @cached_property
    def main_prompts(self) -> frozenset[tuple[str, str, str]]:
        """For each data set and model the first of the run's prompts that it got there: triples of all.

        A model gets only prompts that it learned. A box becomes a cuboid where a strategy for volumes is
        named; both count as the same prompt.
        """
        held: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
        for row in self.measured:
            held[row["dataset"], row["model"]].add(row["prompt"])
        found = set()
        for (dataset, model), prompts in held.items():
            first = next((mine for p in self.config["prompts"] if (mine := _same(p) & prompts)), prompts)
            found |= {(dataset, model, prompt) for prompt in first}
        return frozenset(found)

    def is_main(self, dataset: str, setting: Setting) -> bool:
        """Whether a setting has the first prompt of its model in a data set."""
        return (dataset, setting.model, setting.prompt) in self.main_prompts

    def rank(self, setting: Setting) -> tuple[Any, ...]:
        """Sorts settings as the run named them: by prompt, then by model."""
        prompts, models = list(self.config["prompts"]), list(self.config["models"])
        prompt = next((i for i, p in enumerate(prompts) if setting.prompt in _same(p)), len(prompts))
        model = models.index(setting.model) if setting.model in models else len(models)
        return prompt, model, setting

    def cells(self, metric: str = "dice") -> list[Cell]:
        """Cells of a metric by data set and setting in the order of the run, structures by name."""
        if metric not in self._cells:
            self._cells[metric] = sorted(
                summary.cells(self.rows, metric, seed=self.seed), key=self._cell_rank
            )
        return self._cells[metric]

    def overall(self, metric: str = "dice") -> list[Cell]:
        """As `cells`, all structures of a data set together."""
        found = summary.overall(self.rows, metric, seed=self.seed)
        return sorted(found, key=self._cell_rank)

    def instances(self, metric: str) -> list[Cell]:
        """As `cells`, of the instance metrics of images: `ap`, `pq`, ..."""
        found = summary.cells(self.rows, metric, level="case", seed=self.seed)
        return sorted(found, key=self._cell_rank)

    def weak(self, *, main: bool = True) -> list[Cell]:
        """Structures with a mean Dice below 0.80, the weakest first: of first prompts, or of the others.

        None where Dice was not measured.
        """
        if not self.has_dice:
            return []
        held = [cell for cell in self.cells() if self.is_main(cell.dataset, cell.setting) == main]
        return summary.weak(held)

    @cached_property
    def exposures(self) -> dict[tuple[str, str], Exposure]:
        """Whether each model saw each data set in training, by model and data set."""
        return {
            (model, dataset): _exposure(model, dataset)
            for model in self.config["models"]
            for dataset in self.config["data"]
        }

    @cached_property
    def titles(self) -> dict[str, str]:
        """Names for people of data sets and models; their ids where there is no card."""
        from anytomy.datasets.registry import card as dataset_card
        from anytomy.zoo.registry import card as model_card

        found: dict[str, str] = {}
        looked: list[tuple[str, Callable[[str], Any]]] = [(n, dataset_card) for n in self.config["data"]]
        looked += [(n, model_card) for n in self.config["models"]]
        for name, card in looked:
            try:
                found[name] = card(name).title
            except AnytomyError:
                found[name] = name
        return found

    @cached_property
    def _cells(self) -> dict[str, list[Cell]]:
        return {}

    def _cell_rank(self, cell: Cell) -> tuple[Any, ...]:
        data = list(self.config["data"])
        place = data.index(cell.dataset) if cell.dataset in data else len(data)
        return place, cell.structure, self.rank(cell.setting)


def _same(prompt: str) -> set[str]:
    """What a prompt of the run is called in the rows."""
    return {"box", "box-3d"} if prompt == "box" else {prompt}


def _exposure(model: str, dataset: str) -> Exposure:
    from anytomy.datasets.registry import card as dataset_card
    from anytomy.zoo.registry import card as model_card

    try:
        return exposure(model_card(model), dataset_card(dataset))
    except AnytomyError:
        return Exposure(UNKNOWN, "a card of the two is not on this machine")


def _failures(path: Path) -> tuple[Mapping[str, str], ...]:
    if not path.is_file():
        return ()
    try:
        return tuple(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise OptionError(f"{path} cannot be read: {error}") from error
