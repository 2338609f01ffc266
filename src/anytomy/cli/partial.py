"""What an interrupted run leaves: the masks so far, under a name that says so."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from anytomy.cli.record import MANIFEST_SCHEMA, manifest_of
from anytomy.core.errors import AnytomyError, StoppedError

if TYPE_CHECKING:
    from pathlib import Path

    from anytomy.cli.cases import Case
    from anytomy.cli.request import Options
    from anytomy.predict.model import Model
    from anytomy.predict.result import Interrupted

_HINT = "the same command goes on, and does not encode again what is encoded"


def keep_partial(case: Case, options: Options, model: Model, stop: Interrupted, *, mark: str) -> StoppedError:
    """Write the masks so far to `OUT.partial.nii.gz`, with a manifest that says which slices are done.

    The result of that name without `partial` is left as it is: nobody takes half of an organ for all of it.

    Returns:
        What to tell the user.
    """
    from anytomy.io.atomic import write_text
    from anytomy.io.write import write_prediction

    path, result = case.partial, stop.result
    try:
        outputs = write_prediction(path, result, result.image)
        manifest = manifest_of(case, options, model, result, outputs, mark=mark, seconds={})
        for entry, ranges in zip(manifest["objects"], result.details["done"], strict=True):
            entry["slices_done"] = ranges
        manifest["partial"] = {
            "done": stop.done,
            "expected": stop.expected,
            "note": "interrupted: slices outside of slices_done were not reached and are empty; nothing was "
            "combined, cleaned or measured",
        }
        write_text(_manifest_path(path), json.dumps(manifest, indent=2, default=str) + "\n")
    except AnytomyError as error:
        return StoppedError(f"{stop}; what was done cannot be kept: {error}", hint=_HINT)
    return StoppedError(f"{stop}; what was done is in {path}", hint=_HINT)


def remove_partial(case: Case) -> None:
    """Remove what an interrupted run of this case left, now that there is all of it."""
    where = _manifest_path(case.partial)
    try:
        manifest = json.loads(where.read_text(encoding="utf-8"))
        is_ours = manifest["schema"] == MANIFEST_SCHEMA and manifest["input"] == str(case.input)
        if is_ours and "partial" in manifest:
            for output in manifest["outputs"]:
                where.with_name(output.replace("\\", "/").rpartition("/")[2]).unlink(missing_ok=True)
            where.unlink()
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return


def _manifest_path(path: Path) -> Path:
    return path.with_name(path.name + ".json")
