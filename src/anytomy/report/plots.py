"""Plots as inline SVG that takes its colours from the page: `distribution`, `curves_plot`."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from anytomy.evaluation.bench.summary import WEAK
from anytomy.report.html import Html, joined, tag

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anytomy.evaluation.statistics import Interval

WIDTH = 820
# Left of the axis stand names, right of it numbers.
_LEFT, _RIGHT = 262, 650
_ROW, _HEAD = 21, 26
MOST_DOTS = 300


@dataclass(frozen=True)
class Strip:
    """A row of `distribution`.

    Attributes:
        name: What it is of.
        values: Dice of each object.
        interval: Mean by patient.
        group: Rows of a group stand under its name.
    """

    name: str
    values: Sequence[float]
    interval: Interval
    group: str = ""

    @property
    def is_weak(self) -> bool:
        """Whether the mean is below 0.80."""
        return self.interval.mean < WEAK


def distribution(strips: Sequence[Strip], title: str) -> Html:
    """Rows of dots with a box from lower to upper quartile, the mean with its interval and the 0.80 line.

    Args:
        strips: Rows from top to bottom; a group's name is written where it changes.
        title: What a reader who cannot see it is told.
    """
    parts: list[Html] = []
    y, group = 24.0, ""
    for strip in strips:
        if strip.group != group:
            group = strip.group
            y += _HEAD
            parts.append(tag("text", cut(group, 90), x=0, y=px(y - 7), class_="head"))
        parts += _strip(strip, y + _ROW / 2)
        y += _ROW
    height = y + 24
    axis = [_tick(v, height) for v in (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)]
    return svg([*axis, *parts], height, title)


def _strip(strip: Strip, y: float) -> list[Html]:
    values = np.sort(np.asarray(strip.values, dtype=float))
    values = values[np.isfinite(values)]
    parts = [tag("text", cut(strip.name, 38), tag("title", strip.name), x=12, y=px(y + 4))]
    if values.size:
        low, median, high = (_x(float(v)) for v in np.percentile(values, [25, 50, 75]))
        if values.size > 2:
            parts.append(
                tag(
                    "rect",
                    x=px(low),
                    y=px(y - 6),
                    width=px(high - low),
                    height=12,
                    class_="box",
                )
            )
        for place, value in enumerate(_thinned(values)):
            # Up and down by the golden ratio: neighbours lie apart, and no chance is needed.
            up = (place * 0.618034 % 1 - 0.5) * 11
            parts.append(tag("circle", cx=px(_x(float(value))), cy=px(y + up), r=1.8, class_="dot"))
        if values.size > 2:
            parts.append(tag("path", d=f"M{px(median)} {px(y - 6)}v12", class_="median"))
    mean = strip.interval
    if math.isfinite(mean.mean):
        if math.isfinite(mean.low):
            parts.append(tag("path", d=_line_with_ends(_x(mean.low), _x(mean.high), y), class_="whisker"))
        parts.append(tag("path", d=f"M{px(_x(mean.mean))} {px(y - 5)}l5 5l-5 5l-5 -5z", class_="mean"))
        text = f"{mean.mean:.3f}" + ("  weak" if strip.is_weak else "")
        parts.append(tag("text", text, x=_RIGHT + 14, y=px(y + 4), class_="weak" if strip.is_weak else None))
    count = f"{values.size:,} in {mean.patients:,}"
    parts.append(tag("text", count, x=WIDTH, y=px(y + 4), text_anchor="end", class_="small"))
    return parts


def _line_with_ends(left: float, right: float, y: float) -> str:
    return f"M{px(left)} {px(y)}H{px(right)}M{px(left)} {px(y - 3)}v6M{px(right)} {px(y - 3)}v6"


def _thinned(values: Sequence[float]) -> Sequence[float]:
    """Sorted values, of very many only so many quantiles, the extremes among them."""
    if len(values) <= MOST_DOTS:
        return values
    places = np.linspace(0, len(values) - 1, MOST_DOTS).round().astype(int)
    return [values[place] for place in places]


def _tick(value: float, height: float) -> Html:
    x = _x(value)
    is_limit = math.isclose(value, WEAK)
    line = tag("path", d=f"M{px(x)} 20V{px(height - 20)}", class_="limit" if is_limit else "grid")
    text = f"{value:.2f}" if is_limit else f"{value:.1f}"
    kind = "weak" if is_limit else "small"
    ends = (13.0, height - 6)
    return joined(
        [
            line,
            *(tag("text", text, x=px(x), y=px(y), text_anchor="middle", class_=kind) for y in ends),
        ]
    )


def _x(dice: float) -> float:
    return _LEFT + dice * (_RIGHT - _LEFT)


# -- curves ----------------------------------------------------------------------------------------

_MARKERS = (
    "M{x} {y}m-4.5 0a4.5 4.5 0 1 0 9 0a4.5 4.5 0 1 0 -9 0z",
    "M{x} {y}m-4 -4h8v8h-8z",
    "M{x} {y}m0 -5.5l5 9h-10z",
    "M{x} {y}m0 -5.5l5.5 5.5l-5.5 5.5l-5.5 -5.5z",
    "M{x} {y}m0 5.5l5 -9h-10z",
)
_DASHES = (None, "7 3", "2 3", "9 3 2 3", "4 2")


@dataclass(frozen=True)
class Series:
    """A line of `curves_plot`: a mean with its interval at some of the places along the axis."""

    name: str
    points: Sequence[tuple[int, Interval]]


def curves_plot(
    series: Sequence[Series], places: Sequence[str], *, title: str, x_label: str, y_label: str, zero: bool
) -> Html:
    """Lines with a marker and an interval at each place; they differ in markers and dashes.

    Args:
        series: Lines.
        places: What stands at the places along the x axis.
        title: What a reader who cannot see it is told.
        x_label: Of the axis.
        y_label: Of the axis.
        zero: Whether the axis holds zero, with a line.
    """
    left, right, top, bottom = 70.0, WIDTH - 20.0, 34.0, 300.0
    values = [v for s in series for _, i in s.points for v in (i.mean, i.low, i.high) if math.isfinite(v)]
    ticks = round_ticks(min([*values, *([0.0] if zero else [])]), max([*values, *([0.0] if zero else [])]))
    scale = (bottom - top) / (ticks[-1] - ticks[0])

    def height(value: float) -> float:
        return bottom - (value - ticks[0]) * scale

    step = (right - left) / len(places)
    parts = [tag("text", y_label, x=0, y=16, class_="head")]
    for tick in ticks:
        is_zero = zero and math.isclose(tick, 0, abs_tol=1e-9)
        line = f"M{px(left)} {px(height(tick))}H{px(right)}"
        parts.append(tag("path", d=line, class_="series" if is_zero else "grid"))
        text = f"{tick:.2f}".replace("-", "−") if abs(tick) > 1e-9 else "0"
        parts.append(tag("text", text, x=left - 8, y=px(height(tick) + 4), text_anchor="end", class_="small"))
    for place, name in enumerate(places):
        x = px(left + (place + 0.5) * step)
        parts.append(tag("text", name, x=x, y=bottom + 18, text_anchor="middle", class_="small"))
    middle = px((left + right) / 2)
    parts.append(tag("text", x_label, x=middle, y=bottom + 38, text_anchor="middle"))
    for number, each in enumerate(series):
        # Side by side, so that intervals do not hide each other.
        aside = (number - (len(series) - 1) / 2) * min(12.0, step / (len(series) + 1))
        at = [(left + (place + 0.5) * step + aside, interval) for place, interval in each.points]
        parts += marked_line(number, [(x, height(i.mean), height(i.low), height(i.high)) for x, i in at])
        y = bottom + 60 + 18 * number
        parts += marked_line(number, [(left, y, math.nan, math.nan), (left + 34, y, math.nan, math.nan)])
        parts.append(tag("text", each.name, x=left + 46, y=px(y + 4)))
    return svg(parts, bottom + 60 + 18 * len(series), title)


def marked_line(number: int, points: Sequence[tuple[float, float, float, float]]) -> list[Html]:
    """A line through points with a marker and an interval at each; `number` decides markers and dashes.

    Args:
        number: Of the line.
        points: x, y, and the ends of the interval along y; NaN where there is none.
    """
    parts = []
    if len(points) > 1:
        line = "M" + "L".join(f"{px(x)} {px(y)}" for x, y, _, _ in points)
        parts.append(tag("path", d=line, class_="series", stroke_dasharray=_DASHES[number % len(_DASHES)]))
    for x, y, low, high in points:
        if math.isfinite(low):
            ends = f"M{px(x)} {px(low)}V{px(high)}M{px(x - 4)} {px(low)}h8M{px(x - 4)} {px(high)}h8"
            parts.append(tag("path", d=ends, class_="whisker"))
        marker = _MARKERS[number % len(_MARKERS)].format(x=px(x), y=px(y))
        parts.append(tag("path", d=marker, class_="marker"))
    return parts


def round_ticks(low: float, high: float) -> list[float]:
    """Round numbers that enclose a range, about six."""
    span = max(high - low, 0.02)
    step = 10.0 ** math.floor(math.log10(span / 5))
    step *= next(f for f in (1, 2, 5, 10) if span / (f * step) <= 6)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(i * step, 10) for i in range(first, max(last, first + 1) + 1)]


def svg(parts: Sequence[Html], height: float, title: str) -> Html:
    """A picture as wide as all of them, with a title for those who cannot see it."""
    return tag(
        "svg",
        tag("title", title),
        *parts,
        viewBox=f"0 0 {WIDTH} {px(height)}",
        width=WIDTH,
        height=px(height),
        role="img",
        aria_label=title,
    )


def cut(text: str, most: int) -> str:
    """A text of so many characters at most."""
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"


def px(value: float) -> str:
    """Coordinates to a tenth: the page stays small."""
    return f"{value:.1f}".removesuffix(".0")
