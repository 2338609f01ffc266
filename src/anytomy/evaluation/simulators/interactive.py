"""Clicks that answer the model's mask: each goes into its largest error."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from anytomy.core.errors import GeometryError
from anytomy.core.prompt import Prompt
from anytomy.evaluation.simulators.boxes import tight_box
from anytomy.evaluation.simulators.points import check_count
from anytomy.evaluation.simulators.regions import Region, point
from anytomy.evaluation.simulators.simulator import counted, cut, need_volume

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from anytomy.evaluation.simulators.simulator import Level, Scope, Truth

_CVPR = "CVPR 2025 interactive 3D segmentation challenge"
_MAZUROWSKI = "Mazurowski et al., arXiv 2304.10517 (iterative)"


@dataclass(frozen=True, kw_only=True)
class Clicks:
    """Corrective clicks in one slice or in 3D; attributes as in `Simulator`.

    An error is a voxel where mask and truth differ, whichever way. The next click is the deepest point of
    the largest connected error: positive where the object was missed, negative where too much was found.
    Depth is counted in pixels in a slice, and by the spacing in 3D where it is known. The clicks before
    stay; the model's mask is added where it takes one.

    Attributes:
        clicks: How many.
        boxed: Whether it starts with the tight box; else with a click on the deepest point of the object.
        solid: Whether clicks go anywhere in the volume.
    """

    name: str
    budget: str
    source: str
    clicks: int
    boxed: bool = False
    solid: bool = False
    level: Level = "object"

    @property
    def kinds(self) -> tuple[str, ...]:
        """See `Simulator`."""
        return ("box", "points") if self.boxed else ("points",)

    @property
    def scope(self) -> Scope:
        """See `Simulator`."""
        return "volume" if self.solid else "slice"

    @property
    def steps(self) -> int:
        """See `Simulator`."""
        return self.clicks + self.boxed

    def start(self, truth: Truth, rng: np.random.Generator) -> tuple[Prompt, ...]:
        """See `Simulator`."""
        if self.solid:
            need_volume(truth, self.name)
            region = Region.of(truth.mask)
            return () if region is None else (Prompt(points=(point(region.deepest(truth.spacing)),)),)
        plane = truth.largest_plane()
        region = None if plane is None else Region.of(plane.mask)
        if plane is None or region is None:
            return ()
        if self.boxed:
            return (plane.prompt(box=tight_box(plane.mask)),)
        return (plane.prompt(points=(point(region.deepest()),)),)

    def correct(
        self,
        truth: Truth,
        found: NDArray[np.bool_],
        prompts: tuple[Prompt, ...],
        rng: np.random.Generator,
        *,
        feed_mask: bool,
    ) -> tuple[Prompt, ...] | None:
        """See `Simulator`.

        Raises:
            GeometryError: If `found` is not on the truth's grid.
        """
        found = np.asarray(found, dtype=bool)
        if found.shape != truth.mask.shape:
            raise GeometryError(f"expected a found mask of shape {truth.mask.shape}, got {found.shape}")
        if not prompts or len(prompts[0].points) >= self.clicks:
            return None
        (prompt,) = prompts
        wanted, seen = (cut(truth, mask, prompt.slice) for mask in (truth.mask, found))
        errors = Region.of(wanted ^ seen)
        if errors is None:
            return None
        click = errors.parts(1)[0].deepest(truth.spacing if self.solid else None)
        corrected = replace(
            prompt,
            points=(*prompt.points, point(click)),
            labels=(*prompt.labels, int(wanted[click])),
            # An empty mask is no prompt.
            mask=seen if feed_mask and seen.any() else None,
        )
        return (corrected,)


def clicks(count: int) -> Clicks:
    """So many clicks in one slice."""
    check_count("clicks-N", count)
    source = f"after {_MAZUROWSKI} and the CVPR 2025 challenge"
    return Clicks(name=f"clicks-{count}", budget=counted(count, "click"), source=source, clicks=count)


def box_clicks(count: int) -> Clicks:
    """The tight box of one slice, then so many clicks in it."""
    check_count("box-clicks-N", count)
    return Clicks(
        name=f"box-clicks-{count}",
        budget=f"1 box, then {counted(count, 'click')}",
        source=f"after the {_CVPR}, in one slice",
        clicks=count,
        boxed=True,
    )


def clicks_3d(count: int) -> Clicks:
    """So many clicks anywhere in the volume."""
    check_count("clicks-3d-N", count)
    return Clicks(
        name=f"clicks-3d-{count}",
        budget=counted(count, "click"),
        source=f"after the {_CVPR}, without its box",
        clicks=count,
        solid=True,
    )
