"""`/train/` as `anytomy tune`, in a process of its own, on the label maps that were saved: `Training`.

The same request on the same labels goes on where it was stopped. What comes out is offered as a model beside
the one that it was made from: `NAME-tuned`, or `NAME-classes` where it finds classes without prompts.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anytomy.core.errors import AnytomyError, OptionError
from anytomy.io.atomic import write_text
from anytomy.server.monai_label.asking import offers
from anytomy.server.monai_label.images import Shelf, sent_ending, write_nrrd
from anytomy.server.monai_label.tasks import Task, Tasks
from anytomy.server.output import target_of
from anytomy.server.problems import ConflictError, NotFoundError

if TYPE_CHECKING:
    from anytomy.server.desk import Desk

MODES = ("promptable", "semantic")
_MOST_MINUTES = 24 * 60
_TUNED = "tuned.json"


class Training:
    """Trainings, one at a time, and the models that came of them.

    Args:
        desk: Cases, sessions, models.
    """

    def __init__(self, desk: Desk) -> None:
        self.tasks = Tasks("training")
        self._desk = desk
        self._folder = desk.settings.state / "train"
        for name, folder in self._kept().items():
            self._offer(name, folder)

    def trainers(self) -> dict[str, dict[str, Any]]:
        """What can be trained, as `/info/` has it."""
        return {
            name: {
                "description": f"{offer.card.title}: tuned on the label maps that were saved here",
                "config": {"max_minutes": 30, "mode": list(MODES)},
            }
            for name, offer in offers(self._desk.models).items()
            if offer.kind in ("slice", "box") and name not in self._kept()
        }

    def stats(self) -> dict[str, dict[str, Any]]:
        """How the trainings that are over went."""
        found = {}
        for name, folder in self._kept().items():
            try:
                done = json.loads((Path(folder) / "run.json").read_text(encoding="utf-8"))["result"]
            except (OSError, ValueError, KeyError):
                continue
            steps = {"epoch": done["steps"], "total_epochs": done["steps"], "total_time": done["seconds"]}
            found[name] = {**steps, "best_metric": done["best"]}
        return found

    def start(self, name: str, params: dict[str, Any]) -> Task:
        """Begin to train.

        Raises:
            NotFoundError: If there is no such trainer.
            OptionError: If the parameters are none.
            ConflictError: If no label map was saved.
            BusyError: If one runs already.
        """
        if name not in self.trainers():
            raise NotFoundError("there is no such trainer", hint="list them at /info/")
        minutes, mode = _minutes(params), _mode(params)
        offer = offers(self._desk.models)[name]
        base, method = offer.card.base_id, "decoder"
        if offer.card.adapter is not None and mode == "promptable":
            base, method = offer.reference, offer.card.adapter.card.method
        rows = self._rows()
        if not rows:
            raise ConflictError("no label map was saved yet", hint="save some, then train")
        made = f"{name}-{'tuned' if mode == 'promptable' else 'classes'}"
        say = json.dumps([base, method, mode, minutes, rows], sort_keys=True)
        folder = self._folder / hashlib.sha256(say.encode()).hexdigest()[:16]

        def work(task: Task) -> None:
            data = self._data_set(rows, folder)
            options = ["--data", data, "--method", method, "--mode", mode, "--test", "0"]
            options += ["--max-minutes", f"{minutes:g}", "--validate", "0.2" if len(rows) > 2 else "0"]
            self._tune([base, *options, "-o", str(folder / "adapter")], task)
            if not task.stopped:
                self._keep(made, folder / "adapter")
                task.details.append(f"offered as {made}")

        return self.tasks.start(name, work)

    def close(self) -> None:
        """End what runs; it goes on with the same request."""
        self.tasks.close()

    # -- data ----------------------------------------------------------------------------------------

    def _rows(self) -> list[list[str]]:
        """Case, image, label map and values by name of each case that was saved."""
        desk, shelf, rows = self._desk, Shelf(self._desk), []
        for case in shelf.cases:
            state = shelf.state(case)
            if not state.saved:
                continue
            image = desk.opened.open(case).image
            labels = target_of(case, image, shelf.cases, desk.settings)
            if labels.is_file():
                about = json.loads(labels.with_name(f"{labels.name}.json").read_text(encoding="utf-8"))
                values = {label["name"]: label["id"] for label in about["labels"]}
                stamp = hashlib.sha256(labels.read_bytes()).hexdigest()[:16]
                rows.append([case.id, str(labels), json.dumps(values, sort_keys=True), stamp])
        return rows

    def _data_set(self, rows: list[list[str]], folder: Path) -> str:
        """Make a data set of the label maps; returns its name."""
        from anytomy.datasets.adding import add_dataset, remove_dataset
        from anytomy.datasets.registry import added_dir

        data = folder / "data"
        data.mkdir(parents=True, exist_ok=True)
        table = io.StringIO()
        writer = csv.writer(table)
        writer.writerow(["case", "patient", "image", "mask", "labels"])
        for case_id, labels, values, _ in rows:
            writer.writerow([case_id, case_id, str(self._image(case_id, data)), labels, values])
        write_text(data / "labels.csv", table.getvalue())
        ids = [row[0] for row in rows]
        write_text(data / "splits_final.json", json.dumps([{"train": ids, "val": []}]))
        name = f"annotated-{folder.name}"
        if (added_dir(name) / "dataset.toml").is_file():
            remove_dataset(name)
        add_dataset(name, data, limit=0)
        return name

    def _image(self, case_id: str, data: Path) -> Path:
        """A case as one file: its own, or a copy of its voxels."""
        case = self._desk.cases.get(case_id)
        if case.kind == "file" and sent_ending(case) != ".nrrd":
            return case.path
        path = data / f"{case_id}.nrrd"
        if not path.exists():
            image = self._desk.opened.open(case).image
            write_nrrd(path, image.volume, image, compress=True)
        return path

    # -- the process ---------------------------------------------------------------------------------

    def _tune(self, arguments: list[str], task: Task) -> None:
        command = [sys.executable, "-m", "anytomy.cli.main", "tune", *arguments]
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        assert process.stdout is not None
        watching = _Watch(process, task)
        for line in process.stdout:
            if line.strip():
                task.details.append(self._without_paths(line.strip()))
        watching.join()
        if process.wait() != 0 and not task.stopped:
            raise AnytomyError(task.details[-1] if task.details else "the training ended early")

    def _without_paths(self, line: str) -> str:
        for folder in (self._folder, self._desk.settings.state, *self._desk.settings.roots):
            line = line.replace(f"{folder}/", "")
        return line

    # -- what came of it -----------------------------------------------------------------------------

    def _kept(self) -> dict[str, str]:
        try:
            return dict(json.loads((self._folder / _TUNED).read_text(encoding="utf-8")))
        except (OSError, ValueError):
            return {}

    def _keep(self, name: str, adapter: Path) -> None:
        write_text(self._folder / _TUNED, json.dumps({**self._kept(), name: str(adapter)}))
        self._offer(name, str(adapter))

    def _offer(self, name: str, adapter: str) -> None:
        try:
            self._desk.models.add(name, adapter)
        except AnytomyError:  # its folder was taken away
            return


class _Watch:
    """Ends a process when its task is to end."""

    def __init__(self, process: subprocess.Popen[str], task: Task) -> None:
        import threading

        self._thread = threading.Thread(target=self._wait, args=(process, task), daemon=True)
        self._thread.start()

    @staticmethod
    def _wait(process: subprocess.Popen[str], task: Task) -> None:
        while process.poll() is None:
            if task.wait(0.2):
                process.terminate()
                try:
                    process.wait(timeout=15)
                except subprocess.TimeoutExpired:
                    process.kill()
                return

    def join(self) -> None:
        """Wait for it."""
        self._thread.join()


def _minutes(params: dict[str, Any]) -> float:
    value = params.get("max_minutes", 30)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= _MOST_MINUTES:
        raise OptionError(f"expected max_minutes to be a number up to {_MOST_MINUTES}")
    return float(value)


def _mode(params: dict[str, Any]) -> str:
    mode = params.get("mode", MODES[0])
    mode = mode[0] if isinstance(mode, list) and mode else mode
    if mode not in MODES:
        raise OptionError(f"expected a mode of {' or '.join(MODES)}")
    return str(mode)
