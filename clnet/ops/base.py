"""What an op is: its attributes, shape rule, NumPy reference, candidates, gradient, spellings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any, ClassVar

import numpy as np

from clnet.calls import Candidate, Workload
from clnet.device_info import DeviceInfo
from clnet.graph import GraphBuilder, Node, Value
from clnet.tensor_spec import TensorSpec

#: How a format spells an op: {"onnx": {"Elu": {"alpha": "alpha"}}} maps the format's attribute
#: names to the dataclass's fields. What needs more than a rename is a converter in importers/.
Spellings = Mapping[str, Mapping[str, Mapping[str, str]]]


@dataclass(frozen=True)
class Op:
    """Base of all ops: a frozen dataclass of attributes and pure functions over them."""

    spellings: ClassVar[Spellings] = {}
    #: Whether constant inputs let the builder compute the op at once.
    foldable: ClassVar[bool] = True
    #: Whether outputs may have fewer elements than inferred, which only a run can tell. What reads
    #: them runs on the host, by ``reference``.
    varies: ClassVar[bool] = False
    #: Whether the op changes a state, so that it stays though nobody reads its output.
    updates_state: ClassVar[bool] = False
    #: Of ops with an ``epilogue``: how many inputs come before its extra operands (absent optional
    #: ones counted), and which axes of the output are the channels.
    own_inputs: ClassVar[int] = 3
    channel_axes: ClassVar[tuple[int, ...]] = (1,)

    def infer(self, *inputs: TensorSpec | None) -> tuple[TensorSpec, ...]:
        """Shapes and dtypes of the outputs. Raises ShapeError where the inputs do not fit."""
        raise NotImplementedError(type(self).__name__)

    def reference(self, *inputs: np.ndarray | None) -> tuple[np.ndarray, ...]:
        """The op in plain NumPy: slow, and obviously right."""
        raise NotImplementedError(type(self).__name__)

    def lower(self, workload: Workload, device: DeviceInfo) -> list[Candidate]:
        """The ways to compute the op on this device, the untuned default first."""
        raise NotImplementedError(type(self).__name__)

    def multiply_adds(self, workload: Workload) -> int:
        """Multiply-adds by the op's definition, whatever the algorithm: of convolutions and matrix
        products, which are what takes time; 0 for everything else."""
        return 0

    def elements(self, workload: Workload) -> int:
        """Elements that are read and written."""
        return sum(s.size for s in (*workload.inputs, *workload.outputs) if s is not None)

    def kind(self, workload: Workload) -> str:
        """The op's name in tables that sum up layers of a kind."""
        return self.label

    def vjp(
        self, build: GraphBuilder, node: Node, grads: tuple[Value | None, ...]
    ) -> tuple[Value | None, ...]:
        """Append the gradient's nodes: from d loss/d outputs to d loss/d inputs (None: no way)."""
        raise NotImplementedError(f"{type(self).__name__} has no gradient")

    def expand(self, build: GraphBuilder, *inputs: Value | None) -> tuple[Value | None, ...]:
        """Append the op written out in others, of which each has a gradient, and return its outputs
        (None: one that has none). In place of ``vjp``, for ops that only inference is tuned for."""
        raise NotImplementedError(f"{type(self).__name__} has no gradient")

    def in_half(self) -> Op:
        """The op once float32 became float16 around it: itself, unless it names a dtype."""
        return self

    @classmethod
    def cases(cls) -> Iterable[Case]:
        """Problems that the contract tests run on every candidate of this op."""
        return ()

    @property
    def label(self) -> str:
        """The op's name for tables."""
        return type(self).__name__

    def __str__(self) -> str:
        shown = ", ".join(f"{f.name}={getattr(self, f.name)!r}" for f in fields(self))
        return f"{self.label}({shown})"


@dataclass(frozen=True)
class Arg:
    """An input of a test case: random in [low, high), or ``values``; ``constant`` like a weight."""

    shape: tuple[int, ...] = ()
    dtype: str = "float32"
    low: float = -2.0
    high: float = 2.0
    constant: bool = False
    values: Any = None

    def make(self, rng: np.random.Generator) -> np.ndarray:
        """The array itself."""
        if self.values is not None:
            return np.asarray(self.values, self.dtype)
        if self.dtype == "bool":
            return rng.random(self.shape) < 0.5
        if np.issubdtype(self.dtype, np.integer):
            return rng.integers(int(self.low), int(self.high), self.shape).astype(self.dtype)
        return rng.uniform(self.low, self.high, self.shape).astype(self.dtype)


@dataclass(frozen=True)
class Case:
    """One problem for the contract tests: an op and its inputs (None: an absent optional one)."""

    op: Op
    inputs: tuple[Arg | None, ...]
    #: Largest error allowed, relative to the largest magnitude of the reference's output.
    tolerance: float = 1e-5
    tolerance_fp16: float = 1e-2
    #: Whether the gradient is checked, and where not all floating inputs have one: of which.
    differentiable: bool | tuple[int, ...] = False


def workload_of(node: Node) -> Workload:
    """A node as a problem to solve."""
    return Workload(
        node.op,
        tuple(v.spec if v is not None else None for v in node.inputs),
        tuple(v.spec for v in node.outputs),
        tuple(v is not None and v.is_constant for v in node.inputs),
    )


_REGISTRY: list[type[Op]] = []


def register(cls: type[Op]) -> type[Op]:
    """Class decorator: lists the op for importers and contract tests."""
    _REGISTRY.append(cls)
    return cls


def registry() -> tuple[type[Op], ...]:
    """All registered op classes."""
    return tuple(_REGISTRY)


def spelled(format_name: str) -> dict[str, tuple[type[Op], Mapping[str, str]]]:
    """Foreign op name → (op class, attribute map) for one format."""
    return {
        foreign: (cls, attributes)
        for cls in _REGISTRY
        for foreign, attributes in cls.spellings.get(format_name, {}).items()
    }
