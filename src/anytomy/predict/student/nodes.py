"""Writing an ONNX graph node by node: `Block`."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import numpy as np
from onnx import ModelProto, TensorProto, compose, helper, numpy_helper

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Value = str | float | int | list[int] | np.generic | NDArray[Any]


class Block:
    """The nodes of a graph, or of the body of a loop in it.

    Values are called by the names that nodes give them; numbers and arrays in their place become constants:
    whole numbers int64, real ones float64.

    Args:
        outer: The block that a body stands in.
    """

    def __init__(self, outer: Block | None = None) -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = [] if outer is None else outer.constants
        self._numbers: itertools.count[int] = itertools.count() if outer is None else outer._numbers

    def __call__(self, kind: str, *inputs: Value, **attributes: Any) -> str:
        """Add a node; its (first) output."""
        name = self._name()
        outputs = [name, self._name()] if kind == "TopK" else [name]
        self.nodes.append(helper.make_node(kind, [self._named(i) for i in inputs], outputs, **attributes))
        return name

    def cast(self, value: Value, dtype: Any) -> str:
        """A value in another type."""
        return self("Cast", value, to=helper.np_dtype_to_tensor_dtype(np.dtype(dtype)))

    def size(self, value: str, axis: int) -> str:
        """The length of an axis, an int64 scalar."""
        return self("Gather", self("Shape", value), axis)

    def reshaped(self, value: str, *sizes: Value) -> str:
        """A value in another shape; sizes are numbers, or scalars by name."""
        parts = [[each] if isinstance(each, int) else self("Unsqueeze", each, [0]) for each in sizes]
        return self("Reshape", value, self("Concat", *parts, axis=0))

    def loop(self, count: str, body: Callable[[Block, str], str], dtype: Any) -> str:
        """What `body` gives for each index below `count`, stacked along a new first axis."""
        inner = type(self)(self)
        index, going, on = self._name(), self._name(), self._name()
        inner.nodes.append(helper.make_node("Identity", [going], [on]))
        found = body(inner, index)
        kind = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
        graph = helper.make_graph(
            inner.nodes,
            "body",
            [
                helper.make_tensor_value_info(index, TensorProto.INT64, []),
                helper.make_tensor_value_info(going, TensorProto.BOOL, []),
            ],
            [
                helper.make_tensor_value_info(on, TensorProto.BOOL, []),
                helper.make_tensor_value_info(found, kind, None),
            ],
        )
        return self("Loop", count, "", body=graph)

    def splice(self, model: ModelProto, value: str, prefix: str = "network/") -> str:
        """All nodes of another graph with one input and one output; may be done once."""
        other = compose.add_prefix(model, prefix).graph
        self.constants += other.initializer
        self.nodes.append(helper.make_node("Identity", [value], [other.input[0].name]))
        self.nodes += other.node
        return str(other.output[0].name)

    def triangle(self, target: str, source: str) -> str:
        """`engine.resample.triangle_kernel` as a matrix `(target, source)`, float32."""
        step = self("Div", self.cast(source, np.float64), self.cast(target, np.float64))
        half = self("Add", self._upto(target), 0.5)
        centre = self("Unsqueeze", self("Sub", self("Mul", half, step), 0.5), [1])
        away = self("Abs", self("Sub", centre, self._upto(source)))
        weight = self("Max", self("Sub", 1.0, self("Div", away, self("Max", step, 1.0))), 0.0)
        total = self("ReduceSum", weight, [1], keepdims=1)
        return self.cast(self("Div", weight, total), np.float32)

    def along_last(self, value: str, rows: str, columns: str) -> str:
        """The last two axes of a value multiplied with a matrix each."""
        return self("MatMul", self("MatMul", rows, value), self("Transpose", columns, perm=[1, 0]))

    def _upto(self, count: str) -> str:
        return self.cast(self("Range", 0, count, 1), np.float64)

    def _name(self) -> str:
        return f"v{next(self._numbers)}"

    def _named(self, value: Value) -> str:
        if isinstance(value, str):
            return value
        array = np.asarray(value)
        name = self._name()
        self.constants.append(numpy_helper.from_array(array, name))
        return name

    def model(self, inputs: list[Any], output: Any, **facts: Any) -> ModelProto:
        """The whole as a model; facts are those of `onnx.helper.make_model`."""
        graph = helper.make_graph(self.nodes, "student", inputs, [output], initializer=self.constants)
        return helper.make_model(graph, **facts)
