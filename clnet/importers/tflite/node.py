"""TfliteNode: checked access to an operator's inputs and options while it is converted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from clnet.errors import ModelError, UnsupportedError
from clnet.graph import Value
from clnet.importers.tflite.model import Operator
from clnet.importers.tflite.quantization import centred, is_quantized, product_scales
from clnet.ops.elementwise import elementwise
from clnet.ops.transpose import Transpose

if TYPE_CHECKING:
    from clnet.importers.tflite.importer import Importer

TO_NCHW, TO_NHWC = (0, 3, 1, 2), (0, 2, 3, 1)


class TfliteNode:
    """An operator with its inputs as values. Whatever is missing or wrong is a ModelError.

    ``scale`` is 1 unless the operator is applied to quantised numbers: then the inputs that are
    linear are what was stored, less the zero point, and real values are ``scale`` times as much.
    """

    def __init__(
        self, importer: Importer, operator: Operator, label: str, linear: Sequence[int],
        scale: float | None,
    ) -> None:  # fmt: skip
        self.importer, self.operator, self.label = importer, operator, label
        self._codes = frozenset(linear) if scale is not None else frozenset()
        self.scale = 1.0 if scale is None else scale
        self.name = operator.name
        #: From the result to the codes of a quantised output, where weights decide it.
        self.factor: np.ndarray | None = None
        self._powers: np.ndarray | None = None

    @property
    def count(self) -> int:
        """Number of inputs, absent ones counted."""
        return len(self.operator.inputs)

    @property
    def outputs(self) -> int:
        """Number of outputs."""
        return len(self.operator.outputs)

    def has(self, index: int) -> bool:
        """Whether optional input ``index`` is there."""
        return index < self.count and self.operator.inputs[index] >= 0

    def input(self, index: int = 0) -> Value:
        """Input ``index``: real numbers unless the operator is applied to quantised ones."""
        if not self.has(index):
            raise ModelError(f"input {index} is missing")
        number = self.operator.inputs[index]
        return self.importer.codes(number) if index in self._codes else self.importer.real(number)

    def optional(self, index: int) -> Value | None:
        """Input ``index``, or None where it is absent."""
        return self.input(index) if self.has(index) else None

    def all_inputs(self) -> list[Value]:
        """The inputs of an operator that takes any number of them, but at least one."""
        return [self.input(i) for i in range(max(1, self.count))]

    def variable(self, index: int, shape: tuple[int, ...]) -> Value:
        """What the variable in input ``index`` holds when a run begins, float32."""
        if not self.has(index):
            raise ModelError(f"input {index} is missing")
        return self.importer.variable(self.operator.inputs[index], shape)

    def keep(self, index: int, state: Value, value: Value) -> None:
        """Let the variable in input ``index``, of which ``state`` was read, hold ``value``."""
        self.importer.keep(self.operator.inputs[index], state, value)

    def image(self, index: int = 0) -> Value:
        """Input ``index``, which must have four dimensions."""
        value = self.input(index)
        if value.spec.rank != 4:
            raise ModelError(f"input {index} {value.spec} is no image: it needs four dimensions")
        return value

    @property
    def linear(self) -> bool:
        """Whether the operator is applied to quantised numbers."""
        return bool(self._codes)

    def stored(self, index: int) -> Value | None:
        """A quantised constant as the file has it; None where the input is none."""
        if not self.has(index):
            return None
        number = self.operator.inputs[index]
        if self.importer.model.tensors[number].quantization is None:
            return None
        return self.importer.stored(number) if self.importer.is_stored(number) else None

    def weights(self, index: int, channels: int = 0) -> Value:
        """The constant that an input is multiplied by. Between quantised tensors it is scaled so
        that the sum of products needs only ``factor`` to become the output. Scales may differ
        along the axis ``channels``, which becomes the output's last."""
        if not self.linear or self.stored(index) is None:
            return self.input(index)
        weights = self.importer.model.tensors[self.operator.inputs[index]].quantization
        output = self.importer.model.tensors[self.operator.outputs[0]]
        if weights is None or output.quantization is None or not is_quantized(output):
            return self.input(index)
        if not weights.per_tensor and weights.axis != channels:
            raise UnsupportedError(f"weights with a scale per index of axis {weights.axis}")
        self._powers, self.factor = product_scales(self.scale, weights, output.quantization.scale)
        codes = centred(self.array(index), weights)
        shape = [-1 if d == weights.axis else 1 for d in range(codes.ndim)]
        powers = self._powers if weights.per_tensor else self._powers.reshape(shape)
        return self.constant(codes * powers, "float32")

    def bias(self, index: int) -> Value | None:
        """An optional input that is added to the result, so that it is scaled like the latter."""
        value = self.optional(index)
        if value is None or not self.linear:
            return value
        if self._powers is not None:
            return self.constant(self.array(index) * self._powers, "float32")
        scaled: Value = self.apply("Mul", value, self.constant(1 / self.scale, "float32"))
        return scaled

    def array(self, index: int) -> np.ndarray:
        """The values of input ``index`` as stored, which must be known by now."""
        if not self.has(index):
            raise ModelError(f"input {index} is missing")
        return self.importer.known(self.operator.inputs[index], f"input {index}")

    def integers_of(self, index: int) -> tuple[int, ...]:
        """A short list of integers (a shape, axes…) in input ``index``."""
        values = self.array(index)
        if values.ndim > 1 or values.size > 64 or not np.issubdtype(values.dtype, np.integer):
            raise ModelError(f"input {index} is {values.dtype}{list(values.shape)}, not a list")
        return tuple(int(v) for v in values.reshape(-1))

    def scalar(self, index: int) -> Any:
        """The only value of input ``index``, as a Python number."""
        values = self.array(index)
        if values.size != 1:
            raise ModelError(f"input {index} has {values.size} values instead of one")
        return values.reshape(-1)[0].item()

    def option(self, name: str, default: Any = None) -> Any:
        """A number or flag out of the options; without options the format's own ``default``."""
        options = self.operator.options
        if options is None:
            if default is None:
                raise ModelError("the operator's options are missing")
            return default
        if not hasattr(options, name):
            raise ModelError(f"{type(options).__name__} are options of another operator")
        return getattr(options, name)()

    def integers_option(self, name: str) -> tuple[int, ...]:
        """A list of integers out of the options, empty where it is absent."""
        options = self.operator.options
        if options is None or not hasattr(options, name + "AsNumpy"):
            return ()
        return self.importer.model.file.integers(options, name)

    def choice(self, name: str, names: Sequence[str], default: int | None = None) -> str:
        """An option that is the number of one of ``names``."""
        number = self.option(name, default)
        if not 0 <= number < len(names):
            raise UnsupportedError(f"{name} {number} is not known")
        return names[number]

    def add(self, op: Any, *inputs: Value | None) -> Any:
        """Apply one of clnet's ops."""
        return self.importer.add(op, inputs, self.label)

    def apply(self, function: str, *inputs: Value, **params: float | int) -> Any:
        """Apply a function of the table of elementwise ones."""
        return self.add(elementwise(function, **params), *inputs)

    def constant(self, values: Any, dtype: str | None = None) -> Value:
        """A value known now."""
        return self.importer.build.constant(np.asarray(values, dtype))

    def transposed(self, value: Value, perm: Sequence[int]) -> Value:
        """The value with its dimensions in another order."""
        result: Value = self.add(Transpose(tuple(perm)), value)
        return result

    def nchw(self, image: Value) -> Value:
        """The channels behind the batch, as clnet's ops want them."""
        return self.transposed(image, TO_NCHW)

    def nhwc(self, image: Value) -> Value:
        """The channels last, as TensorFlow Lite has them."""
        return self.transposed(image, TO_NHWC)


def normalized(axis: int, rank: int) -> int:
    """An axis counted from 0. Raises ModelError where the tensor has no such axis."""
    if not -rank <= axis < max(1, rank):
        raise ModelError(f"axis {axis} of a tensor of rank {rank}")
    return axis % max(1, rank)
