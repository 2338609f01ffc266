"""`anytomy annotate` as people start it: a process of its own."""

from __future__ import annotations

import contextlib
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ANYTOMY = Path(sys.executable).with_name("anytomy")


@contextlib.contextmanager
def annotating(*arguments: str | Path, command: Path = ANYTOMY) -> Iterator[str]:
    """The address of the page, while the block runs."""
    asked = [command, "annotate", *arguments, "--no-browser"]
    with subprocess.Popen(asked, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        said = process.stderr.readline()
        try:
            found = re.search(r"http://127\.0\.0\.1:\d+/", said)
            assert found, said
            yield found[0]
        finally:
            process.terminate()
