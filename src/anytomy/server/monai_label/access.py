"""What the protocol's addresses need: `Bureau`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, cast

from fastapi import Depends, Request

from anytomy.server.monai_label.tasks import Tasks
from anytomy.server.monai_label.training import Training

if TYPE_CHECKING:
    from anytomy.server.desk import Desk


class Bureau:
    """Long work of the protocol: trainings and batches.

    Args:
        desk: Cases, sessions, models.
    """

    def __init__(self, desk: Desk) -> None:
        self.training = Training(desk)
        self.batches = Tasks("batch")

    def close(self) -> None:
        """End what runs."""
        self.training.close()
        self.batches.close()


def _bureau(request: Request) -> Bureau:
    return cast("Bureau", request.app.state.bureau)


TheBureau = Annotated[Bureau, Depends(_bureau)]
