"""A student as one ONNX graph, from stored values to the label map: `whole_graph`.

Each step is that of `core.intensity`, `StudentGrid` or `windows`, so that label maps are those of Anytomy.
Slices and windows are looped over: memory is that of one slice and one window in 2D.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from anytomy.core.intensity import IntensityPolicy
from anytomy.models.students.folder import OPSET
from anytomy.predict.student.nodes import Block
from anytomy.predict.student.windows import OVERLAP, bell

if TYPE_CHECKING:
    from onnx import ModelProto

    from anytomy.models.students.folder import StudentCard

IMAGE, SPACING, LABELS = "image", "spacing_mm", "labels"
_INF = np.float32(np.inf)


def whole_graph(card: StudentCard, network: ModelProto) -> ModelProto:
    """The graph of a student with all that stands before and behind its network.

    Args:
        card: The student; one without extra channels.
        network: Its graph, from pixels `(1, channels, *patch)` to logits.

    Returns:
        From `image` (float32, `(z, y, x[, 3])` of a student of volumes, else `(y, x[, 3])`), and `spacing_mm`
        (float64, a number for each of its axes) where the student's grid has one, to `labels` of the image's
        shape.
    """
    from onnx import TensorProto, helper

    axes = ["z", "y", "x"][0 if card.volumes else 1 :]
    shape: list[Any] = [*axes, *([3] if card.colours == 3 else [])]
    inputs = [helper.make_tensor_value_info(IMAGE, TensorProto.FLOAT, shape)]
    if card.spacing_mm:
        inputs.append(helper.make_tensor_value_info(SPACING, TensorProto.DOUBLE, [len(axes)]))
    small = len(card.classes) < 256
    kind = TensorProto.UINT8 if small else TensorProto.INT32
    top = Block()
    found = _Maker(card, network, np.uint8 if small else np.int32).labels(top)
    top.nodes.append(helper.make_node("Identity", [found], [LABELS]))
    output = helper.make_tensor_value_info(LABELS, kind, axes)
    return top.model(inputs, output, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8)


@dataclass(frozen=True, eq=False)
class _Scale:
    """Names of the fitted limits (float64 scalars); None where values are grey levels already."""

    low: str | None
    high: str | None
    zero_is_black: bool


class _Maker:
    def __init__(self, card: StudentCard, network: ModelProto, dtype: Any) -> None:
        self.card, self.network, self.dtype = card, network, dtype

    def labels(self, b: Block) -> str:
        scale = _fitted(b, IntensityPolicy.parse(self.card.intensity))
        if not self.card.volumes:
            return self._flat(b, IMAGE, scale)
        depth = b.size(IMAGE, 0)

        def plane(inner: Block, index: str) -> str:
            return inner("Gather", IMAGE, index, axis=0)

        if self.card.dims == 2:
            return b.loop(depth, lambda inner, i: self._flat(inner, plane(inner, i), scale), self.dtype)
        rows, columns = b.size(IMAGE, 1), b.size(IMAGE, 2)
        z, y, x = self._sizes(b, [depth, rows, columns])
        to_y, to_x = b.triangle(y, rows), b.triangle(x, columns)

        def seen(inner: Block, index: str) -> str:
            return inner.along_last(self._levels(inner, plane(inner, index), scale), to_y, to_x)

        stack = b("Transpose", b.loop(depth, seen, np.float32), perm=[1, 0, 2, 3])
        levels = _along_first(b, stack, b.triangle(z, depth), self.card.colours)
        found = self._logits(b, levels, [z, y, x])
        back_z, back_y, back_x = b.triangle(depth, z), b.triangle(rows, y), b.triangle(columns, x)

        def back(inner: Block, index: str) -> str:
            row = inner("Unsqueeze", inner("Gather", back_z, index, axis=0), [0])
            one = inner("Squeeze", _along_first(inner, found, row, len(self.card.classes) + 1), [1])
            return self._winner(inner, inner.along_last(one, back_y, back_x))

        return b.loop(depth, back, self.dtype)

    def _flat(self, b: Block, plane: str, scale: _Scale) -> str:
        """Labels of a picture or a slice by itself."""
        rows, columns = b.size(plane, 0), b.size(plane, 1)
        levels = self._levels(b, plane, scale)
        if self.card.size is None and not self.card.spacing_mm:
            return self._winner(b, self._logits(b, levels, [rows, columns]))
        y, x = self._sizes(b, [rows, columns])
        seen = b.along_last(levels, b.triangle(y, rows), b.triangle(x, columns))
        found = self._logits(b, seen, [y, x])
        return self._winner(b, b.along_last(found, b.triangle(rows, y), b.triangle(columns, x)))

    def _winner(self, b: Block, logits: str) -> str:
        return b.cast(b("ArgMax", logits, axis=0, keepdims=0), self.dtype)

    def _sizes(self, b: Block, sizes: list[str]) -> list[str]:
        """`StudentGrid.shape`, of the axes that the network has."""
        card, real = self.card, [b.cast(each, np.float64) for each in sizes]
        if card.size is not None:
            longest = b("Max", *real)
            wanted = [b("Div", b("Mul", n, float(card.size)), longest) for n in real]
        elif card.spacing_mm:
            first = (3 if card.volumes else 2) - card.dims
            near = [b("Gather", SPACING, first + axis) for axis in range(card.dims)]
            wanted = [
                b("Div", b("Mul", n, mm), own) for n, mm, own in zip(real, near, card.spacing_mm, strict=True)
            ]
        else:
            return sizes
        return [b.cast(b("Max", b("Floor", b("Add", n, 0.5)), 1.0), np.int64) for n in wanted]

    def _levels(self, b: Block, plane: str, scale: _Scale) -> str:
        """`GreyScale.apply`, and colours first: `(colours, y, x)`, float32, 0 to 255."""
        known = b("Where", b("IsNaN", plane), np.float32(0), plane)
        if scale.low is None or scale.high is None:
            grey = b("Clip", known, np.float32(0), np.float32(255))
        else:
            values = b("Max", b("Min", b.cast(known, np.float64), scale.high), scale.low)
            width = b("Sub", scale.high, scale.low)
            width = b("Where", b("Equal", width, 0.0), 1.0, width)
            values = b("Mul", b("Div", b("Sub", values, scale.low), width), 255.0)
            grey = b("Where", b("IsNaN", plane), 0.0, values)
        whole = b.cast(b.cast(grey, np.uint8), np.float32)
        if scale.zero_is_black:
            whole = b("Where", b("Equal", plane, np.float32(0)), np.float32(0), whole)
        return b("Transpose", whole, perm=[2, 0, 1]) if self.card.colours == 3 else b("Unsqueeze", whole, [0])

    def _logits(self, b: Block, levels: str, sizes: list[str]) -> str:
        """`windows.in_windows`: levels `(colours, *sizes)` to logits `(classes + 1, *sizes)`."""
        card = self.card
        lacks = [b("Max", b("Sub", p, n), 0) for n, p in zip(sizes, card.patch, strict=True)]
        ends = b("Concat", [0] * (card.dims + 2), *(b("Unsqueeze", each, [0]) for each in lacks), axis=0)
        padded = b("Pad", b("Div", levels, np.float32(255)), ends, np.float32(0))
        around = (-1,) + (1,) * card.dims
        mean, scale = (
            np.asarray(v, np.float32).reshape(around)
            for v in ([m / 255 for m in card.mean], [255 / s for s in card.std])
        )
        pixels = b("Mul", b("Sub", padded, mean), scale)
        if card.size is not None and min(card.patch) >= card.size:  # one window
            found = self._window(b, pixels)
            last = b("Concat", *(b("Unsqueeze", n, [0]) for n in sizes), axis=0)
            axes = list(range(1, card.dims + 1))
            return b("Slice", found, [0] * card.dims, last, axes)
        starts = [_starts(b, n, p) for n, p in zip(sizes, card.patch, strict=True)]
        windows = self._cut(b, pixels, starts)
        found = b.loop(
            b.size(windows, 0),
            lambda inner, i: self._window(inner, inner("Gather", windows, i, axis=0)),
            np.float32,
        )
        return self._blended(b, found, starts, sizes)

    def _window(self, b: Block, pixels: str) -> str:
        shaped = b("Reshape", pixels, [1, self.card.channels, *self.card.patch])
        return b("Squeeze", b.splice(self.network, shaped), [0])

    def _cut(self, b: Block, pixels: str, starts: list[str]) -> str:
        """Windows `(n, colours, *patch)` of `(colours, *padded)`."""
        dims, patch = self.card.dims, self.card.patch
        sizes: list[Any] = [self.card.colours]
        for axis, (start, p) in enumerate(zip(starts, patch, strict=True), start=1):
            inside = b("Add", b("Unsqueeze", start, [1]), np.arange(p))
            pixels = b("Gather", pixels, b("Reshape", inside, [-1]), axis=axis)
            sizes += [b.size(start, 0), p]
        numbers, within = range(1, 2 * dims, 2), range(2, 2 * dims + 1, 2)
        turned = b("Transpose", b.reshaped(pixels, *sizes), perm=[*numbers, 0, *within])
        return b("Reshape", turned, [-1, self.card.colours, *patch])

    def _blended(self, b: Block, found: str, starts: list[str], sizes: list[str]) -> str:
        """The weighted mean of windows `(n, classes + 1, *patch)`."""
        dims, patch, channels = self.card.dims, self.card.patch, len(self.card.classes) + 1
        parted = b.reshaped(found, *(b.size(each, 0) for each in starts), channels, *patch)
        order = [dims]
        for axis in range(dims):
            order += [axis, dims + 1 + axis]
        lengths = [b("Mul", b.size(each, 0), p) for each, p in zip(starts, patch, strict=True)]
        turned = b.reshaped(b("Transpose", parted, perm=order), channels, *lengths)
        shares = [_shares(b, *each) for each in zip(starts, patch, sizes, strict=True)]
        flat = b.along_last(turned, shares[-2], shares[-1])
        return flat if dims == 2 else _along_first(b, flat, shares[0], channels)


def _along_first(b: Block, value: str, matrix: str, channels: int) -> str:
    """The second of four axes, behind the channels, multiplied with a matrix."""
    y, x = b.size(value, 2), b.size(value, 3)
    flat = b.reshaped(value, channels, b.size(value, 1), b("Mul", y, x))
    return b.reshaped(b("MatMul", matrix, flat), channels, b.size(matrix, 0), y, x)


def _starts(b: Block, size: str, patch: int) -> str:
    """`windows.starts`."""
    step = patch - patch // OVERLAP
    rest = b("Max", b("Sub", size, patch), 0)
    steps = b("Div", b("Add", rest, step - 1), step)
    count = b("Range", 0, b("Add", steps, 1), 1)
    return b("Div", b("Mul", count, rest), b("Max", steps, 1))


def _shares(b: Block, starts: str, patch: int, size: str) -> str:
    """What each pixel of each window gives to each of `size` pixels, `(size, windows * patch)`."""
    place = b("Unsqueeze", b("Add", b("Unsqueeze", starts, [1]), np.arange(patch)), [0])
    here = b("Equal", place, b("Unsqueeze", b("Range", 0, size, 1), [1, 2]))
    weight = b("Mul", b.cast(here, np.float32), bell(patch))
    flat = b.reshaped(weight, size, -1)
    return b("Div", flat, b("ReduceSum", flat, [1], keepdims=1))


def _fitted(b: Block, policy: IntensityPolicy) -> _Scale:
    """`IntensityPolicy.fit`."""
    if policy.kind == "none":
        return _Scale(None, None, False)
    if policy.kind == "window":
        low, high = (b("Identity", float(v)) for v in (policy.low, policy.high))
        return _Scale(low, high, False)
    flat = b("Reshape", IMAGE, [-1])
    finite = b("Not", b("Or", b("IsNaN", flat), b("IsInf", flat)))
    inside = b("And", finite, b("Not", b("Equal", flat, np.float32(0))))
    values = b("Compress", flat, inside)
    count = b.size(values, 0)
    low, high = (_percentile(b, values, count, p) for p in (policy.low, policy.high))
    alike = b("Or", b("Equal", low, high), b("Equal", count, 0))
    least = b.cast(b("ReduceMin", b("Where", finite, flat, _INF), keepdims=0), np.float64)
    most = b.cast(b("ReduceMax", b("Where", finite, flat, -_INF), keepdims=0), np.float64)
    return _Scale(b("Where", alike, least, low), b("Where", alike, most, high), True)


def _percentile(b: Block, values: str, count: str, percent: float) -> str:
    """`nonzero_percentiles` for one of them: sorts no more than the shorter end."""
    last = b("Max", b("Sub", count, 1), 0)
    rank = b("Mul", percent / 100, b.cast(last, np.float64))
    floor = b("Floor", rank)
    below, above = b.cast(floor, np.int64), b.cast(b("Ceil", rank), np.int64)
    upper = percent > 50
    # One value more, at the far end: there is something to take where there are no values.
    some = b("Concat", values, np.array([-_INF if upper else _INF]), axis=0)
    places = [b("Sub", last, each) for each in (below, above)] if upper else [below, above]
    length = b("Unsqueeze", b("Add", b("Max", *places), 1), [0])
    end = b("TopK", some, length, largest=int(upper), sorted=1)
    first, second = (b.cast(b("Gather", end, place), np.float64) for place in places)
    return b("Add", first, b("Mul", b("Sub", second, first), b("Sub", rank, floor)))
