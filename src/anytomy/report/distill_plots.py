"""What a student keeps for the speed that it gains, as inline SVG: `trade_plot`."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from anytomy.report.html import Html, tag
from anytomy.report.plots import cut, marked_line, px, round_ticks, svg

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anytomy.evaluation.statistics import Interval

_LEFT, _RIGHT, _TOP, _BOTTOM = 70.0, 560.0, 34.0, 300.0
# From one name to the next.
_LINE = 16.0


@dataclass(frozen=True)
class Trade:
    """A line of `trade_plot`.

    Attributes:
        name: Of the structure.
        teacher: Its mean Dice with perfect boxes.
        student: The student's.
    """

    name: str
    teacher: Interval
    student: Interval


def trade_plot(
    trades: Sequence[Trade], gained: float, title: str, *, teacher: str = "teacher with perfect boxes"
) -> Html:
    """Dice over speed: for each structure a line from the teacher to the student.

    Args:
        trades: Lines.
        gained: How many times faster the student is than the teacher's encoder; the x axis, logarithmic.
        title: What a reader who cannot see it is told.
        teacher: What its end of the lines is called.
    """
    ends = [interval for t in trades for interval in (t.teacher, t.student)]
    values = [v for i in ends for v in (i.mean, i.low, i.high) if math.isfinite(v)]
    ticks = round_ticks(min(values), min(max(values), 1.0))
    scale = (_BOTTOM - _TOP) / (ticks[-1] - ticks[0])

    def height(value: float) -> float:
        return _BOTTOM - (value - ticks[0]) * scale

    places = [(_x(1.0, gained), "1"), (_x(gained, gained), _times(gained))]
    parts = [tag("text", "mean Dice of test patients", x=0, y=16, class_="head")]
    for tick in ticks:
        line = f"M{px(_LEFT)} {px(height(tick))}H{px(_RIGHT)}"
        parts.append(tag("path", d=line, class_="grid"))
        level = px(height(tick) + 4)
        parts.append(tag("text", f"{tick:.2f}", x=_LEFT - 8, y=level, text_anchor="end", class_="small"))
    for (x, text), who in zip(places, (teacher, "student, no prompt"), strict=True):
        parts.append(tag("path", d=f"M{px(x)} {_TOP}V{_BOTTOM}", class_="grid"))
        for y, said in ((_BOTTOM + 18, f"× {text}"), (_BOTTOM + 34, who)):
            parts.append(tag("text", said, x=px(x), y=y, text_anchor="middle", class_="small"))
    middle = px((_LEFT + _RIGHT) / 2)
    label = "speed on a slice, as a multiple of the teacher's image encoder (logarithmic)"
    parts.append(tag("text", label, x=middle, y=_BOTTOM + 56, text_anchor="middle"))
    for number, trade in enumerate(trades):
        # Side by side, so that intervals do not hide each other.
        aside = (number - (len(trades) - 1) / 2) * 8
        both = zip(places, (trade.teacher, trade.student), strict=True)
        points = [(x + aside, height(i.mean), height(i.low), height(i.high)) for (x, _), i in both]
        parts += marked_line(number, points)
    for trade, y in zip(trades, _apart([height(t.student.mean) for t in trades]), strict=True):
        change = trade.student.mean - trade.teacher.mean
        text = f"{cut(trade.name, 26)} {trade.student.mean:.3f} ({change:+.3f})".replace("-", "−")
        parts.append(tag("text", text, tag("title", trade.name), x=_RIGHT + 8, y=px(y + 4)))
    return svg(parts, _BOTTOM + 70, title)


def _x(times: float, gained: float) -> float:
    """Where a speed stands: the teacher left, unless the student is slower."""
    low, high = sorted((0.0, math.log10(gained)))
    room = 0.2 * (high - low) or 0.5
    share = (math.log10(times) - low + room) / (high - low + 2 * room)
    return _LEFT + (_RIGHT - _LEFT) * share


def _times(value: float) -> str:
    return f"{value:.0f}" if value >= 10 else f"{value:.1f}"


def _apart(heights: Sequence[float]) -> list[float]:
    """Heights moved as little as it takes for names not to cover each other, in the same order."""
    order = sorted(range(len(heights)), key=lambda place: heights[place])
    moved = list(heights)
    for before, place in itertools.pairwise(order):
        moved[place] = max(moved[place], moved[before] + _LINE)
    # What was pushed out at the bottom pushes back.
    over = max(0.0, max(moved, default=0.0) - _BOTTOM)
    return [y - over for y in moved]
