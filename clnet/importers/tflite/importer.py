"""Walks a TFLite model operator by operator and builds the graph."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from clnet.errors import ClnetError, ModelError, UnsupportedError
from clnet.graph import Graph, GraphBuilder, Value
from clnet.importers.names import shown
from clnet.importers.tflite import converters  # noqa: F401  (registers them)
from clnet.importers.tflite.activation import activate, bounds
from clnet.importers.tflite.atrous import join_dilated
from clnet.importers.tflite.codes import from_codes, requantized, to_codes
from clnet.importers.tflite.flat import faults_are_model_errors
from clnet.importers.tflite.inputs import input_specs, unique_names
from clnet.importers.tflite.model import BUILTINS, Operator, TfliteModel
from clnet.importers.tflite.node import TfliteNode
from clnet.importers.tflite.quantization import (
    centred,
    change_of_scale,
    dequantized,
    is_quantized,
)
from clnet.importers.tflite.registry import ALL, Converter, find_converter
from clnet.importers.tflite.tensors import dtype_of, stored_values
from clnet.ops import Op
from clnet.ops.elementwise import elementwise
from clnet.ops.expression import Expression
from clnet.ops.update import Update

#: The bytes of all tensors of a model together: no board comes near, and sums stay meaningful.
MAX_TENSOR_BYTES = 1 << 37
#: The second operand, which takes the first one's place.
_ASSIGN = Expression(2)


class Importer:
    """One reading of a model.

    Of a quantised tensor the graph holds the *codes*: what the file would store, less the zero
    point, as float32. These small integers are exact in it, and zero stays zero, so that padding,
    convolutions and all that is linear work on them as on any other number.
    """

    def __init__(self, model: TfliteModel, input_shapes: Mapping[str, Sequence[int]]) -> None:
        self.model, self.input_shapes = model, input_shapes
        self.build = GraphBuilder(model.name[:80])
        self._values: dict[int, Value] = {}  # what inputs and operators have made, by tensor
        self._stored: dict[int, Value] = {}  # constants as stored, and dequantised
        self._real: dict[int, Value] = {}
        self._codes: dict[int, Value] = {}
        self._variables: dict[int, tuple[Value, Value]] = {}  # what they hold, and will hold
        self._bytes = 0

    def run(self) -> Graph:
        """The whole model."""
        with faults_are_model_errors():
            operators = self._needed()
        self._refuse_unsupported(operators.values())
        for number, (name, spec) in input_specs(self.model, self.input_shapes).items():
            value = self.build.input(name, spec.shape, spec.dtype)
            self._account([value])
            tensor = self.model.tensors[number]
            self._values[number] = (
                to_codes(self.build, value, tensor.quantization) if is_quantized(tensor) else value
            )
        for position, operator in operators.items():
            label = f"{shown(operator.name)[1:-1]} {position}"
            try:
                with faults_are_model_errors():
                    self._convert(operator, label)
            except ModelError as error:
                raise error.located(node=label) from error
            except ClnetError:
                raise
            except (ArithmeticError, LookupError, struct.error) as error:
                raise ModelError(f"{type(error).__name__}: {error}", node=label) from error
        if not self.model.outputs:
            raise ModelError("the model has no outputs")
        names = unique_names(self.model, self.model.outputs, "output")
        for number, name in zip(self.model.outputs, names, strict=True):
            self.build.output(self._output(number, name), name)
        for state, value in self._variables.values():  # behind all that read the old values
            self.add(Update(_ASSIGN), (state, value), f"next_{state.name}")
        return self.build.graph

    def real(self, number: int) -> Value:
        """A tensor's real numbers."""
        tensor = self.model.tensors[number]
        if tensor.quantization is None:
            return self._values[number] if number in self._values else self.stored(number)
        if number not in self._real:
            if number not in self._values:
                array = dequantized(self.known(number, "a tensor"), tensor.quantization)
                self._real[number] = self.build.constant(array, tensor.name or None)
            elif is_quantized(tensor):
                scale = self.build.constant(np.float32(tensor.quantization.scale))
                op = elementwise("Mul")
                self._real[number] = self.add(op, (self._values[number], scale), tensor.name)
            else:
                return self._values[number]
        return self._real[number]

    def codes(self, number: int) -> Value:
        """A quantised tensor's numbers, less the zero point."""
        if number in self._values:
            return self._values[number]
        if number not in self._codes:
            quantization = self.model.tensors[number].quantization
            assert quantization is not None
            array = centred(self.known(number, "a tensor"), quantization).astype(np.float32)
            self._codes[number] = self.build.constant(array)
        return self._codes[number]

    def is_stored(self, number: int) -> bool:
        """Whether a tensor is a constant of the file."""
        return number not in self._values and bool(self.model.tensors[number].data.size)

    def variable(self, number: int, shape: tuple[int, ...]) -> Value:
        """What a variable holds at the beginning of a run; zeros before the first."""
        tensor = self.model.tensors[number]
        if not tensor.is_variable or tensor.data.size or number in self._variables:
            raise UnsupportedError(f"{shown(tensor.name)} is no variable of this operator alone")
        state = self.build.state(np.broadcast_to(np.float32(0), shape), f"variable_{number}")
        self._account([state])
        return state

    def keep(self, number: int, state: Value, value: Value) -> None:
        """Let a variable hold ``value`` from the end of the run on."""
        self._variables[number] = state, value

    def stored(self, number: int) -> Value:
        """A constant as the file has it."""
        if number not in self._stored:
            tensor = self.model.tensors[number]
            if tensor.is_variable:
                raise UnsupportedError(f"the variable {shown(tensor.name)} as an input like others")
            if not tensor.data.size and 0 not in tensor.shape:
                raise ModelError(f"the tensor {shown(tensor.name)} is read before it is computed")
            with faults_are_model_errors():
                array = stored_values(self.model.file, tensor)
            self._stored[number] = self.build.constant(array, tensor.name or None)
        return self._stored[number]

    def dtype(self, number: int) -> str:
        """The dtype that the file gives a tensor."""
        return dtype_of(self.model.tensors[number].type)

    def known(self, number: int, what: str) -> np.ndarray:
        """The values of a constant as stored. Raises UnsupportedError where a run computes them."""
        value = self._values[number] if number in self._values else self.stored(number)
        if not value.is_constant or value.data is None:
            raise UnsupportedError(f"{what} must be constant, but is computed when the model runs")
        return value.data

    def add(self, op: Op, inputs: Sequence[Value | None], label: str) -> Any:
        """Append one of clnet's ops."""
        result = self.build.add(op, *inputs, name=label)
        self._account(result if isinstance(result, tuple) else (result,))
        return result

    def _account(self, values: Iterable[Value]) -> None:
        self._bytes += sum(v.spec.nbytes for v in values if not v.is_constant)
        if self._bytes > MAX_TENSOR_BYTES:
            raise ModelError(f"its tensors exceed {MAX_TENSOR_BYTES >> 30} GiB")

    def _needed(self) -> dict[int, Operator]:
        """The operators that the outputs need, by position."""
        needed = set(self.model.outputs)
        kept = {}
        for position, operator in reversed(join_dilated(self.model).items()):
            if needed.intersection(operator.outputs):
                kept[position] = operator
                needed.update(operator.inputs)
        return dict(reversed(kept.items()))

    def _refuse_unsupported(self, operators: Iterable[Operator]) -> None:
        """Name every kind of operator that cannot be converted, before the first is."""
        missing = {
            f"custom operator {shown(o.name)}" if o.is_custom else _numbered(o.name)
            for o in operators
            if find_converter(o.name, o.is_custom) is None
        }
        if missing:
            names = sorted(missing)
            more = f" and {len(names) - 40} more" if len(names) > 40 else ""
            raise UnsupportedError(f"unsupported operators: {', '.join(names[:40])}{more}")

    def _convert(self, operator: Operator, label: str) -> None:
        converter = find_converter(operator.name, operator.is_custom)
        assert converter is not None
        linear = converter.linear
        if ALL in linear:
            linear = tuple(range(len(operator.inputs)))
        scale = self._common_scale(operator, linear)
        node = TfliteNode(self, operator, label, linear, scale)
        made = converter.convert(node)
        results = made if isinstance(made, tuple) else (made,)
        if len(results) != len(operator.outputs):
            raise ModelError(f"{len(operator.outputs)} outputs instead of {len(results)}")
        for number, value in zip(operator.outputs, results, strict=True):
            if number in self._values or number in self.model.inputs:
                raise ModelError(f"the tensor {number} is made twice")
            self._values[number] = self._finished(node, value, converter, scale, number)

    def _common_scale(self, operator: Operator, linear: Sequence[int]) -> float | None:
        """The scale that all the inputs ``linear`` have; None where they differ or are plain."""
        used = [operator.inputs[i] for i in linear if i < len(operator.inputs)]
        tensors = [self.model.tensors[n] for n in used if n >= 0]
        if not tensors or not all(map(is_quantized, tensors)):
            return None
        scales = {t.quantization.scale for t in tensors if t.quantization is not None}
        return scales.pop() if len(scales) == 1 else None

    def _finished(
        self, node: TfliteNode, value: Value, converter: Converter, scale: float | None, number: int
    ) -> Value:
        """A result with the operator's fused activation, on the grid of a quantised output."""
        tensor = self.model.tensors[number]
        options = node.operator.options
        fused = hasattr(options, "FusedActivationFunction") and not converter.activated
        activation = options.FusedActivationFunction() if fused else 0
        if not is_quantized(tensor):
            if scale is not None and value.spec.is_float:
                value = node.apply("Mul", value, node.constant(scale, "float32"))
            return activate(node, value, activation)
        assert tensor.quantization is not None
        if not value.spec.is_float:
            raise UnsupportedError(f"a quantised {value.spec} output")
        limits = bounds(tensor.quantization, dtype_of(tensor.type), activation)
        if converter.exact and scale == tensor.quantization.scale and not activation:
            inputs = enumerate(node.operator.inputs)
            moved = [n for i, n in inputs if n >= 0 and {i, ALL}.intersection(converter.linear)]
            if all(self._limits(n) == limits for n in moved):
                return value  # the same numbers on the same grid
        factor = node.factor
        if factor is None:
            factor = change_of_scale(1.0 if scale is None else scale, tensor.quantization.scale)
        return requantized(node, value, factor, limits, tensor.quantization.zero_point)

    def _limits(self, number: int) -> tuple[float, float] | None:
        tensor = self.model.tensors[number]
        if tensor.quantization is None:
            return None
        return bounds(tensor.quantization, dtype_of(tensor.type), 0)

    def _output(self, number: int, name: str) -> Value:
        tensor = self.model.tensors[number]
        if number not in self._values:
            return self.stored(number)
        value, quantization = self._values[number], tensor.quantization
        if quantization is None or not quantization.per_tensor or not value.spec.is_float:
            return value
        if not is_quantized(tensor):  # an int32 one, whose real numbers operators exchange
            step = self.build.constant(np.float32(quantization.scale))
            value = self.add(elementwise("Div"), (value, step), f"{name}:steps")
            value = self.add(elementwise("Round"), (value,), f"{name}:codes")
        return from_codes(self.build, value, quantization, dtype_of(tensor.type), name)


def _numbered(name: str) -> str:
    numbers = {v: k for k, v in BUILTINS.items()}
    return f"{name} ({numbers[name]})" if name in numbers else name
