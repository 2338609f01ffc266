"""Training curves as a picture: the loss, the Dice of the validation, and the step that was kept."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from anytomy.report.draw import FAINT, INK, PAPER, Canvas, Colour, colour_of, legend, resized
from anytomy.report.plots import round_ticks

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

_WIDTH, _HEIGHT = 900, 300
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 24, 40, 40
# Drawn larger and reduced, so that lines are smooth.
_FINER = 2
_GRID: Colour = (58, 62, 70)


def training_curves(history: Mapping[str, Any], best_step: int | None) -> NDArray[np.uint8]:
    """The curves of a run, one panel above the other.

    Args:
        history: `losses` and `validations`, as a run keeps them.
        best_step: The step that was kept; None where the last one was.

    Returns:
        uint8 RGB.
    """
    losses = [("loss", [(e["step"], e["loss"]) for e in history["losses"] if e["loss"] is not None])]
    found = [e for e in history["validations"] if e["dice"] is not None]
    names = sorted({name for e in found for name in e["by_structure"]})
    dice = [("mean", [(e["step"], e["dice"]) for e in found])]
    if len(names) > 1:
        for name in names:
            by = [(e["step"], e["by_structure"][name]) for e in found if name in e["by_structure"]]
            dice.append((name, by))
    panels = [_panel("Training loss", losses, None)]
    if found:
        panels.append(_panel("Dice of the validation", dice, best_step))
    return np.concatenate(panels)


def _panel(
    title: str, lines: Sequence[tuple[str, list[tuple[float, float]]]], mark: int | None
) -> NDArray[np.uint8]:
    size = (_HEIGHT * _FINER, _WIDTH * _FINER, 3)
    canvas = Canvas(np.full(size, PAPER, dtype=np.uint8), stroke=_FINER)
    points = [point for _, line in lines for point in line if math.isfinite(point[1])]
    last = max((x for x, _ in points), default=1.0)
    heights = [y for _, y in points] or [0.0, 1.0]
    across, up = round_ticks(0.0, float(last)), round_ticks(min(heights), max(heights))

    def at(x: float, y: float) -> tuple[float, float]:
        width, height = _WIDTH - _LEFT - _RIGHT, _HEIGHT - _TOP - _BOTTOM
        right = _LEFT + width * (x - across[0]) / (across[-1] - across[0])
        down = _TOP + height * (up[-1] - y) / (up[-1] - up[0])
        return right * _FINER, down * _FINER

    _axes(canvas, at, across, up)
    if mark is not None:
        canvas.line(at(mark, up[0]), at(mark, up[-1]), FAINT)
        x, y = at(mark, up[0])
        aside = -6 * _FINER if mark > last / 2 else 6 * _FINER
        anchor = "rd" if aside < 0 else "ld"
        _write(canvas, f"kept: step {mark:,}", (x + aside, y - 4 * _FINER), anchor=anchor)
    _write(canvas, title, (_LEFT * _FINER, 8 * _FINER), size=15, colour=INK)
    colours = [INK, *(colour_of(index) for index in range(len(lines) - 1))]
    for (_, line), colour in zip(lines, colours, strict=True):
        for start, end in itertools.pairwise(line):
            canvas.line(at(*start), at(*end), colour)
    panel = resized(canvas.array, _HEIGHT, _WIDTH, smooth=True)
    if len(lines) == 1:
        return panel
    entries = [(name, colour) for (name, _), colour in zip(lines, colours, strict=True)]
    return np.concatenate([panel, legend(entries, _WIDTH)])


def _axes(canvas: Canvas, at: Any, across: Sequence[float], up: Sequence[float]) -> None:
    for tick in up:
        canvas.line(at(across[0], tick), at(across[-1], tick), _GRID)
        x, y = at(across[0], tick)
        _write(canvas, f"{tick:.3g}", (x - 8 * _FINER, y), anchor="rm")
    for tick in across:
        x, y = at(tick, up[0])
        _write(canvas, f"{tick:,.0f}", (x, y + 8 * _FINER), anchor="ma")


def _write(
    canvas: Canvas,
    text: str,
    at: tuple[float, float],
    *,
    size: int = 12,
    colour: Colour = FAINT,
    anchor: str = "la",
) -> None:
    canvas.text(text, at, size=size * _FINER, colour=colour, anchor=anchor)
