"""What every address needs: `TheDesk`."""

from __future__ import annotations

from typing import Annotated, cast

from fastapi import Depends, Path, Request

from anytomy.server.desk import Desk


def _desk(request: Request) -> Desk:
    return cast("Desk", request.app.state.desk)


TheDesk = Annotated[Desk, Depends(_desk)]
CaseId = Annotated[str, Path(pattern=r"^[0-9a-f]{16}$")]
LongId = Annotated[str, Path(pattern=r"^[0-9a-f]{32}$")]
