"""The data that ops speak and the runtime acts on: calls, candidates, placements.

Nothing here touches a device, so launch geometry, arguments and memory plans are tested without
one. A candidate is one way to compute a node: a few calls in order, with the workspace they need.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Literal

import numpy as np

from clnet.device_info import DeviceInfo
from clnet.tensor_spec import TensorSpec

Role = Literal["in", "out", "work", "packed"]


@dataclass(frozen=True)
class Ref:
    """An operand of a call: the node's n-th input, output, workspace or packed constant."""

    role: Role
    index: int = 0


def In(index: int = 0) -> Ref:  # noqa: N802  (reads like the data it makes)
    """The node's input ``index``."""
    return Ref("in", index)


def Out(index: int = 0) -> Ref:  # noqa: N802
    """The node's output ``index``."""
    return Ref("out", index)


def Work(index: int = 0) -> Ref:  # noqa: N802
    """The candidate's scratch memory ``index``; its bytes stand in ``Candidate.workspace``."""
    return Ref("work", index)


def PackedRef(index: int = 0) -> Ref:  # noqa: N802
    """The candidate's rearranged constant ``index`` out of ``Candidate.packed``."""
    return Ref("packed", index)


Scalar = np.generic  # np.int32(3), np.float32(0.5): the kernel's argument type is the scalar's
Define = tuple[str, "str | int | float"]


@dataclass(frozen=True)
class KernelCall:
    """One launch of a kernel in ``cl_kernels/<source>.cl``.

    ``defines`` become ``#define`` lines ahead of the source; their text comes from clnet itself or
    is a checked number, never from a model. ``local_size`` None leaves the choice to the driver.
    """

    source: str
    kernel: str
    args: tuple[Ref | Scalar, ...]
    global_size: tuple[int, ...]
    local_size: tuple[int, ...] | None = None
    defines: tuple[Define, ...] = ()


@dataclass(frozen=True)
class Chain(KernelCall):
    """Several launches as one: ``parts`` one after the other, by a single work-item or a team.

    ``operands`` tells for each part which of the chain's arguments its references are. A part is
    computed in so many ``shares``, by whichever item of the team is free. A team's last argument
    is the memory of its ``turns``: zeros, and zeros again after each launch.
    """

    parts: tuple[KernelCall, ...] = ()
    operands: tuple[tuple[int, ...], ...] = ()
    shares: tuple[int, ...] = ()

    #: 32-bit integers that a part's turns take: two, each in a cache line of its own.
    TURNS: ClassVar[int] = 32

    @property
    def team(self) -> int:
        """Work-items."""
        return self.global_size[0]

    @classmethod
    def of(
        cls, parts: Sequence[KernelCall], operands: Sequence[tuple[int, ...]], count: int,
        shares: Sequence[int] | None = None, team: int = 1,
    ) -> Chain:  # fmt: skip
        """The chain of ``parts``, whose arguments are ``count`` tensors."""
        args = tuple(In(i) for i in range(count + (team > 1)))
        shares = tuple(shares or (1,) * len(parts))
        return cls("chain", "chain", args, (team,), (1,), (), tuple(parts), tuple(operands), shares)


@dataclass(frozen=True)
class BlasCall:
    """One CLBlast routine (``gemm``, ``gemv``, ``axpy``, ``scal``) on row-major operands.

    ``operands`` are the matrices and vectors in the routine's order (gemm a b c, gemv a x y,
    axpy x y, scal x), ``offsets`` their first elements. ``sizes``: gemm (m, n, k), gemv (m, n)
    rows and columns of a as stored, axpy and scal (n,). ``params`` are the rest by pyclblast's
    names: alpha, beta, a_transp, b_transp, a_ld, b_ld, c_ld (elements from row to row).
    """

    routine: Literal["gemm", "gemv", "axpy", "scal"]
    dtype: str
    operands: tuple[Ref, ...]
    sizes: tuple[int, ...]
    offsets: tuple[int, ...]
    params: tuple[tuple[str, int | float | bool], ...] = ()


@dataclass(frozen=True)
class HostCall:
    """A step computed by NumPy over mapped memory: ``function(*inputs) -> sequence of arrays``.

    Outputs may have fewer elements than planned (after NonMaxSuppression): their actual shapes are
    kept for the host calls that follow and for the caller of the session.
    """

    function: Callable[..., Sequence[np.ndarray]]
    inputs: tuple[Ref, ...]
    outputs: tuple[Ref, ...]


Call = KernelCall | BlasCall | HostCall


@dataclass(frozen=True)
class Packed:
    """A constant input in the form a kernel wants: ``pack(array)`` gives a tensor of ``spec``.

    With input None it is a table of the op's own, which ``pack()`` computes.
    """

    input: int | None
    pack: Callable[..., np.ndarray]
    spec: TensorSpec


@dataclass(frozen=True)
class Placement:
    """``inner`` may live inside ``outer``'s memory, ``offset`` bytes in.

    With ``replaces`` set, that call only copies between the two and is dropped when the memory
    plan grants the placement. With None the candidate cannot work without it (in-place update).
    """

    inner: Ref
    outer: Ref
    offset: int = 0
    replaces: int | None = None


#: The value of each of a candidate's parameters, by name.
Values = Mapping[str, int]


@dataclass(frozen=True)
class SearchSpace:
    """What a tuner may vary: the options of each parameter, the default first, and the candidate
    with a choice of them (None where they do not fit together)."""

    options: Mapping[str, tuple[int, ...]]
    vary: Callable[[Values], Candidate | None]


@dataclass(frozen=True)
class Candidate:
    """One way to compute a node. The first that ``Op.lower`` returns is the untuned default.

    ``values`` are the parameters that it was made with, out of its ``space``.
    """

    name: str
    calls: tuple[Call, ...]
    workspace: tuple[int, ...] = ()
    packed: tuple[Packed, ...] = ()
    placements: tuple[Placement, ...] = ()
    values: Values = field(default_factory=dict)
    space: SearchSpace | None = None


def tunable(
    make: Callable[[Values], Candidate | None], options: Mapping[str, Sequence[int]]
) -> Candidate | None:
    """The candidate that ``make`` gives for the first option of every parameter, with the others as
    its search space."""
    space = SearchSpace({name: tuple(values) for name, values in options.items()}, make)
    values = {name: some[0] for name, some in space.options.items()}
    candidate = make(values)
    return None if candidate is None else replace(candidate, values=values, space=space)


@dataclass(frozen=True)
class Workload:
    """A problem to solve: the op and what it is applied to. The key of tuning and of tests.

    ``inputs`` holds None where an optional input is absent; ``constant`` marks the inputs whose
    values are known when the session is compiled (weights), which may therefore be packed.
    """

    op: Any
    inputs: tuple[TensorSpec | None, ...]
    outputs: tuple[TensorSpec, ...]
    constant: tuple[bool, ...]

    def input(self, index: int) -> TensorSpec:
        """The spec of input ``index``, which must be present."""
        spec = self.inputs[index]
        assert spec is not None, f"{self.op}: input {index} is absent"
        return spec

    def candidates(self, info: DeviceInfo) -> list[Candidate]:
        """The ways to solve it on a device, the untuned default first."""
        found: list[Candidate] = self.op.lower(self, info.beside((*self.inputs, *self.outputs)))
        return found

    def has(self, index: int) -> bool:
        """Whether optional input ``index`` is present."""
        return index < len(self.inputs) and self.inputs[index] is not None

    @property
    def output(self) -> TensorSpec:
        """The spec of the first output."""
        return self.outputs[0]
